//! `evaluate`: scores, predictions for an outside scorer, mistakes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// Two documents; the second one annotates only PER.
fn gold(sandbox: &Sandbox) {
    let documents = [
        json!({"id": "1", "lang": "en", "text": "Kyiv waits; the “Rada” met in Sofia with O'Neill and many others.",
               "entities": [{"start": 0, "end": 4, "label": "LOC"}, {"start": 30, "end": 35, "label": "LOC"}]}),
        json!({"id": "2", "lang": "bg", "text": "Румен Радев пристигна в София и говори с президента.",
               "entities": [{"start": 0, "end": 11, "label": "PER"}], "annotated": ["PER"]}),
    ];
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    sandbox.write("gold.jsonl", lines.join("\n"));
}

fn evaluate(sandbox: &Sandbox, args: &str) -> crate::sandbox::Ran {
    sandbox.run(&format!(
        "evaluate --model tiny --device cpu --progress none {args}"
    ))
}

#[test]
fn scores_as_json() {
    let sandbox = Sandbox::with_model();
    gold(&sandbox);
    let report = evaluate(&sandbox, "--data gold.jsonl --json")
        .records()
        .remove(0);
    assert_eq!(report["task"], "ner");
    assert_eq!(
        (&report["model"], &report["documents"]),
        (&json!("tiny"), &json!(2))
    );
    for field in ["micro_f1", "macro_f1", "span_only_f1", "seqeval_f1"] {
        assert!(report[field].is_number(), "{field}");
    }
    assert_eq!(
        report["micro"]["tp"].as_u64().unwrap() + report["micro"]["fn"].as_u64().unwrap(),
        3
    );
    assert!(report["per_label"]["LOC"]["f1"].is_number());
    assert!(
        report["per_lang"]
            .as_object()
            .unwrap()
            .keys()
            .eq(["bg", "en"])
    );
}

/// The scorer that many use: exact start, end and label over sets, by id.
fn micro_f1(gold: &[Value], predicted: &[Value]) -> f64 {
    let keys = |record: &Value| -> std::collections::BTreeSet<String> {
        let entities = record["entities"].as_array().unwrap();
        let key = |e: &Value| format!("{} {} {}", e["start"], e["end"], e["label"]);
        entities.iter().map(key).collect()
    };
    let (mut tp, mut all) = (0, 0);
    for gold in gold {
        let predicted = predicted
            .iter()
            .find(|record| record["id"] == gold["id"])
            .unwrap();
        let (gold, predicted) = (keys(gold), keys(predicted));
        tp += gold.intersection(&predicted).count();
        all += gold.len() + predicted.len();
    }
    2.0 * tp as f64 / all as f64
}

#[test]
fn predictions_give_an_outside_scorer_the_same_number() {
    let sandbox = Sandbox::with_model();
    gold(&sandbox);
    // The model's own answers as gold for one document, so that there is something to hit.
    let tagged = sandbox.tag("gold.jsonl").records();
    let mut gold = sandbox.records("gold.jsonl");
    gold[0]["entities"] = tagged[0]["entities"].clone();
    assert!(!gold[0]["entities"].as_array().unwrap().is_empty());
    let lines: Vec<String> = gold.iter().map(Value::to_string).collect();
    sandbox.write("gold.jsonl", lines.join("\n"));

    let ran = evaluate(
        &sandbox,
        "--data gold.jsonl --json --predictions predicted.jsonl",
    );
    let report = ran.records().remove(0);
    let predicted = sandbox.records("predicted.jsonl");
    let f1 = report["micro_f1"].as_f64().unwrap();
    assert!((f1 - micro_f1(&gold, &predicted)).abs() < 1e-12);
    assert!(f1 > 0.0);
    // What the second document does not annotate is not held against the model.
    let labels = predicted[1]["entities"].as_array().unwrap();
    assert!(labels.iter().all(|entity| entity["label"] == "PER"));
    assert_eq!(predicted[0]["text"], gold[0]["text"]);
}

#[test]
fn a_table_for_a_person() {
    let sandbox = Sandbox::with_model();
    gold(&sandbox);
    let ran = evaluate(&sandbox, "--data gold.jsonl");
    let names: Vec<&str> = ran
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    assert_eq!(
        names[..6],
        ["all (strict)", "all (span only)", "LOC", "PER", "bg", "en"],
        "{ran}"
    );
    assert_eq!(ran.stderr, "device: cpu\n");
}

#[test]
fn a_label_that_the_model_does_not_know() {
    let sandbox = Sandbox::with_model();
    let record =
        json!({"id": "7", "text": "Sofia", "entities": [{"start": 0, "end": 5, "label": "EVT"}]});
    sandbox.write("gold.jsonl", record.to_string());
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl"), @r#"
    exit 2
    --- stderr
    error: document "7" has the label "EVT", which the model does not know
    hint: the model knows PER, LOC
    "#);
}

#[test]
fn a_task_without_a_head() {
    let sandbox = Sandbox::with_model();
    gold(&sandbox);
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl --task stance"), @r#"
    exit 2
    --- stderr
    error: the model has no head for the task "stance"
    hint: it has: ner
    "#);
}

#[test]
fn defects_of_the_data_are_told_all() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "one.jsonl",
        r#"{"text":"Sofia","entities":[{"start":0,"end":9,"label":"LOC"}]}"#,
    );
    sandbox.write(
        "two.jsonl",
        "{\"text\":\"Sofia\",\"entities\":[{\"start\":3,\"end\":3,\"label\":\"LOC\"}]}\n{}\n",
    );
    assert_snapshot!(evaluate(&sandbox, "--data one.jsonl two.jsonl missing.jsonl --predictions out.jsonl"), @r#"
    exit 2
    --- stderr
    one.jsonl:1: entities[0] is 0..9, expected at most 5; hint: offsets count Unicode code points, ends exclusive
    two.jsonl:1: entities[0] is empty: 3..3, expected start < end; hint: ends are exclusive
    two.jsonl:2: no field "text", found nothing
    two.jsonl:2: no field "entities", found nothing
    missing.jsonl: no such file or folder
    error: the data have 5 defects
    hint: vestnik data check lists those of a file
    "#);
    assert_snapshot!(evaluate(&sandbox, "--data one.jsonl"), @r#"
    exit 2
    --- stderr
    error: one.jsonl:1: entities[0] is 0..9, expected at most 5; hint: offsets count Unicode code points, ends exclusive
    "#);
    assert_eq!(sandbox.names(), ["one.jsonl", "two.jsonl"]);
}

#[test]
fn data_without_documents() {
    let sandbox = Sandbox::with_model();
    sandbox.write("gold.jsonl", "");
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl"), @r#"
    exit 2
    --- stderr
    error: gold.jsonl: the file is empty, expected at least one record
    "#);
}
