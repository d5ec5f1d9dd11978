//! `vestnik serve`: the program answers, and signals end it or have it open its models again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

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
        let line = serving.line_with("listening on http://");
        serving.address = line.rsplit("http://").next().unwrap().trim().to_owned();
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

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn post(&self, path: &str, headers: &str, body: &Value) -> (String, Value) {
        let body = body.to_string();
        let answer = self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        (status, serde_json::from_str(body).unwrap())
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

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TEXT: &str = "Мэр Киева Виталий Кличко заявил об этом.";

#[test]
fn an_answer_is_the_line_of_tag() {
    let sandbox = Sandbox::with_model();
    let article = json!({"id": 1, "text": TEXT, "n": 1e3});
    sandbox.write("one.jsonl", article.to_string());
    let mut expected = sandbox.tag("one.jsonl").records().remove(0);
    // Languages are recognised where dumps are read, and not by the server.
    assert!(expected["vestnik"]["lang"].take().is_string());
    expected["vestnik"].as_object_mut().unwrap().remove("lang");
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
}

#[track_caller]
fn check_mistake(ran: &Ran, expected: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
    assert!(ran.stderr.lines().count() <= 3, "{ran}");
}
