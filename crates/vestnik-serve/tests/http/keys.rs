//! Keys and origins.

use serde_json::json;
use vestnik_serve::{ApiKeys, Error, Server};

use crate::client::{JSON, Reply, request, send};
use crate::test_server::{TestServer, config, tagger_source};

const KEY: &str = "0123456789abcdef-test";

fn server() -> TestServer {
    let mut config = config();
    config.api_keys = Some(ApiKeys::parse(&format!("# test\n{KEY}\n")).unwrap());
    TestServer::with(config, vec![tagger_source()])
}

fn tag(server: &TestServer, header: &str) -> Reply {
    let body = json!({"text": "a"}).to_string();
    send(
        server.address,
        &request(
            "POST",
            "/v1/tag",
            &format!("{JSON}{header}"),
            body.as_bytes(),
        ),
    )
}

#[test]
fn nobody_is_served_without_a_key() {
    let server = server();
    for header in [
        "",
        "Authorization: Bearer 0123456789abcdef-tesT\r\n",
        "Authorization: Basic eA==\r\n",
        "X-API-Key: \r\n",
    ] {
        let reply = tag(&server, header);
        reply.expect_error(401, "unauthorized", "an API key is needed");
        assert!(reply.head.contains("www-authenticate: bearer"));
    }
    for header in [
        format!("Authorization: Bearer {KEY}\r\n"),
        format!("X-API-Key: {KEY}\r\n"),
    ] {
        assert_eq!(tag(&server, &header).status, 200);
    }
    for path in ["/info", "/metrics", "/v2/models/bert"] {
        server.get(path).expect_error(401, "unauthorized", "");
    }
    for path in [
        "/",
        "/health",
        "/v2/health/ready",
        "/docs",
        "/openapi.json",
        "/page/page.js",
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
}

fn preflight(server: &TestServer, origin: &str) -> Reply {
    let headers = format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n"
    );
    send(
        server.address,
        &request("OPTIONS", "/v1/tag", &headers, b""),
    )
}

#[test]
fn pages_of_others_are_let_in_only_when_named() {
    let closed = TestServer::with(config(), vec![tagger_source()]);
    assert!(
        !preflight(&closed, "https://example.org")
            .head
            .contains("access-control-allow-origin")
    );

    let mut open = config();
    open.cors_origins = vec!["https://example.org".to_owned()];
    let open = TestServer::with(open, vec![tagger_source()]);
    let allowed = preflight(&open, "https://example.org");
    assert!(
        allowed
            .head
            .contains("access-control-allow-origin: https://example.org"),
        "{allowed:?}"
    );
    assert!(
        !preflight(&open, "https://example.com")
            .head
            .contains("access-control-allow-origin: https://example.com")
    );
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    for origin in ["*", "example.org", "https://", "https://example.org/page"] {
        let mut config = config();
        config.cors_origins = vec![origin.to_owned()];
        let error = Server::open(config, vec![tagger_source()]).unwrap_err();
        assert!(matches!(error, Error::Origin { .. }), "{origin}");
    }
    assert!(matches!(
        Server::open(config(), vec![]),
        Err(Error::NoModel)
    ));
    let twice = Server::open(config(), vec![tagger_source(), tagger_source()]);
    assert!(matches!(twice, Err(Error::SameName { name }) if name == "bert"));
    let mut small = config();
    small.max_queue = 10;
    assert!(matches!(
        Server::open(small, vec![tagger_source()]),
        Err(Error::Limit { .. })
    ));
    let mut taken = config();
    let other = TestServer::start();
    taken.address = other.address;
    let server = Server::open(taken, vec![tagger_source()]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert!(matches!(
        runtime.block_on(server.listen()),
        Err(Error::Listen { .. })
    ));
}
