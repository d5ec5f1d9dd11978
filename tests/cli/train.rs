//! `train` and `pretrain`: a run from its file to a model, mistakes in the run file, resuming.

use insta::assert_snapshot;
use serde_json::json;

use crate::sandbox::{Ran, Sandbox};

const RUN: &str = r#"
seed = 7
epochs = 2
checkpoint_every = 1

[model]
base = "../tiny"
labels = ["PER", "LOC"]

[windows]
max_tokens = 20
context = 4

[batch]
max_tokens = 64
accumulate = 2

[[train]]
path = "train.jsonl"

[[dev]]
path = "dev.jsonl"
"#;

const PRETRAIN: &str = r#"
steps = 8
piece_tokens = 16
dev_pieces = 2
evaluate_every = 4
checkpoint_every = 2

[model]
base = "../tiny"

[batch]
max_tokens = 64

[[text]]
path = "text.jsonl"

[languages]
bg = 2.0
"#;

/// A sandbox with the folder `runs`: run files and data.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let documents: Vec<String> = (0..24).map(document).collect();
    sandbox.write("runs/train.jsonl", documents[..20].join("\n"));
    sandbox.write("runs/dev.jsonl", documents[20..].join("\n"));
    let texts: Vec<String> = (0..40)
        .map(|id| {
            json!({"id": id, "lang": "bg", "text": format!("Kyiv waits {id} and Sofia waits too.")})
                .to_string()
        })
        .collect();
    sandbox.write("runs/text.jsonl", texts.join("\n"));
    sandbox.write("runs/ner.toml", RUN);
    sandbox.write("runs/mlm.toml", PRETRAIN);
    sandbox
}

pub(crate) fn document(id: usize) -> String {
    let (name, place) = (["Anna", "Boris", "Vera"][id % 3], ["Sofia", "Kyiv"][id % 2]);
    let text = format!("{name} lives in {place} and waits for number {id}.");
    let start = name.len() + 10;
    json!({
        "id": id.to_string(),
        "lang": "en",
        "text": text,
        "entities": [
            {"start": 0, "end": name.len(), "label": "PER"},
            {"start": start, "end": start + place.len(), "label": "LOC"},
        ],
    })
    .to_string()
}

pub(crate) fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "train runs/ner.toml --device cpu --progress none {args}"
    ))
}

#[test]
fn a_run_makes_a_model_that_tags() {
    let sandbox = sandbox();
    let ran = train(&sandbox, "");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stderr
    device: cpu
    the model is in runs/ner/model
    the report is in runs/ner/report.html
    "#);
    let record = &sandbox.records_of("runs/ner/model/run.json");
    assert_eq!(record["data"][0]["path"], "train.jsonl");
    assert_eq!(record["data"][0]["records"], 20);
    assert_eq!(record["data"][0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(
        sandbox.records_of("runs/ner/model/vestnik.json")["window"],
        json!({"tokens": 20, "context": 4})
    );
    assert!(
        sandbox
            .records("runs/ner/log.jsonl")
            .iter()
            .any(|event| event["event"] == "evaluation")
    );
    let ran = sandbox.run(
        "evaluate --model runs/ner/model --data runs/dev.jsonl --json --progress none --device cpu",
    );
    let best = record["best"]["measures"]["scores"]["f1"].as_f64().unwrap();
    assert!(
        (ran.records()[0]["micro_f1"].as_f64().unwrap() - best).abs() < 1e-9,
        "{ran}"
    );
}

#[test]
fn pretraining_makes_an_encoder() {
    let sandbox = sandbox();
    let ran = sandbox.run("pretrain runs/mlm.toml --device cpu --progress none");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stderr
    320 tokens in 40 pieces
    device: cpu
    the model is in runs/mlm/model
    the report is in runs/mlm/report.html
    "#);
    let info = sandbox
        .run("model info runs/mlm/model --json")
        .records()
        .remove(0);
    assert_eq!(info["classes"][0], "BertForMaskedLM");
}

#[test]
fn outputs_of_a_run_are_not_overwritten() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "--resume"), @r#"
    exit 2
    --- stderr
    error: runs/ner holds no run to resume
    "#);
    assert_eq!(train(&sandbox, "--set max_steps=1").code, 0);
    assert_snapshot!(train(&sandbox, "--set max_steps=1"), @r#"
    exit 2
    --- stderr
    error: runs/ner already holds a run
    hint: --resume goes on with it, -o names another folder
    "#);
    assert_snapshot!(train(&sandbox, "--resume --set seed=8"), @r#"
    exit 2
    --- stderr
    error: the run file differs from the one of the checkpoint in seed
    hint: put back what changed, or begin anew with -o
    "#);
    assert_snapshot!(train(&sandbox, "-o runs/ner.toml"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml is a file
    hint: name a folder with -o
    "#);
}

/// The key `epoch` is told in one line, with all keys that there are.
#[track_caller]
fn assert_unknown(ran: &Ran, place: &str) {
    let line = format!("error: {place}: unknown field `epoch`, expected one of `seed`, `epochs`, ");
    assert!(ran.code == 2 && ran.stderr.starts_with(&line), "{ran}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
}

#[test]
fn mistakes_in_the_run_file() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.run("train missing.toml"), @r#"
    exit 2
    --- stderr
    error: cannot read the run file missing.toml: No such file or directory (os error 2)
    "#);
    sandbox.write("bad.toml", "seed = 1\nepoch = 2\n");
    assert_unknown(&sandbox.run("train bad.toml"), "bad.toml:2");
    sandbox.write("bad.toml", "seed = \n");
    assert_snapshot!(sandbox.run("train bad.toml"), @r#"
    exit 2
    --- stderr
    error: bad.toml:1: string values must be quoted, expected literal string
    "#);
    assert_snapshot!(train(&sandbox, "--set epochs=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `epochs` is 0, expected at least 1
    "#);
    assert_unknown(
        &train(&sandbox, "--set epoch=1"),
        "runs/ner.toml: override `epoch=1`",
    );
    assert_snapshot!(train(&sandbox, "--set epochs"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `epochs` is not of the form key=value, or leads to no table of the run file (tables are parted by dots, tables of a list are numbered from 0)
    "#);
    assert_snapshot!(train(&sandbox, "--set model.base=nowhere"), @r#"
    exit 2
    --- stderr
    error: runs/nowhere: no such model directory
    "#);
    assert_snapshot!(train(&sandbox, "--set windows.max_tokens=100"), @r#"
    exit 2
    --- stderr
    error: setting `windows.max_tokens` is 100, expected at most 38, what the model reads less two special tokens
    "#);
    assert!(!sandbox.path("runs/ner").exists());
}

#[test]
fn mistakes_in_the_data_are_told_before_training() {
    let sandbox = sandbox();
    sandbox.write("runs/train.jsonl", "{\"text\":\"Sofia\"}\nSofia\n");
    std::fs::remove_file(sandbox.path("runs/dev.jsonl")).unwrap();
    assert_snapshot!(train(&sandbox, ""), @r#"
    exit 2
    --- stderr
    runs/train.jsonl:1: no field "entities", found "text"
    runs/train.jsonl:2: invalid JSON at column 1 (expected value), expected one JSON object
    runs/dev.jsonl: no such file or folder
    error: the data have 3 defects
    hint: vestnik data check lists those of a file
    "#);

    let overlap = json!({"text": "Sofia", "entities": [
        {"start": 0, "end": 5, "label": "LOC"}, {"start": 1, "end": 3, "label": "PER"}]});
    sandbox.write("runs/train.jsonl", overlap.to_string());
    sandbox.write("runs/dev.jsonl", document(1));
    assert_snapshot!(train(&sandbox, ""), @r#"
    exit 2
    --- stderr
    error: runs/train.jsonl:1: the PER "of" overlaps "Sofia", expected entities side by side
    "#);

    let event =
        json!({"id": "9", "text": "Sofia", "entities": [{"start": 0, "end": 5, "label": "EVT"}]});
    sandbox.write("runs/train.jsonl", event.to_string());
    assert_snapshot!(train(&sandbox, ""), @r#"
    exit 2
    --- stderr
    error: the label "EVT" of document 9 is not known to the model, which knows PER, LOC
    hint: name it in model.labels of the run file; vestnik data stats shows the labels of a file
    "#);

    sandbox.write("runs/text.jsonl", "{\"text\":\"\"}\n{}\n");
    assert_snapshot!(sandbox.run("pretrain runs/mlm.toml --device cpu --progress none"), @r#"
    exit 2
    --- stderr
    runs/text.jsonl:1: text is empty, expected some text
    runs/text.jsonl:2: no field "text", found nothing
    error: the data have 2 defects
    hint: vestnik data check lists those of a file
    "#);
    assert!(!sandbox.path("runs/ner").exists());
}

#[test]
fn corpora_and_languages_are_sampled_by_temperature() {
    let sandbox = sandbox();
    let few: Vec<String> = (30..34)
        .map(|id| document(id).replace("\"en\"", "\"mt\""))
        .collect();
    sandbox.write("runs/few.jsonl", few.join("\n"));
    let run = format!("{RUN}\n[[train]]\npath = \"few.jsonl\"\n");
    sandbox.write("runs/ner.toml", run);
    let shares = |args: &str| {
        let ran = sandbox.run(&format!(
            "train runs/ner.toml --device cpu --progress plain --set max_steps=1 {args}"
        ));
        let lines = ran.stderr.lines();
        let told: Vec<&str> = lines.filter(|line| line.contains("of an epoch")).collect();
        told.join("\n")
    };
    assert_snapshot!(shares("-o plain"), @r#"
    corpora of an epoch: train.jsonl 83.3 % (20 drawn from 20), few.jsonl 16.7 % (4 drawn from 4)
    languages of an epoch: en 83.3 % (20 drawn from 20), mt 16.7 % (4 drawn from 4)
    "#);
    assert_snapshot!(shares("-o corpora --set sampling.corpus_temperature=2"), @r#"
    corpora of an epoch: train.jsonl 69.1 % (17 drawn from 20), few.jsonl 30.9 % (7 drawn from 4)
    languages of an epoch: en 69.1 % (17 drawn from 20), mt 30.9 % (7 drawn from 4)
    "#);
    assert_snapshot!(shares("-o languages --set sampling.language_temperature=1000"), @r#"
    corpora of an epoch: train.jsonl 50.0 % (12 drawn from 20), few.jsonl 50.0 % (12 drawn from 4)
    languages of an epoch: en 50.0 % (12 drawn from 20), mt 50.0 % (12 drawn from 4)
    "#);
    assert_snapshot!(train(&sandbox, "--set sampling.corpus_temperature=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `sampling.corpus_temperature` is 0, expected 0.1 to 1000
    "#);
    let record = sandbox.records_of("languages/model/run.json");
    assert_eq!(record["sampling"]["corpora"][1]["name"], "few.jsonl");
}
