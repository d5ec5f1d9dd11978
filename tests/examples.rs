//! Every program under `examples/` is run. `cargo test` builds them; for this test alone, `cargo build --examples` does.

#![cfg(feature = "embedded-model")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn example(name: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_vestnik")).parent().unwrap();
    let program = programs.join("examples").join(name);
    assert!(
        program.exists(),
        "{}: not built, `cargo build --examples --all-features` builds it",
        program.display()
    );
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tag_string() {
    let text = output(&mut example("tag_string"));
    assert!(
        text.lines()
            .any(|line| line.starts_with("PER") && line.contains("Чапутова")),
        "{text}"
    );
}

#[test]
fn tag_folder() {
    let text = output(&mut example("tag_folder"));
    assert_eq!(text.lines().count(), 8, "{text}");
    assert!(
        text.lines().all(|line| !line.contains(": 0 names")),
        "{text}"
    );
}

#[test]
fn few_shot() {
    let text = output(&mut example("few_shot"));
    let labels: Vec<&str> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(labels, ["sport", "money"], "{text}");
}

#[test]
fn arrow_batches() {
    let text = output(&mut example("arrow_batches"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("PER") && lines[2].contains("PER"),
        "{text}"
    );
    assert_eq!(lines[1], "row 1: ");
}

#[test]
fn fine_tune() {
    let folder = tempfile::tempdir().unwrap();
    let sentence = "Maria B-PER\nSmith I-PER\nlives O\nin O\nBath B-LOC\n. O\n\n";
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    for name in ["train.conll", "dev.conll"] {
        std::fs::write(path(name), sentence.repeat(4)).unwrap();
    }
    let base = "crates/vestnik-model/tests/fixtures/bert";
    let mut command = example("fine_tune");
    let text = output(
        command
            .arg(base)
            .args(["train.conll", "dev.conll", "run"].map(path)),
    );
    assert!(text.contains("step 1, loss"), "{text}");
    assert!(text.contains("evaluated after step"), "{text}");
    assert!(
        text.lines()
            .last()
            .unwrap()
            .starts_with("the new model finds"),
        "{text}"
    );
    assert!(path("run/model/model.safetensors").exists());
}

#[test]
fn axum_service() {
    let mut child = example("axum_service")
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().rsplit("http://").next().unwrap();
    let body = "Зузана Чапутова приїхала до Києва.";
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /names HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("PER\tЗузана Чапутова"),
        "{answer}"
    );
}
