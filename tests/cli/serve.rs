//! `vestnik serve`: the program answers, and signals end it or have it open its models again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox, model_fixture};

/// The program while it serves; killed when the test is over.
struct Serving {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: String,
}

impl Serving {
    fn start(sandbox: &Sandbox, args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestnik"));
        command
            .current_dir(sandbox.path(""))
            .args(["serve", "--port", "0", "--device", "cpu"])
            .args(args.split_whitespace())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut serving = Self {
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
            address: String::new(),
        };
        let line = serving.line_with("listening on http");
        serving.address = line.rsplit("://").next().unwrap().trim().to_owned();
        serving
    }

    /// The next line of standard error that has this in it.
    fn line_with(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let n_bytes = self.stderr.read_line(&mut line).unwrap();
            seen.push_str(&line);
            assert!(n_bytes > 0, "{part:?} is not in {seen}");
            if line.contains(part) {
                return line;
            }
        }
    }

    fn post(&self, path: &str, headers: &str, body: &Value) -> (String, Value) {
        answer(send(&self.address, &post(path, headers, body)))
    }

    /// A measure of the server.
    fn measure(&self, name: &str) -> f64 {
        let request = "GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        let mut stream = send(&self.address, request);
        stream.read_to_string(&mut answer).unwrap();
        let line = answer.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until a measure is this.
    #[track_caller]
    fn wait_for(&self, name: &str, expected: f64) {
        let begin = Instant::now();
        while self.measure(name) != expected {
            assert!(
                begin.elapsed() < PATIENCE,
                "{name} is {}",
                self.measure(name)
            );
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// The exit code, and what is left of standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// A request that asks for the connection to be closed.
fn post(path: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn send(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Status and body of what comes.
fn answer(mut stream: TcpStream) -> (String, Value) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap())
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The longest that a test waits for the server to get somewhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// Texts that wait, and open connections, among the measures.
const QUEUE: &str = "vestnik_queue_texts{model=\"tiny\"} ";
const CONNECTIONS: &str = "vestnik_connections ";

const TEXT: &str = "Мэр Киева Виталий Кличко заявил об этом.";

#[test]
fn an_answer_is_the_line_of_tag() {
    let sandbox = Sandbox::with_model();
    let article = json!({"id": 1, "text": TEXT, "n": 1e3});
    sandbox.write("one.jsonl", article.to_string());
    let expected = sandbox.tag("one.jsonl").records().remove(0);
    assert!(expected["vestnik"]["lang"].is_string());
    let serving = Serving::start(&sandbox, "--model tiny");
    let (status, found) = serving.post("/v1/tag", "", &article);
    assert_eq!(status, "200");
    assert_eq!(found, expected);
    serving.signal("-TERM");
    let (code, rest) = serving.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(
        rest.contains("/v1/tag") && rest.ends_with("stopped\n"),
        "{rest}"
    );
    assert!(!rest.contains("Кличко"), "{rest}");
}

#[test]
fn several_models_are_called_by_their_names() {
    let sandbox = Sandbox::with_model();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        sandbox.write(&format!("other/{name}"), model_fixture("bert", name));
    }
    let serving = Serving::start(&sandbox, "--model tiny --model other --log-format json");
    for model in ["tiny", "other"] {
        let (_, found) = serving.post("/v1/tag", "", &json!({"text": TEXT, "model": model}));
        assert_eq!(found["vestnik"]["model"], model);
    }
    serving.signal("-INT");
    let (code, rest) = serving.end();
    assert_eq!(code, Some(0));
    let log: Vec<Value> = rest
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(
        log.iter()
            .any(|event| event["route"] == "/v1/tag" && event["status"] == 200),
        "{rest}"
    );
}

#[test]
fn a_hangup_opens_the_models_again() {
    let sandbox = Sandbox::with_model();
    let mut serving = Serving::start(&sandbox, "--model tiny");
    serving.signal("-HUP");
    serving.line_with("reloaded");
    sandbox.write("tiny/config.json", "{");
    serving.signal("-HUP");
    let line = serving.line_with("not reloaded");
    assert!(line.contains("config.json"), "{line}");
    let (status, _) = serving.post("/v1/tag", "", &json!({"text": TEXT}));
    assert_eq!(status, "200");
}

#[test]
fn a_termination_answers_all_who_wait() {
    let sandbox = Sandbox::with_model();
    // Texts wait for company that never comes.
    let serving = Serving::start(
        &sandbox,
        "--model tiny --max-wait-ms 600000 --batch-tokens 1000",
    );
    let alone = json!({"text": TEXT});
    let waiting: Vec<TcpStream> = (0..8)
        .map(|_| send(&serving.address, &post("/v1/tag", "", &alone)))
        .collect();
    serving.wait_for(QUEUE, 8.0);
    serving.signal("-TERM");
    for stream in waiting {
        let (status, found) = answer(stream);
        assert_eq!((status.as_str(), &found["text"]), ("200", &json!(TEXT)));
    }
    let (code, rest) = serving.end();
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.ends_with("stopped\n"), "{rest}");
}

#[test]
fn hangups_under_load_lose_no_request() {
    let sandbox = Sandbox::with_model();
    let serving = Serving::start(&sandbox, "--model tiny --log-level warn");
    let is_over = AtomicBool::new(false);
    let client = || {
        let mut statuses = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let (status, _) = serving.post("/v1/tag", "", &json!({"text": TEXT}));
            statuses.push(status);
        }
        statuses
    };
    let statuses = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        for n_reloads in 1..=3 {
            serving.signal("-HUP");
            serving.wait_for(
                "vestnik_reloads_total{result=\"done\"} ",
                f64::from(n_reloads),
            );
        }
        is_over.store(true, Ordering::Relaxed);
        let statuses = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap());
        statuses.collect::<Vec<String>>()
    });
    assert!(statuses.len() >= 4);
    assert!(
        statuses.iter().all(|status| status == "200"),
        "{statuses:?}"
    );
    serving.signal("-TERM");
    let (code, rest) = serving.end();
    assert_eq!((code, rest.as_str()), (Some(0), "stopped\n"));
}

#[test]
fn clients_that_go_leave_nothing_behind() {
    let sandbox = Sandbox::with_model();
    let serving = Serving::start(
        &sandbox,
        "--model tiny --max-wait-ms 600000 --batch-tokens 1000 --max-connections 64",
    );
    let whole = post(
        "/v1/tag",
        "",
        &json!({"documents": [{"text": TEXT}, {"text": TEXT}]}),
    );
    // What of a request comes before its client goes: a part of the head, all of it, a part of the body, everything.
    let head = whole.find("\r\n\r\n").unwrap() + 4;
    for _ in 0..3 {
        let streams: Vec<TcpStream> = [5, head - 2, head, whole.len() - 9, whole.len()]
            .into_iter()
            .flat_map(|end| (0..4).map(move |_| end))
            .map(|end| {
                let end = whole.floor_char_boundary(end);
                send(&serving.address, &whole[..end])
            })
            .collect();
        serving.wait_for(QUEUE, 8.0);
        drop(streams);
        serving.wait_for(QUEUE, 0.0);
        // The one that asks is still there.
        serving.wait_for(CONNECTIONS, 1.0);
    }
    let enough = json!({"text": TEXT.repeat(70)});
    assert_eq!(serving.post("/v1/tag", "", &enough).0, "200");
    assert_eq!(
        serving.measure("vestnik_cancelled_texts_total{model=\"tiny\"} "),
        24.0
    );
}

#[test]
fn traces_are_appended_to_a_file() {
    let sandbox = Sandbox::with_model();
    sandbox.write("traces.jsonl", "{}\n");
    let serving = Serving::start(&sandbox, "--model tiny --traces traces.jsonl");
    serving.post("/v1/tag", "", &json!({"text": TEXT}));
    let written = String::from_utf8(sandbox.read("traces.jsonl")).unwrap();
    let lines: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[1]["resourceSpans"][0]["scopeSpans"][0]["spans"].is_array(),
        "{written}"
    );
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_makes_it_https() {
    let sandbox = Sandbox::with_model();
    for name in ["cert.pem", "key.pem", "other-key.pem"] {
        sandbox.write(name, certificate(name));
    }
    let mut serving = Serving::start(
        &sandbox,
        "--model tiny --tls-cert cert.pem --tls-key key.pem",
    );
    let mut stream = send(
        &serving.address,
        &post("/v1/tag", "", &json!({"text": TEXT})),
    );
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    sandbox.write("key.pem", certificate("other-key.pem"));
    serving.signal("-HUP");
    let line = serving.line_with("the old one stays");
    assert!(
        line.contains("does not belong to the certificate"),
        "{line}"
    );
    for (args, expected) in [
        (
            "--tls-cert none.pem --tls-key key.pem",
            "none.pem: No such file",
        ),
        (
            "--tls-cert cert.pem --tls-key none.pem",
            "none.pem: No such file",
        ),
        (
            "--tls-cert key.pem --tls-key key.pem",
            "cannot use key.pem: there is no certificate in it",
        ),
        (
            "--tls-cert cert.pem --tls-key cert.pem",
            "cannot use cert.pem: there is no private key in it",
        ),
        (
            "--tls-cert cert.pem --tls-key other-key.pem",
            "cannot use other-key.pem: the private key does not belong",
        ),
        ("--tls-cert cert.pem", "--tls-key"),
    ] {
        let ran = sandbox.run(&format!("serve --model tiny --device cpu {args}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
    }
}

#[cfg(feature = "tls")]
fn certificate(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(
        folder
            .join("crates/vestnik-serve/tests/fixtures/tls")
            .join(name),
    )
    .unwrap()
}

#[test]
fn keys_come_from_a_file() {
    let sandbox = Sandbox::with_model();
    sandbox.write("keys", "# ours\n0123456789abcdef\n");
    let serving = Serving::start(&sandbox, "--model tiny --api-keys keys");
    let body = json!({"text": TEXT});
    assert_eq!(serving.post("/v1/tag", "", &body).0, "401");
    assert_eq!(
        serving
            .post("/v1/tag", "X-API-Key: 0123456789abcdef\r\n", &body)
            .0,
        "200"
    );
}

#[test]
fn mistakes_are_told_before_anything_is_served() {
    let sandbox = Sandbox::with_model();
    sandbox.write("short", "abc\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let port = format!("--model tiny --port {port}");
    for (args, expected) in [
        ("--model nowhere", "nowhere: no such model directory"),
        ("--model tiny --model tiny", "two models are called tiny"),
        (
            "--model tiny --api-keys missing",
            "cannot read the API keys in missing",
        ),
        (
            "--model tiny --api-keys short",
            "a key has at least 16 characters",
        ),
        ("--model tiny --cors-origin *", "is no origin"),
        (
            "--model tiny --traces nowhere/traces.jsonl",
            "cannot write the traces to nowhere/traces.jsonl",
        ),
        (
            "--model tiny --max-queue 3",
            "the limit of texts that wait is 3",
        ),
        (port.as_str(), "cannot listen on 127.0.0.1:"),
    ] {
        let ran = sandbox.run(&format!("serve --device cpu --log-level off {args}"));
        check_mistake(&ran, expected);
        assert!(!ran.stderr.contains("abc"), "{ran}");
    }
    let mut both = sandbox.command("serve --model tiny --api-keys short");
    check_mistake(
        &Ran::of(both.env("VESTNIK_API_KEYS", "0123456789abcdef")),
        "API keys come from two places",
    );
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let mut unreadable = sandbox.command("serve --model tiny");
        let key = std::ffi::OsStr::from_bytes(b"\xff0123456789abcdef");
        check_mistake(
            &Ran::of(unreadable.env("VESTNIK_API_KEYS", key)),
            "VESTNIK_API_KEYS is not UTF-8",
        );
    }
}

#[track_caller]
fn check_mistake(ran: &Ran, expected: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
    assert!(ran.stderr.lines().count() <= 3, "{ran}");
}
