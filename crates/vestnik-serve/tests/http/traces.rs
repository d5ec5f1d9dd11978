//! Traces of requests: OTLP JSON, by the names of its fields, and the header of W3C Trace Context.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vestnik_serve::Traces;

use crate::client::{JSON, Reply, request, send};
use crate::test_server::{TestServer, config, tagger_source};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn server() -> (TestServer, Written) {
    let written = Written::default();
    let mut config = config();
    config.traces = Some(Traces::new(written.clone()));
    (TestServer::with(config, vec![tagger_source()]), written)
}

fn post(server: &TestServer, parent: &str, body: &Value) -> Reply {
    let headers = format!("{JSON}traceparent: {parent}\r\n");
    let request = request("POST", "/v1/tag", &headers, body.to_string().as_bytes());
    send(server.address, &request)
}

fn spans(line: &Value) -> &Vec<Value> {
    line["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let mut attributes = span["attributes"].as_array().unwrap().iter();
    let found = attributes.find(|attribute| attribute["key"] == key);
    &found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"]
}

fn nanos(span: &Value, field: &str) -> u128 {
    span[field].as_str().unwrap().parse().unwrap()
}

/// All spans are of the trace, below the first one, and within its time.
fn check_tree(spans: &[Value]) {
    let root = &spans[0];
    let mut ids: Vec<&str> = spans
        .iter()
        .map(|span| span["spanId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    let (begin, end) = (
        nanos(root, "startTimeUnixNano"),
        nanos(root, "endTimeUnixNano"),
    );
    for span in spans {
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
        let (from, to) = (
            nanos(span, "startTimeUnixNano"),
            nanos(span, "endTimeUnixNano"),
        );
        assert!(begin <= from && from <= to && to <= end, "{span} in {root}");
    }
    for span in &spans[1..] {
        assert_eq!(
            (&span["parentSpanId"], &span["kind"]),
            (&root["spanId"], &json!(1))
        );
        assert_eq!(attribute(span, "vestnik.model")["stringValue"], "bert");
    }
}

#[test]
fn a_request_is_a_span_with_its_parts_below_it() {
    let (server, written) = server();
    let reply = post(
        &server,
        PARENT,
        &json!({"documents": [{"text": "Иван"}, {"text": "в Киеве"}]}),
    );
    assert_eq!(reply.status, 200);
    let lines = written.lines();
    assert_eq!(lines.len(), 1);
    let resource = &lines[0]["resourceSpans"][0]["resource"];
    assert_eq!(
        attribute(resource, "service.name")["stringValue"],
        "vestnik"
    );
    assert_eq!(
        lines[0]["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"],
        "vestnik-serve"
    );

    let spans = spans(&lines[0]);
    let root = &spans[0];
    assert_eq!(
        (&root["name"], &root["kind"]),
        (&json!("POST /v1/tag"), &json!(2))
    );
    assert_eq!(root["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(
        attribute(root, "http.request.method")["stringValue"],
        "POST"
    );
    assert_eq!(attribute(root, "http.route")["stringValue"], "/v1/tag");
    assert_eq!(
        attribute(root, "http.response.status_code")["intValue"],
        "200"
    );
    assert_eq!(root["status"], json!({}));
    let answered = format!(
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01",
        root["spanId"].as_str().unwrap()
    );
    assert!(reply.head.contains(&answered), "{reply:?}");

    // Both texts came at once; whether they were read at once is up to the clock.
    let parts: Vec<&str> = spans[1..]
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    assert!(!parts.is_empty());
    for four in parts.chunks(4) {
        assert_eq!(four, ["queue", "tokenize", "compute", "decode"]);
    }
    check_tree(spans);
    let n_texts: u64 = spans[1..]
        .iter()
        .filter(|span| span["name"] == "queue")
        .map(|span| {
            attribute(span, "vestnik.texts")["intValue"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum();
    assert_eq!(n_texts, 2);
    assert!(!lines[0].to_string().contains("Иван"));
}

#[test]
fn only_requests_to_models_that_are_wanted_are_written() {
    let (server, written) = server();
    let body = json!({"text": "Иван"});
    server.get("/health");
    let unwanted = post(&server, &PARENT.replace("-01", "-00"), &body);
    assert!(
        unwanted
            .head
            .contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-")
    );
    assert!(written.lines().is_empty());
    assert_eq!(post(&server, "nonsense", &body).status, 200);
    post(&server, PARENT, &json!({}));
    let lines = written.lines();
    assert_eq!(lines.len(), 2);
    let (fresh, refused) = (&spans(&lines[0])[0], &spans(&lines[1])[0]);
    assert_eq!(fresh["parentSpanId"], "");
    assert_eq!(fresh["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(
        attribute(refused, "error.type")["stringValue"],
        "validation"
    );
    assert_eq!(
        attribute(refused, "http.response.status_code")["intValue"],
        "422"
    );
    assert_eq!(spans(&lines[1]).len(), 1);
}

#[test]
fn without_traces_there_is_no_header() {
    let server = TestServer::with(config(), vec![tagger_source()]);
    let reply = post(&server, PARENT, &json!({"text": "Иван"}));
    assert!(!reply.head.contains("traceparent"), "{reply:?}");
}
