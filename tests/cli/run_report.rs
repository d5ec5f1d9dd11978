//! What a run leaves behind beside the model: report, model card, event files for TensorBoard.

use std::collections::BTreeSet;

use serde_json::{Value, json};

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

[[train]]
path = "train.jsonl"

[[dev]]
path = "dev.jsonl"
"#;

fn document(id: usize, name: &str) -> String {
    let text = format!("{name} lives in Sofia and waits for number {id}.");
    let start = name.len() + 10;
    json!({"id": id.to_string(), "lang": "bg", "text": text, "entities": [
        {"start": 0, "end": name.len(), "label": "PER"},
        {"start": start, "end": start + 5, "label": "LOC"},
    ]})
    .to_string()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let documents = |names: &[&str]| -> String {
        let lines = (0..12).map(|id| document(id, names[id % names.len()]));
        lines.collect::<Vec<_>>().join("\n")
    };
    sandbox.write("runs/train.jsonl", documents(&["Anna", "Boris"]));
    sandbox.write("runs/dev.jsonl", documents(&["Anna", "Vera"]));
    sandbox.write("runs/ner.toml", RUN);
    sandbox
}

fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "train runs/ner.toml --device cpu --progress none {args}"
    ))
}

fn text(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

#[test]
fn a_run_ends_with_a_report() {
    let sandbox = sandbox();
    let ran = train(&sandbox, "");
    assert_eq!(ran.code, 0, "{ran}");
    let report = sandbox.records_of("runs/ner/report.json");
    let record = sandbox.records_of("runs/ner/model/run.json");
    let overall = &report["evaluation"]["groups"]["overall"][0];
    let best = record["best"]["measures"]["scores"]["f1"].as_f64().unwrap();
    assert!(
        (overall["f1"].as_f64().unwrap() - best).abs() < 1e-9,
        "{overall}"
    );
    assert_eq!(
        report["data"].as_array().unwrap().len(),
        1,
        "only what was measured on"
    );
    let seen: Vec<(&Value, &Value)> = report["evaluation"]["groups"]["seen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["name"], &row["gold"]))
        .collect();
    // Of 12 documents all have Sofia, 6 have Anna, and 6 have Vera, whom the training data do not know.
    let gold = |name: &str| {
        seen.iter()
            .find(|row| row.0 == name)
            .map(|row| row.1.clone())
    };
    assert_eq!(gold("seen in training"), Some(json!(18)), "{seen:?}");
    assert_eq!(gold("not seen in training"), Some(json!(6)), "{seen:?}");
    let steps = report["curves"]["loss"].as_array().unwrap().len() as u64;
    assert_eq!(steps, record["steps"].as_u64().unwrap());
    assert!(report["curves"]["dev_f1"].is_array());
    let page = text(&sandbox, "runs/ner/report.html");
    assert!(page.contains("<polyline") && page.contains("Gradient norm"));

    // The same model and data, afterwards.
    let ran = sandbox.run(
        "evaluate --model runs/ner/model --data runs/dev.jsonl --report later --progress none --device cpu",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let later = sandbox.records_of("later/report.json");
    assert_eq!(
        later["evaluation"]["groups"]["label"],
        report["evaluation"]["groups"]["label"]
    );
    assert_eq!(later["curves"], report["curves"]);
}

#[test]
fn a_run_drafts_a_model_card_and_keeps_an_edited_one() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "").code, 0);
    let card = text(&sandbox, "runs/ner/model/README.md");
    assert!(
        card.starts_with("---\nlanguage:\n- \"bg\"\nlicense: unknown\n"),
        "{card}"
    );
    for part in [
        "pipeline_tag: token-classification",
        "PER, LOC",
        "train.jsonl",
        "| strict |",
        "To be filled in",
    ] {
        assert!(card.contains(part), "{part}\n{card}");
    }
    let sha256 = sandbox.records_of("runs/ner/model/run.json")["data"][0]["sha256"].clone();
    assert!(card.contains(sha256.as_str().unwrap()));

    // A draft is made anew, whatever else happens to it.
    assert_eq!(train(&sandbox, "--resume --set epochs=3").code, 0);
    let updates = sandbox.records_of("runs/ner/model/run.json")["steps"].clone();
    let card = text(&sandbox, "runs/ner/model/README.md");
    assert!(card.contains(&format!("{updates} updates")), "{card}");
    sandbox.write("runs/ner/model/README.md", "My model.");
    assert_eq!(train(&sandbox, "--resume --set epochs=6").code, 0);
    assert_eq!(text(&sandbox, "runs/ner/model/README.md"), "My model.");
}

#[test]
fn a_run_without_dev_data_has_curves_only() {
    let sandbox = sandbox();
    let (run, _) = RUN.split_once("[[dev]]").unwrap();
    sandbox.write("runs/ner.toml", run);
    let ran = train(&sandbox, "");
    assert_eq!(ran.code, 0, "{ran}");
    let report = sandbox.records_of("runs/ner/report.json");
    assert!(report["evaluation"].is_null());
    assert!(report["curves"]["loss"].is_array());
    let card = text(&sandbox, "runs/ner/model/README.md");
    assert!(card.contains("Nothing was measured"), "{card}");
}

const EVENTS: &str = "tensorboard/events.out.tfevents.0.vestnik";

/// Steps and tags of an event file, read as TensorBoard reads it but for the checksums, which are tested on their own.
fn events(bytes: &[u8]) -> Vec<(u64, BTreeSet<String>)> {
    let mut rest = bytes;
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        events.push(event(&rest[12..12 + length]));
        rest = &rest[12 + length + 4..];
    }
    events
}

fn event(message: &[u8]) -> (u64, BTreeSet<String>) {
    let (mut step, mut tags) = (0, BTreeSet::new());
    for (number, value) in fields(message) {
        match (number, value) {
            (2, Field::Number(number)) => step = number,
            (5, Field::Bytes(summary)) => {
                for (_, value) in fields(&summary) {
                    let Field::Bytes(value) = value else { panic!() };
                    let Some((1, Field::Bytes(tag))) = fields(&value).into_iter().next() else {
                        panic!()
                    };
                    tags.insert(String::from_utf8(tag).unwrap());
                }
            }
            _ => {}
        }
    }
    (step, tags)
}

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let size = match key & 7 {
            0 => {
                fields.push((key >> 3, Field::Number(varint(&mut message))));
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut message) as usize,
            other => panic!("wire type {other}"),
        };
        let (bytes, rest) = message.split_at(size);
        fields.push((key >> 3, Field::Bytes(bytes.to_vec())));
        message = rest;
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = message[0];
        *message = &message[1..];
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

#[test]
fn event_files_hold_every_step_once() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "").code, 0);
    let first = events(&sandbox.read(&format!("runs/ner/{EVENTS}")));
    let steps = |events: &[(u64, BTreeSet<String>)]| -> Vec<u64> {
        let of_steps = events.iter().filter(|event| event.1.contains("train/loss"));
        of_steps.map(|event| event.0).collect()
    };
    let made = sandbox.records_of("runs/ner/model/run.json")["steps"]
        .as_u64()
        .unwrap();
    assert_eq!(steps(&first), (1..=made).collect::<Vec<_>>());
    let tags: BTreeSet<&str> = first
        .iter()
        .flat_map(|event| &event.1)
        .map(String::as_str)
        .collect();
    for tag in [
        "train/lr",
        "train/grad_norm",
        "train/tokens_per_second",
        "dev/f1",
        "dev_f1_per_label/PER",
    ] {
        assert!(tags.contains(tag), "{tag}");
    }

    assert_eq!(train(&sandbox, "--resume --set epochs=3").code, 0);
    let resumed = events(&sandbox.read(&format!("runs/ner/{EVENTS}")));
    let made = sandbox.records_of("runs/ner/model/run.json")["steps"]
        .as_u64()
        .unwrap();
    assert_eq!(steps(&resumed), (1..=made).collect::<Vec<_>>());
    assert!(resumed.len() > first.len());
}

#[test]
fn event_files_can_be_turned_off() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "--set tensorboard=false").code, 0);
    assert!(!sandbox.path("runs/ner/tensorboard").exists());
}
