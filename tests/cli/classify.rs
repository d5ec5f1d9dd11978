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
    let ran = sandbox.run("classify --model nli --labels Москва,Bank,said news.jsonl");
    assert_eq!(ran.code, 0, "{ran}");
    let records = ran.records();
    assert_eq!(records.len(), 3);
    for record in &records {
        let mut found = labels(record);
        found.sort();
        assert_eq!(found, ["Bank", "said", "Москва"]);
        assert!((sum(record) - 1.0).abs() < 1e-3, "{record}");
    }
    assert_eq!(records[0]["n"], json!(1e3));
    assert_eq!(records[1]["vestnik"]["model"], "nli");
    assert!(records[1]["vestnik"]["windows"].as_u64().unwrap() > 1);
    assert_eq!(records[0]["vestnik"]["template"], "Этот текст на тему: {}.");
    assert_eq!(records[2]["vestnik"]["template"], "This text is about {}.");
}

#[test]
fn each_article_that_takes_too_long_is_set_aside_once() {
    let sandbox = sandbox();
    let args = "--labels Bank news.jsonl --progress none --errors aside.jsonl";
    let ran = sandbox.run(&format!(
        "classify --model nli {args} --max-seconds 0.000000001"
    ));
    assert_eq!(ran.code, 2, "{ran}");
    let aside = sandbox.records("aside.jsonl");
    let lines: Vec<&Value> = aside.iter().map(|record| &record["line"]).collect();
    assert_eq!(lines, [1, 2, 3]);
    for record in &aside {
        assert_eq!(
            record["problem"],
            "takes longer than the 0.000000001 s that are allowed for an article"
        );
    }
    std::fs::remove_file(sandbox.path("aside.jsonl")).unwrap();
    let ran = sandbox.run(&format!("classify --model nli {args} --max-seconds 1000"));
    assert_eq!(ran.records().len(), 3);
}

#[test]
fn several_labels_may_hold_and_unlikely_ones_are_left_out() {
    let sandbox = sandbox();
    sandbox.write("labels.txt", "\u{feff}London, Bank\r\n\n said \n");
    let ran = sandbox
        .run("classify --model nli --labels-file labels.txt --multi-label news.jsonl -o out.jsonl");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran}");
    for record in sandbox.records("out.jsonl") {
        let mut found = labels(&record);
        found.sort();
        assert_eq!(found, ["London, Bank", "said"]);
    }
    let ran =
        sandbox.run("classify --model nli --labels London,Bank,said --min-score 0.99 news.jsonl");
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
    let mut command = sandbox.command("classify --model nli --labels London,Bank news.jsonl");
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
    let long = "Bank ".repeat(60);
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
        (
            "--model nli --labels London,スポーツ",
            "the label \"スポーツ\" is unreadable for this model",
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
            command.args(["--labels", "London,Bank"]);
        }
        let ran = crate::sandbox::Ran::of(command.args([option, value]));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(expected), "{expected:?}: {ran}");
    }
}

/// Examples of two labels, `n` of each, that a tiny encoder tells apart.
fn examples(n: usize) -> String {
    let (banks, cities) = (
        ["the Bank", "London Bank", "Bank said"],
        ["Москва", "в Киев", "София"],
    );
    let lines = (0..n).flat_map(|i| {
        let line = |text: &str, label: &str| {
            json!({"text": text.to_owned() + &".".repeat(i / 3), "label": label}).to_string()
        };
        [line(banks[i % 3], "банк"), line(cities[i % 3], "city")]
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn labels_are_learnt_from_examples() {
    let sandbox = Sandbox::with_model();
    sandbox.write("examples.jsonl", examples(8));
    let texts = ["the Bank of London said", "Киев, Москва"];
    let lines: Vec<String> = texts
        .iter()
        .map(|text| json!({"text": text}).to_string())
        .collect();
    sandbox.write("news.jsonl", lines.join("\n"));
    let args = "classify --model tiny --device cpu --progress none news.jsonl";
    let learnt = sandbox.run(&format!(
        "{args} --few-shot examples.jsonl --save-head head.json"
    ));
    assert_eq!(learnt.stderr, "device: cpu\n");
    let records = learnt.records();
    assert_eq!(labels(&records[0])[0], "банк");
    assert_eq!(labels(&records[1])[0], "city");
    assert!((sum(&records[0]) - 1.0).abs() < 1e-3);
    assert_eq!(records[0]["vestnik"]["examples"], 16);
    assert_eq!(records[0]["vestnik"]["model"], "tiny");
    let kept = sandbox.run(&format!("{args} --head head.json"));
    assert_eq!(kept.records(), records);
    let sure = sandbox.run(&format!("{args} --head head.json --min-score 1"));
    assert_eq!(sure.records()[0]["classes"], json!([]));
}

/// Runs with mistakes about examples; each is told in one line.
#[track_caller]
fn check_mistakes(sandbox: &Sandbox, cases: &[(&str, &str)]) {
    sandbox.write("news.jsonl", json!({"text": "London"}).to_string());
    for (args, expected) in cases {
        let args = format!("classify --device cpu news.jsonl --model tiny {args}");
        let ran = sandbox.run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args}: {ran}");
        let told = ran.stderr.lines().any(|line| line.starts_with(expected));
        assert!(told, "{args}: {ran}");
    }
}

#[test]
fn examples_have_to_be_sound() {
    let sandbox = Sandbox::with_model();
    let defect = |line: Value| format!("{}\n{line}", examples(8));
    for (name, lines) in [
        ("one", json!({"text": "London", "label": "a"}).to_string()),
        ("none", String::new()),
        ("number", defect(json!({"text": "London", "label": 7}))),
        ("without", defect(json!({"text": "London"}))),
        ("empty", defect(json!({"text": "London", "label": ""}))),
        ("blank", defect(json!({"text": " ", "label": "a"}))),
        ("broken", "London".to_owned()),
    ] {
        sandbox.write(&format!("{name}.jsonl"), lines);
    }
    check_mistakes(
        &sandbox,
        &[
            (
                "--few-shot nowhere.jsonl",
                "error: nowhere.jsonl: no such file or folder",
            ),
            (
                "--few-shot none.jsonl",
                "error: none.jsonl: the file is empty",
            ),
            (
                "--few-shot one.jsonl",
                "error: examples: those of at least two labels are needed",
            ),
            (
                "--few-shot number.jsonl",
                "error: number.jsonl:17: label is a number, expected a string",
            ),
            (
                "--few-shot without.jsonl",
                "error: without.jsonl:17: no field \"label\", found \"text\"",
            ),
            (
                "--few-shot empty.jsonl",
                "error: empty.jsonl:17: label is empty, expected a label",
            ),
            (
                "--few-shot blank.jsonl",
                "error: blank.jsonl:17: text is empty, expected some text",
            ),
            (
                "--few-shot broken.jsonl",
                "error: broken.jsonl:1: invalid JSON",
            ),
        ],
    );
}

#[test]
fn ways_of_classifying_exclude_each_other() {
    let sandbox = Sandbox::with_model();
    sandbox.write("good.jsonl", examples(8));
    sandbox.write("head.json", "{}");
    check_mistakes(
        &sandbox,
        &[
            (
                "--few-shot good.jsonl --labels a,b",
                "error: the argument '--",
            ),
            (
                "--few-shot good.jsonl --head head.json",
                "error: the argument '--",
            ),
            ("--save-head x.json --labels a", "error: the argument '--"),
        ],
    );
}

#[test]
fn heads_belong_to_their_model() {
    let sandbox = Sandbox::with_model();
    write_model(&sandbox, "other", &["a", "b", "c"]);
    sandbox.write("news.jsonl", json!({"text": "London"}).to_string());
    sandbox.write("few.jsonl", examples(3));
    sandbox.write("head.json", "{}");
    let few =
        "classify --device cpu --model tiny news.jsonl --few-shot few.jsonl --save-head kept.json";
    let few = sandbox.run(few);
    let note = "note: fewer than 8 examples of city (3), банк (3)";
    assert!(few.code == 0 && few.stderr.contains(note), "{few}");
    check_mistakes(
        &sandbox,
        &[
            (
                "--head head.json",
                "error: head.json: the classifier is not understood",
            ),
            (
                "--head nowhere.json",
                "error: cannot read the head nowhere.json",
            ),
            (
                "--few-shot few.jsonl --save-head kept.json",
                "error: kept.json exists",
            ),
        ],
    );
    let other = sandbox.run("classify --device cpu --model other --head kept.json news.jsonl");
    let expected = "error: kept.json: the classifier was fitted to another model, \"tiny\"";
    assert!(
        other.code == 2 && other.stderr.contains(expected),
        "{other}"
    );
}

#[test]
fn what_has_no_place_for_classes_is_refused() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\n");
    for place in [
        "-o out.csv",
        "-o out --output-format brat",
        "-o o.jsonl --entities-table t.csv",
    ] {
        let ran = sandbox.run(&format!(
            "classify news.jsonl --model tiny --labels a,b {place}"
        ));
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains("has no place for classes"), "{ran}");
        assert_eq!(sandbox.names(), ["news.jsonl"]);
    }
}
