//! The description of the interface says what the server does.

use serde_json::Value;

use crate::client::{JSON, request, send};
use crate::test_server::TestServer;

fn operations(description: &Value) -> Vec<(String, String, &Value)> {
    let paths = description["paths"].as_object().unwrap().iter();
    let of_path = |(path, item): (&String, &'_ Value)| -> Vec<(String, String)> {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| *name != "parameters");
        methods
            .map(|method| (path.clone(), method.clone()))
            .collect()
    };
    let names: Vec<(String, String)> = paths.flat_map(of_path).collect();
    names
        .into_iter()
        .map(|(path, method)| {
            let operation = &description["paths"][&path][&method];
            (path, method.to_uppercase(), operation)
        })
        .collect()
}

fn real(path: &str) -> String {
    path.replace("{model}", "bert").replace("{file}", "page.js")
}

#[test]
fn every_operation_exists_and_its_example_is_answered() {
    let server = TestServer::start();
    let description = server.get("/openapi.json").ok();
    assert_eq!(description["openapi"], "3.1.0");
    let operations = operations(&description);
    assert!(operations.len() > 15);
    for (path, method, operation) in operations {
        let example = operation["requestBody"]["content"]["application/json"]["example"].clone();
        let body = if example.is_null() {
            String::new()
        } else {
            example.to_string()
        };
        let reply = send(
            server.address,
            &request(&method, &real(&path), JSON, body.as_bytes()),
        );
        assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
        let media_types = operation["responses"]["200"]["content"]
            .as_object()
            .unwrap();
        let media_type = media_types.keys().next().unwrap();
        let is_described =
            media_type == "*/*" || reply.head.contains(&format!("content-type: {media_type}"));
        assert!(is_described, "{method} {path}: {reply:?}");
    }
}

#[test]
fn every_route_is_described() {
    let description: Value =
        serde_json::from_str(include_str!("../../src/page/openapi.json")).unwrap();
    let routes = include_str!("../../src/routes/mod.rs");
    let mut n_routes = 0;
    for line in routes
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\""))
    {
        let (path, rest) = line.split_once("\", ").unwrap();
        let method = rest.split('(').next().unwrap();
        assert!(
            description["paths"][path][method].is_object(),
            "{method} {path}"
        );
        n_routes += 1;
    }
    assert_eq!(n_routes, operations(&description).len());
}

#[test]
fn references_lead_somewhere() {
    let text = include_str!("../../src/page/openapi.json");
    let description: Value = serde_json::from_str(text).unwrap();
    let references = text
        .split("\"$ref\": \"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let mut n_references = 0;
    for reference in references {
        assert!(description.pointer(reference).is_some(), "{reference}");
        n_references += 1;
    }
    assert!(n_references > 50);
}

#[test]
fn unknown_routes_and_methods_have_typed_errors() {
    let server = TestServer::start();
    server
        .get("/v1/nothing")
        .expect_error(404, "not_found", "no such route");
    server
        .get("/v1/tag")
        .expect_error(405, "method_not_allowed", "no such method");
    server
        .get("/page/other.js")
        .expect_error(404, "not_found", "no such file");
    server
        .get("/page/..%2f..%2fsecret")
        .expect_error(404, "not_found", "no such file");
    let other = send(server.address, &request("BREW", "/v1/tag", "", b""));
    other.expect_error(405, "method_not_allowed", "no such method");
}

#[test]
fn pages_ask_nobody_else_for_anything() {
    let server = TestServer::start();
    for path in [
        "/",
        "/docs",
        "/page/page.js",
        "/page/page.css",
        "/page/docs.js",
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200);
        assert!(
            reply
                .head
                .contains("content-security-policy: default-src 'none'"),
            "{path}"
        );
        let body = reply.body.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !body.contains("http:") && !body.contains("https:") && !body.contains("//cdn"),
            "{path}"
        );
    }
    for lang in ["bg", "ru", "uk", "en"] {
        assert!(server.get(&format!("/page/sample-{lang}.txt")).body.len() > 500);
    }
}
