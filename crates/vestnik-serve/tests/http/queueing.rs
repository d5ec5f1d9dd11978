//! The queue: batches, back-pressure, clients that go, reloads and the end, each without a lost answer.
//!
//! With a long wait for others to share a batch, texts stay in the queue until something else happens.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use vestnik_serve::{Config, Engine, ModelSource};

use crate::client::{JSON, connect, read_reply, request, send};
use crate::test_server::{TestServer, config, tagger, tagger_source};

const LONG: Duration = Duration::from_secs(600);

/// Texts wait until there are 400 bytes of them.
fn waiting() -> Config {
    let mut config = config();
    config.max_wait = LONG;
    config.batch_tokens = 100;
    config
}

fn document(text: &str) -> Vec<u8> {
    request(
        "POST",
        "/v1/tag",
        JSON,
        json!({"text": text}).to_string().as_bytes(),
    )
}

#[test]
fn texts_of_several_clients_share_a_batch() {
    let server = TestServer::with(waiting(), vec![tagger_source()]);
    let address = server.address;
    let first = thread::spawn(move || send(address, &document("Иван в Киеве")));
    server.wait_for_queue(1);
    // A short text counts as 64 bytes, and these are 336: the budget is full, and not exceeded.
    let second = send(address, &document(&"Maria in Varna. ".repeat(21)));
    assert_eq!((first.join().unwrap().status, second.status), (200, 200));
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("vestnik_batch_texts_sum{model=\"bert\"} 2.0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("vestnik_batch_texts_count{model=\"bert\"} 1"),
        "{metrics}"
    );
}

#[test]
fn answers_do_not_depend_on_who_else_asks() {
    let server = TestServer::with(config(), vec![tagger_source()]);
    let texts: Vec<String> = (0..24)
        .map(|n| format!("Иван Петров {n} приехал в Киев. ").repeat(1 + n % 7))
        .collect();
    let alone: Vec<Value> = texts
        .iter()
        .map(|text| server.post("/v1/tag", &json!({"text": text})).ok())
        .collect();
    let address = server.address;
    let threads: Vec<_> = texts
        .into_iter()
        .map(|text| thread::spawn(move || send(address, &document(&text))))
        .collect();
    let together: Vec<Value> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap().ok())
        .collect();
    assert_eq!(alone, together);
}

#[test]
fn a_full_queue_is_told_with_the_time_to_come_back() {
    let mut config = waiting();
    config.max_client_batch = 2;
    config.max_queue = 2;
    let server = TestServer::with(config, vec![tagger_source()]);
    let address = server.address;
    let first = thread::spawn(move || send(address, &document("Иван")));
    server.wait_for_queue(1);
    let two = json!({"documents": [{"text": "a"}, {"text": "b"}]});
    let refused = server.post("/v1/tag", &two);
    refused.expect_error(429, "overloaded", "too many texts wait");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("vestnik_errors_total{error_type=\"overloaded\"} 1"),
        "{metrics}"
    );
    let last = server.post("/v1/tag", &json!({"text": "Мария в Варне. ".repeat(30)}));
    assert_eq!((last.status, first.join().unwrap().status), (200, 200));
}

#[test]
fn whoever_goes_leaves_the_queue() {
    let server = TestServer::with(waiting(), vec![tagger_source()]);
    let mut gone = connect(server.address);
    gone.write_all(&document("Иван")).unwrap();
    server.wait_for_queue(1);
    drop(gone);
    server.wait_for_queue(0);
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("vestnik_cancelled_texts_total{model=\"bert\"} 1"),
        "{metrics}"
    );
}

#[test]
fn a_request_whose_time_is_over_leaves_the_queue() {
    let mut config = waiting();
    config.request_timeout = Duration::from_millis(50);
    let server = TestServer::with(config, vec![tagger_source()]);
    server
        .post("/v1/tag", &json!({"text": "Иван"}))
        .expect_error(504, "timeout", "not ready in time");
    server.wait_for_queue(0);
}

#[test]
fn a_client_may_give_less_time() {
    let server = TestServer::with(waiting(), vec![tagger_source()]);
    let post = |headers: &str, text: &str| {
        let body = json!({"text": text}).to_string();
        let headers = format!("{JSON}{headers}");
        send(
            server.address,
            &request("POST", "/v1/tag", &headers, body.as_bytes()),
        )
    };
    post("X-Request-Timeout-Ms: 30\r\n", "Иван").expect_error(504, "timeout", "not ready in time");
    server.wait_for_queue(0);
    let enough = "Мария в Варне. ".repeat(30);
    assert_eq!(post("x-request-timeout-ms: 60000\r\n", &enough).status, 200);
    for value in ["", "0", "00", "-1", "+1", "1.5", "soon"] {
        let headers = format!("X-Request-Timeout-Ms: {value}\r\n");
        post(&headers, &enough).expect_error(422, "validation", "X-Request-Timeout-Ms");
    }
}

#[test]
fn no_client_gives_more_time_than_the_server() {
    let mut config = waiting();
    config.request_timeout = Duration::from_millis(50);
    let server = TestServer::with(config, vec![tagger_source()]);
    let headers = format!("{JSON}X-Request-Timeout-Ms: 99999999999999999999999\r\n");
    let late = request("POST", "/v1/tag", &headers, b"{\"text\": \"a\"}");
    send(server.address, &late).expect_error(504, "timeout", "not ready in time");
}

#[test]
fn the_end_waits_for_those_who_wait() {
    let mut server = TestServer::with(waiting(), vec![tagger_source()]);
    let mut streams = Vec::new();
    for n in 0..5 {
        let mut stream = connect(server.address);
        stream.write_all(&document(&format!("Иван {n}"))).unwrap();
        streams.push(stream);
    }
    server.wait_for_queue(5);
    server.ask_to_stop();
    for stream in streams {
        assert_eq!(read_reply(stream).status, 200);
    }
    let address = server.address;
    server.join();
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// A model that has another name each time it is opened, and cannot be opened the third time.
fn changing() -> ModelSource {
    let opened = Arc::new(AtomicUsize::new(0));
    ModelSource::new("changing", move || {
        match opened.fetch_add(1, Ordering::Relaxed) {
            2 => Err("it is broken".into()),
            n => Ok(Engine::from(tagger().with_name(format!("version {n}")))),
        }
    })
}

#[test]
fn a_reload_loses_no_request_and_a_failed_one_changes_nothing() {
    let server = TestServer::with(waiting(), vec![changing()]);
    let model = |reply: &Value| reply["vestnik"]["model"].as_str().unwrap().to_owned();
    let enough = json!({"text": "Мария в Варне. ".repeat(30), "model": "version 0"});
    assert_eq!(model(&server.post("/v1/tag", &enough).ok()), "version 0");

    let address = server.address;
    let before = thread::spawn(move || send(address, &document("Иван")));
    server.wait_for_queue(1);
    server.reload();
    assert_eq!(model(&server.post("/v1/tag", &enough).ok()), "version 1");
    assert_eq!(model(&before.join().unwrap().ok()), "version 1");

    server.reload();
    assert_eq!(model(&server.post("/v1/tag", &enough).ok()), "version 1");
    let metrics = server.get("/metrics").body;
    assert!(
        metrics.contains("vestnik_reloads_total{result=\"failed\"} 1"),
        "{metrics}"
    );
}

#[test]
fn reloads_under_load_lose_nothing() {
    let server = TestServer::with(config(), vec![tagger_source()]);
    let address = server.address;
    let clients: Vec<_> = (0..4)
        .map(|client| {
            thread::spawn(move || {
                (0..20).all(|n| {
                    send(address, &document(&format!("Иван {client} в {n}"))).status == 200
                })
            })
        })
        .collect();
    for _ in 0..3 {
        server.reload();
    }
    assert!(clients.into_iter().all(|client| client.join().unwrap()));
}

#[test]
fn what_was_measured_can_be_read() {
    let server = TestServer::start();
    server
        .post(
            "/v1/tag",
            &json!({"text": "Мэр Киева Виталий Кличко заявил об этом. ".repeat(9)}),
        )
        .ok();
    server.get("/nowhere");
    let metrics = server.get("/metrics");
    assert!(
        metrics
            .head
            .contains("content-type: application/openmetrics-text; version=1.0.0")
    );
    for part in [
        "vestnik_requests_total{method=\"POST\",route=\"/v1/tag\",status=\"200\"} 1",
        "vestnik_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "vestnik_errors_total{error_type=\"not_found\"} 1",
        "vestnik_texts_total{model=\"bert\"} 1",
        "vestnik_windowed_texts_total{model=\"bert\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"queue\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"batch\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"tokenize\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"compute\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"decode\"} 1",
        "vestnik_stage_seconds_count{model=\"bert\",stage=\"render\"} 1",
        "vestnik_entities_total{model=\"bert\",label=",
        "vestnik_queue_texts{model=\"bert\"} 0",
    ] {
        assert!(
            metrics.body.contains(part),
            "{part:?} is not in {}",
            metrics.body
        );
    }
    assert!(metrics.body.ends_with("# EOF\n"));
    // The parts are real, and make the whole.
    let sum = |model: &str, stage: &str| -> f64 {
        let name = format!("vestnik_stage_seconds_sum{{model=\"{model}\",stage=\"{stage}\"}} ");
        let body = server.get("/metrics").body;
        let line = body.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name} in {body}"))
            .parse()
            .unwrap()
    };
    let question = json!({"text": "Матч закончился.", "labels": ["sport", "war"]});
    server.post("/v1/classify", &question).ok();
    for model in ["bert", "nli"] {
        let parts = ["tokenize", "compute", "decode"].map(|stage| sum(model, stage));
        assert!(parts[0] > 0.0 && parts[1] > 0.0, "{model}: {parts:?}");
        let all: f64 = parts.iter().sum();
        assert!(
            (all - sum(model, "batch")).abs() < 1e-6,
            "{model}: {parts:?}"
        );
    }
}
