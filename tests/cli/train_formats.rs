//! The run files of `docs/runs`, each on a copy of the same data in its format.

use std::path::PathBuf;

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox};

/// What makes a run of `docs/runs` tiny.
const TINY: &str = "--set model.base=../tiny --set max_steps=2 --set windows.max_tokens=20 \
    --set windows.context=4 --device cpu --progress none";

fn run_file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/runs");
    std::fs::read_to_string(path.join(name)).unwrap()
}

/// A sandbox with the corpus of `docs/runs` divided into `parts`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", run_file("news.jsonl"));
    let ran = sandbox.run("data split news.jsonl -o parts --dev 0.25 --seed 1");
    assert_eq!(ran.code, 0, "{ran}");
    sandbox
}

/// Lays the data out as the run file of a format says, each in a folder of its own.
fn lay_out(sandbox: &Sandbox, format: &str) {
    let text = run_file(&format!("{format}.toml"));
    sandbox.write(&format!("{format}/{format}.toml"), &text);
    let config: toml::Table = text.parse().unwrap();
    for part in ["train", "dev"] {
        let path = config[part][0]["path"].as_str().unwrap();
        let out = sandbox.path(&format!("{format}/{path}"));
        std::fs::create_dir_all(out.parent().unwrap()).unwrap();
        let ran = sandbox.run(&format!(
            "data convert parts/{part}.jsonl --to {format} -o {format}/{path}"
        ));
        assert_eq!(ran.code, 0, "{ran}");
    }
}

fn train(sandbox: &Sandbox, format: &str) -> Ran {
    sandbox.run(&format!("train {format}/{format}.toml {TINY}"))
}

/// What the record of a run says of its examples: their hash, and that of the texts and spans of each file.
fn examples(sandbox: &Sandbox, format: &str) -> (String, Vec<Value>) {
    let record = sandbox.records_of(&format!("{format}/{format}/model/run.json"));
    assert_eq!(record["steps"], 2, "{format}");
    let files = record["data"].as_array().unwrap().iter();
    let spans = files.map(|file| file["spans_sha256"].clone()).collect();
    (
        record["examples_sha256"].as_str().unwrap().to_owned(),
        spans,
    )
}

#[test]
fn copies_in_every_format_give_the_same_examples() {
    let sandbox = sandbox();
    let mut found = Vec::new();
    for format in FORMATS {
        lay_out(&sandbox, format);
        let ran = train(&sandbox, format);
        assert_eq!(ran.code, 0, "{format}: {ran}");
        found.push(examples(&sandbox, format));
    }
    let (hash, spans) = &found[0];
    assert_eq!(hash.len(), 64);
    assert!(
        spans
            .iter()
            .all(|hash| hash.as_str().is_some_and(|hash| hash.len() == 64))
    );
    assert_ne!(spans[0], spans[1]);
    for (format, examples) in FORMATS.iter().zip(&found) {
        assert_eq!(examples, &found[0], "{format}");
    }
}

const FORMATS: [&str; 10] = [
    "vestnik",
    "conll",
    "conllu",
    "brat",
    "doccano",
    "label-studio",
    "webanno",
    "hf",
    "parquet",
    "cas",
];

#[test]
fn the_format_of_a_corpus_can_be_named() {
    let sandbox = sandbox();
    lay_out(&sandbox, "conll");
    let text = run_file("conll.toml").replace("format = \"conll\"", "format = \"conl\"");
    sandbox.write("conll/conll.toml", &text);
    let ran = train(&sandbox, "conll");
    assert_eq!(ran.code, 2, "{ran}");
    let known = FORMATS.join(", ");
    assert_eq!(
        ran.stderr,
        format!("error: conll/train.conll: unknown format \"conl\", expected {known}\n")
    );
    // A file whose name says nothing: the format is taken from the run file.
    std::fs::rename(
        sandbox.path("conll/train.conll"),
        sandbox.path("conll/train.jsonl"),
    )
    .unwrap();
    let text = run_file("conll.toml").replace("train.conll", "train.jsonl");
    sandbox.write("conll/conll.toml", text);
    let ran = train(&sandbox, "conll");
    assert_eq!(ran.code, 0, "{ran}");
}
