//! Whatever is sent is answered: with 200, or with a typed error that blames the request.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value};

use crate::client::{JSON, request, send};
use crate::test_server::TestServer;

const ROUTES: [&str; 6] = [
    "/v1/tag",
    "/v1/classify",
    "/predict",
    "/tokenize",
    "/",
    "/v2/models/bert/infer",
];

/// Names that the routes know, so that values get past the first check.
const NAMES: [&str; 24] = [
    "text",
    "documents",
    "tasks",
    "offset_unit",
    "model",
    "targets",
    "labels",
    "template",
    "multi_label",
    "min_score",
    "lang",
    "inputs",
    "parameters",
    "candidate_labels",
    "aggregation_strategy",
    "hypothesis_template",
    "name",
    "shape",
    "datatype",
    "data",
    "start",
    "end",
    "id",
    "add_special_tokens",
];

/// Strings that the routes know, and others.
fn string() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "ner",
        "topic",
        "char",
        "utf16",
        "bert",
        "nli",
        "text",
        "BYTES",
        "{}",
        "simple",
        "none",
        "ru",
        "Иван Петров",
    ]);
    prop_oneof![known.prop_map(str::to_owned), ".{0,12}", "[a-z]{1,3}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..6).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        string().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name = prop_oneof![
            prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
            string()
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An object whose fields have names that the routes know.
fn body() -> impl Strategy<Value = Value> {
    let field = (prop::sample::select(NAMES.to_vec()), value());
    prop::collection::vec(field, 1..6).prop_map(|fields| {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect())
    })
}

fn check(server: &TestServer, route: &str, body: &[u8]) -> Result<(), TestCaseError> {
    let reply = send(server.address, &request("POST", route, JSON, body));
    prop_assert!(
        matches!(reply.status, 200 | 404 | 413 | 422),
        "{route}: {reply:?}"
    );
    let answer: Value = serde_json::from_str(&reply.body)
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(reply.status == 200, answer.get("error_type").is_none());
    Ok(())
}

#[test]
fn any_json_is_answered() {
    let server = TestServer::start();
    let mut runner = TestRunner::new(Config::with_cases(200));
    let cases = (prop::sample::select(ROUTES.to_vec()), body());
    runner
        .run(&cases, |(route, body)| {
            check(&server, route, body.to_string().as_bytes())
        })
        .unwrap();
}

#[test]
fn any_bytes_are_answered() {
    let server = TestServer::start();
    let mut runner = TestRunner::new(Config::with_cases(100));
    let cases = (
        prop::sample::select(ROUTES.to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    runner
        .run(&cases, |(route, body)| check(&server, route, &body))
        .unwrap();
}
