//! Model directories with one thing broken: one line that says what, exit code 2, and nothing written.
//!
//! A case is a change to the tiny model in `tiny` and a part of the message that must come.

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

mod config;
mod conversion;
mod files;
mod labels;
mod tokenizer;
mod weights;

/// A change to the sandbox with the model `tiny`.
type Change = fn(&Sandbox);

/// What is broken, how to break it, and what must be told.
type Case = (&'static str, Change, &'static str);

const CONFIG: &str = "tiny/config.json";
const WEIGHTS: &str = "tiny/model.safetensors";
const TOKENIZER: &str = "tiny/tokenizer.json";
const TOKENIZER_CONFIG: &str = "tiny/tokenizer_config.json";
const SETTINGS: &str = "tiny/vestnik.json";

/// Neither tagging nor `model info` gets past these.
fn refused(cases: &[Case]) {
    for (name, change, told) in cases {
        let sandbox = broken(*change);
        check_refusal(name, &tag(&sandbox), told);
        check_refusal(name, &sandbox.run("model info tiny"), told);
    }
}

/// Tagging does not get past these; `model info` may still tell what there is.
fn refused_for_tagging(cases: &[Case]) {
    for (name, change, told) in cases {
        let sandbox = broken(*change);
        check_refusal(name, &tag(&sandbox), told);
        let info = sandbox.run("model info tiny");
        assert!(
            info.code < 2 || info.stderr.lines().count() == 1,
            "{name}: {info}"
        );
    }
}

fn broken(change: Change) -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", r#"{"text":"Sofia waits."}"#);
    change(&sandbox);
    sandbox
}

fn tag(sandbox: &Sandbox) -> Ran {
    let ran = sandbox.tag("news.jsonl -o out.jsonl");
    assert!(!sandbox.path("out.jsonl").exists(), "{ran}");
    ran
}

/// Exit code 2, nothing on standard output, and one line beside the one about the device.
fn check_refusal(name: &str, ran: &Ran, told: &str) {
    assert_eq!((ran.code, &*ran.stdout), (2, ""), "{name}: {ran}");
    let lines = ran.stderr.lines();
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("device: ")).collect();
    assert_eq!(lines.len(), 1, "{name}: {ran}");
    assert!(lines[0].starts_with("error: "), "{name}: {ran}");
    assert!(lines[0].contains(told), "{name}: expected {told:?}: {ran}");
    assert!(lines[0].len() < 400, "{name}: the line is too long: {ran}");
}

impl Sandbox {
    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Changes a JSON file, which is made when it is not there.
    fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let there = self.path(name).exists();
        let mut value = if there {
            self.records_of(name)
        } else {
            json!({})
        };
        change(&mut value);
        self.write(name, value.to_string());
    }

    /// Sets a key of the configuration.
    fn configure(&self, key: &str, value: Value) {
        self.edit(CONFIG, |config| config[key] = value);
    }

    fn cut(&self, name: &str, len: usize) {
        let bytes = self.read(name);
        self.write(name, &bytes[..len]);
    }

    /// Changes the header of the weights file; the numbers stay.
    fn edit_header(&self, change: impl FnOnce(&mut Value)) {
        let bytes = self.read(WEIGHTS);
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header = serde_json::from_slice(header).unwrap();
        change(&mut header);
        let header = header.to_string();
        let length = (header.len() as u64).to_le_bytes();
        self.write(WEIGHTS, [&length, header.as_bytes(), numbers].concat());
    }
}

/// A file of the fixtures of vestnik-model.
fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/crates/vestnik-model/tests/fixtures/"
    );
    std::fs::read(format!("{folder}{name}")).unwrap()
}
