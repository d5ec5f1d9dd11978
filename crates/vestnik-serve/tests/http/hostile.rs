//! Requests that mean harm, or that are broken: each gets a typed error or a closed connection, and the server goes on.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::client::{JSON, connect, read_reply, request, send};
use crate::test_server::{TestServer, config, tagger_source};

#[track_caller]
fn still_answers(server: &TestServer) {
    assert_eq!(server.post("/v1/tag", &json!({"text": "Иван"})).status, 200);
}

#[test]
fn bodies_that_are_no_json() {
    let server = TestServer::start();
    let deep = format!(
        "{{\"text\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for body in [
        "",
        "{",
        "{\"text\": \"a\"} x",
        "{\"text\": \"\\ud800\"}",
        "{\"text\": \"\\udc00\\ud800\"}",
        "{\"text\": 'a'}",
        "{\"text\": NaN}",
        "\u{feff}{\"text\": \"a\"}",
        "{\"text\": \"a\u{0}b\"}",
        deep.as_str(),
    ] {
        server
            .post_bytes("/v1/tag", body.as_bytes())
            .expect_error(422, "validation", "no JSON");
    }
    server
        .post_bytes("/v1/tag", b"{\"text\": \"\xff\xfe\"}")
        .expect_error(422, "validation", "no JSON");
    still_answers(&server);
}

#[test]
fn values_that_nobody_expects() {
    let server = TestServer::start();
    for text in [
        "\u{0}",
        "\u{202e}\u{200f}",
        "a\u{301}\u{301}\u{301}",
        "\u{10ffff}",
        "\r\n\r\n",
    ] {
        assert_eq!(
            server.post("/v1/tag", &json!({"text": text})).ok()["text"],
            text
        );
    }
    let huge = format!(
        "{{\"text\": \"a\", \"n\": 1e999999999, \"m\": -{}}}",
        "9".repeat(5000)
    );
    let reply = server.post_bytes("/v1/tag", huge.as_bytes());
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("999999999") && reply.body.contains(&"9".repeat(5000)));
    let twice = server.post_bytes(
        "/v1/tag",
        b"{\"text\": 1, \"text\": \"b\", \"__proto__\": {}}",
    );
    assert_eq!(twice.ok()["text"], "b");
    let score = b"{\"text\": \"a\", \"labels\": [\"x\"], \"min_score\": 1e999}";
    server
        .post_bytes("/v1/classify", score)
        .expect_error(422, "validation", "min_score");
    still_answers(&server);
}

#[test]
fn a_long_text_without_a_word() {
    let server = TestServer::start();
    for text in [
        "x".repeat(100_000),
        " ".repeat(100_000),
        "🙂".repeat(20_000),
    ] {
        assert_eq!(server.post("/v1/tag", &json!({"text": text})).status, 200);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_bodies_are_read_and_bombs_are_not() {
    let mut config = config();
    config.max_body_bytes = 100_000;
    let server = TestServer::with(config, vec![tagger_source()]);
    let headers = format!("{JSON}Content-Encoding: gzip\r\n");
    let post = |body: &[u8]| send(server.address, &request("POST", "/v1/tag", &headers, body));
    assert_eq!(post(&gzip(b"{\"text\": \"a\"}")).ok()["text"], "a");
    let bomb = gzip(&vec![b' '; 30_000_000]);
    assert!(bomb.len() < 100_000);
    post(&bomb).expect_error(413, "too_large", "more than 100000 bytes");
    post(b"no gzip").expect_error(422, "validation", "no gzip");
    let cut = gzip(b"{\"text\": \"a\"}");
    post(&cut[..cut.len() - 4]).expect_error(422, "validation", "no gzip");
    let brotli = format!("{JSON}Content-Encoding: br\r\n");
    let reply = send(server.address, &request("POST", "/v1/tag", &brotli, b"x"));
    reply.expect_error(415, "unsupported_media_type", "gzip");
    still_answers(&server);
}

#[test]
fn bodies_beyond_the_limit() {
    let mut config = config();
    config.max_body_bytes = 1000;
    let server = TestServer::with(config, vec![tagger_source()]);
    let long = json!({"text": "a".repeat(2000)}).to_string();
    server.post_bytes("/v1/tag", long.as_bytes()).expect_error(
        413,
        "too_large",
        "more than 1000 bytes",
    );
    let head = format!(
        "POST /v1/tag HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("{:x}\r\n{}\r\n", 600, " ".repeat(600)).repeat(3);
    let chunked = send(server.address, format!("{head}{chunk}0\r\n\r\n").as_bytes());
    chunked.expect_error(413, "too_large", "more than 1000 bytes");
    let claimed = format!(
        "POST /v1/tag HTTP/1.1\r\nHost: t\r\n{JSON}Content-Length: 99999999999999999999\r\n\r\n"
    );
    assert!(send(server.address, claimed.as_bytes()).status >= 400);
    still_answers(&server);
}

#[test]
fn other_types_of_content() {
    let server = TestServer::start();
    for headers in [
        "Origin: https://example.org\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonx\r\n",
    ] {
        let reply = send(
            server.address,
            &request("POST", "/v1/tag", headers, b"{\"text\": \"a\"}"),
        );
        reply.expect_error(415, "unsupported_media_type", "application/json");
    }
    for headers in [
        "",
        "Content-Type: application/json; charset=utf-8\r\n",
        "content-type: APPLICATION/JSON\r\n",
    ] {
        let reply = send(
            server.address,
            &request("POST", "/v1/tag", headers, b"{\"text\": \"a\"}"),
        );
        assert_eq!(reply.status, 200);
    }
}

#[test]
fn floods_of_headers() {
    let server = TestServer::start();
    let many = "X-A: b\r\n".repeat(1000);
    let long = format!("X-A: {}\r\n", "b".repeat(1 << 20));
    for headers in [many, long] {
        let reply = send(server.address, &request("GET", "/health", &headers, b""));
        assert_eq!(reply.status, 431, "{reply:?}");
    }
    let path = format!("/{}", "a".repeat(100_000));
    let reply = send(server.address, &request("GET", &path, "", b""));
    assert!((400..500).contains(&reply.status), "{reply:?}");
    still_answers(&server);
}

#[test]
fn what_is_no_http() {
    let server = TestServer::start();
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: t\r\n\r\n",
    ] {
        assert_eq!(send(server.address, bytes).status, 400);
    }
    still_answers(&server);
}

#[test]
fn clients_that_do_not_go_on() {
    let mut config = config();
    config.read_timeout = Duration::from_millis(100);
    let server = TestServer::with(config, vec![tagger_source()]);
    // A head that never ends: the connection is closed.
    let mut slow_head = connect(server.address);
    slow_head
        .write_all(b"POST /v1/tag HTTP/1.1\r\nHost: t\r\nX-A:")
        .unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut slow_head, &mut rest).unwrap();
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
    // A body that never ends: it is told.
    let mut slow_body = connect(server.address);
    let head = format!(
        "POST /v1/tag HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{JSON}Content-Length: 100\r\n\r\n{{"
    );
    slow_body.write_all(head.as_bytes()).unwrap();
    read_reply(slow_body).expect_error(408, "slow_request", "did not arrive in time");
    still_answers(&server);
}

#[test]
fn half_a_request() {
    let server = TestServer::start();
    let mut stream = connect(server.address);
    let head = format!(
        "POST /v1/tag HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{JSON}Content-Length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    still_answers(&server);
}

#[test]
fn more_connections_than_there_is_room_for() {
    let mut config = config();
    config.max_connections = 4;
    let server = TestServer::with(config, vec![tagger_source()]);
    let idle: Vec<_> = (0..4).map(|_| connect(server.address)).collect();
    let mut refused = connect(server.address);
    let _ = refused.write_all(&request("GET", "/health", "", b""));
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut refused, &mut bytes);
    assert!(bytes.is_empty());
    drop(idle);
    // The places are free again as soon as the server has noticed; until then it closes.
    let answered = (0..10_000).any(|_| {
        let mut stream = connect(server.address);
        let mut bytes = Vec::new();
        let _ = stream.write_all(&request("GET", "/health", "", b""));
        let _ = std::io::Read::read_to_end(&mut stream, &mut bytes);
        bytes.starts_with(b"HTTP/1.1 200")
    });
    assert!(answered);
}
