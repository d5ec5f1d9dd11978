//! `vestnik classify`: labels that no training has seen.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, model_fixture};

/// A sandbox with a tiny model of natural language inference in the folder `nli`, and three articles.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_model(&sandbox, "nli", &["contradiction", "neutral", "entailment"]);
    let articles = [
        json!({"id": 1, "text": "Сборная выиграла матч.", "lang": "ru", "n": 1e3}),
        json!({"id": 2, "text": "Kyiv waits for rain. ".repeat(30)}),
        json!({"id": 3, "text": "Матч 👩‍👩‍👧 закончился.", "lang": "xx", "classes": []}),
    ];
    let lines: Vec<String> = articles.iter().map(Value::to_string).collect();
    sandbox.write("news.jsonl", lines.join("\n"));
    sandbox
}

fn write_model(sandbox: &Sandbox, folder: &str, outputs: &[&str]) {
    for file in ["model.safetensors", "tokenizer.json"] {
        sandbox.write(&format!("{folder}/{file}"), model_fixture("bert_seq", file));
    }
    let mut config: Value =
        serde_json::from_slice(&model_fixture("bert_seq", "config.json")).unwrap();
    let names = outputs.iter().enumerate();
    config["id2label"] = names
        .map(|(id, name)| (id.to_string(), json!(name)))
        .collect();
    config["label2id"] = Value::Null;
    sandbox.write(&format!("{folder}/config.json"), config.to_string());
}

fn labels(record: &Value) -> Vec<String> {
    let classes = record["classes"].as_array().unwrap();
    classes
        .iter()
        .map(|class| class["label"].as_str().unwrap().to_owned())
        .collect()
}

fn sum(record: &Value) -> f64 {
    let classes = record["classes"].as_array().unwrap();
    classes
        .iter()
        .map(|class| class["score"].as_f64().unwrap())
        .sum()
}

#[test]
fn every_article_gets_the_labels_with_their_probabilities() {
    let sandbox = sandbox();
    let ran = sandbox.run("classify --model nli --labels спорт,war,weather news.jsonl");
    assert_eq!(ran.code, 0, "{ran}");
    let records = ran.records();
    assert_eq!(records.len(), 3);
    for record in &records {
        let mut found = labels(record);
        found.sort();
        assert_eq!(found, ["war", "weather", "спорт"]);
        assert!((sum(record) - 1.0).abs() < 1e-3, "{record}");
    }
    assert_eq!(records[0]["n"], json!(1e3));
    assert_eq!(records[1]["vestnik"]["model"], "nli");
    assert!(records[1]["vestnik"]["windows"].as_u64().unwrap() > 1);
    assert_eq!(records[0]["vestnik"]["template"], "Этот текст на тему: {}.");
    assert_eq!(records[2]["vestnik"]["template"], "This text is about {}.");
}

#[test]
fn several_labels_may_hold_and_unlikely_ones_are_left_out() {
    let sandbox = sandbox();
    sandbox.write("labels.txt", "\u{feff}arts, culture\r\n\n war \n");
    let ran = sandbox
        .run("classify --model nli --labels-file labels.txt --multi-label news.jsonl -o out.jsonl");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    for record in sandbox.records("out.jsonl") {
        let mut found = labels(&record);
        found.sort();
        assert_eq!(found, ["arts, culture", "war"]);
    }
    let ran = sandbox.run("classify --model nli --labels a,b,c --min-score 0.99 news.jsonl");
    assert!(
        ran.records()
            .iter()
            .all(|record| record["classes"] == json!([])),
        "{ran}"
    );
}

#[test]
fn a_language_can_have_a_template_of_its_own() {
    let sandbox = sandbox();
    let args = ["--template", "About {}!", "--template", "ru=О {}!"];
    let mut command = sandbox.command("classify --model nli --labels a,b news.jsonl");
    let ran = crate::sandbox::Ran::of(command.args(args));
    let templates: Vec<Value> = ran
        .records()
        .iter()
        .map(|record| record["vestnik"]["template"].clone())
        .collect();
    assert_eq!(templates, ["О {}!", "About {}!", "About {}!"], "{ran}");
}

#[test]
fn mistakes_are_told_in_one_line() {
    let sandbox = sandbox();
    write_model(&sandbox, "sport", &["sport", "politics", "weather"]);
    sandbox.write("empty.txt", "\n\n");
    let long = "very ".repeat(60);
    for (args, expected) in [
        ("--model nli --labels a,a", "label \"a\" occurs twice"),
        ("--model nli --labels a,,b", "label 1 is empty"),
        (
            "--model nli --labels-file empty.txt",
            "needs at least one label",
        ),
        (
            "--model nli --labels-file missing.txt",
            "cannot read the labels in missing.txt",
        ),
        ("--model sport --labels a,b", "no entailment among them"),
        ("--labels a,b", "no model was named"),
        (
            "--model nowhere --labels a,b",
            "nowhere: no such model directory",
        ),
    ] {
        let ran = sandbox.run(&format!("classify {args} news.jsonl"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
        assert!(ran.stderr.lines().count() <= 2, "{ran}");
    }
    for (option, value, expected) in [
        ("--template", "no place", "has 0 places {} for a label"),
        ("--template", "{} and {}", "has 2 places {} for a label"),
        ("--labels", long.as_str(), "the hypothesis for the label"),
        ("--labels", "", "label 0 is empty"),
        ("--min-score", "2", "a number from 0 to 1"),
    ] {
        let mut command = sandbox.command("classify --model nli news.jsonl");
        if option != "--labels" {
            command.args(["--labels", "a,b"]);
        }
        let ran = crate::sandbox::Ran::of(command.args([option, value]));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
    }
}
