//! `--aggregation`: every way of grouping, on both tiny models.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const TEXTS: [&str; 4] = [
    "Ивану Петрова сказал: «Мариявский Банк» (Киев) 😀.",
    "Рум\u{306}ен met the “Rada” 👩‍👩‍👧 in Londonом, сказал «Smith».",
    "नमस्ते दिल्ली, שלום ירושלים, 東京 и Нью\u{ad}Йорк.",
    "\u{A0} ☃ \u{200B}",
];
/// A model of parts of speech has no `O`.
const POS: [&str; 5] = ["NOUN", "VERB", "ADP", "PUNCT", "X"];
const GROUPING: [&str; 5] = ["none", "simple", "first", "average", "max"];

/// A sandbox with a tiny model in `tiny` and the texts in `news.jsonl`, each also many times over.
fn sandbox(model: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/vestnik-model/tests/fixtures");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = std::fs::read(fixtures.join(model).join(name)).unwrap();
        sandbox.write(&format!("tiny/{name}"), bytes);
    }
    let texts = TEXTS
        .iter()
        .flat_map(|text| [(*text).to_owned(), text.repeat(9)]);
    let lines: Vec<String> = texts
        .map(|text| json!({"text": text}).to_string())
        .collect();
    sandbox.write("news.jsonl", lines.join("\n"));
    sandbox
}

/// The model's labels in `config.json`, replaced in their order.
fn relabel(sandbox: &Sandbox, labels: [&str; 5]) {
    let mut config = sandbox.records_of("tiny/config.json");
    let names = (0..5).map(|id| (id.to_string(), Value::from(labels[id])));
    config["id2label"] = Value::Object(names.collect());
    let ids = (0..5).map(|id| (labels[id].to_owned(), Value::from(id)));
    config["label2id"] = Value::Object(ids.collect());
    sandbox.write("tiny/config.json", config.to_string());
}

/// Checks the records of a run and gives the labels of their entities.
#[track_caller]
fn check(records: &[Value], way: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for record in records {
        assert_eq!(record["vestnik"]["aggregation"], way);
        let text: Vec<char> = record["text"].as_str().unwrap().chars().collect();
        for entity in record["entities"].as_array().unwrap() {
            let fields = entity.as_object().unwrap().keys();
            assert!(fields.eq(["start", "end", "text", "label", "score"]));
            let at = |field: &str| entity[field].as_u64().unwrap() as usize;
            let name: String = text[at("start")..at("end")].iter().collect();
            assert_eq!(entity["text"], name);
            assert!(!name.is_empty() && name.trim() == name, "{name:?}");
            labels.push(entity["label"].as_str().unwrap().to_owned());
        }
    }
    labels.sort();
    labels.dedup();
    labels
}

#[test]
fn every_way_tags_with_every_model() {
    for model in ["bert", "xlm_roberta"] {
        let sandbox = sandbox(model);
        for way in GROUPING {
            let args = format!("news.jsonl --aggregation {way}");
            let together = sandbox.tag(&args);
            let labels = check(&together.records(), way);
            assert!(!labels.is_empty(), "{model} {way}");
            let has_prefix = labels.iter().all(|label| label.contains('-'));
            assert_eq!(has_prefix, way == "none", "{model} {way} {labels:?}");
            let apart = sandbox.tag(&format!("{args} --batch-tokens 1 --threads 1"));
            assert_eq!(together.stdout, apart.stdout, "{model} {way}");
        }
    }
}

#[test]
fn our_own_decoding_is_the_default() {
    let sandbox = sandbox("bert");
    let default = sandbox.tag("news.jsonl");
    assert!(default.records()[0]["vestnik"].get("aggregation").is_none());
    let named = sandbox.tag("news.jsonl --aggregation viterbi");
    assert_eq!(named.stdout, default.stdout);
    let other = sandbox.tag("news.jsonl --aggregation simple");
    assert_ne!(other.stdout, default.stdout);
}

#[test]
fn a_way_that_is_none() {
    let sandbox = sandbox("bert");
    let ran = sandbox.tag("news.jsonl -o out.jsonl --aggregation median");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: invalid value 'median' for '--aggregation <HOW>': `median` is no aggregation: expected viterbi, none, simple, first, average or max

    For more information, try '--help'.
    "#);
    assert_eq!(sandbox.names(), ["news.jsonl"]);
}

#[test]
fn labels_that_make_no_scheme_can_be_grouped() {
    let sandbox = sandbox("xlm_roberta");
    relabel(&sandbox, POS);
    assert_snapshot!(sandbox.tag("news.jsonl"), @r#"
    exit 2
    --- stderr
    error: the model's labels are no entity tags: no tag "O" among the labels ["NOUN", "VERB", "ADP", "PUNCT", "X"]
    hint: --aggregation simple takes any labels
    "#);
    for way in GROUPING {
        let records = sandbox
            .tag(&format!("news.jsonl --aggregation {way}"))
            .records();
        let labels = check(&records, way);
        assert!(
            labels.iter().all(|label| POS.contains(&label.as_str())),
            "{labels:?}"
        );
    }
    // Two labels that mean the same, and a model of one entity type without prefixes.
    relabel(&sandbox, ["O", "PER", "I-PER", "B-PER", "E-PER"]);
    for way in &GROUPING[1..] {
        let records = sandbox
            .tag(&format!("news.jsonl --aggregation {way}"))
            .records();
        assert_eq!(check(&records, way), ["PER"]);
    }
}

#[test]
fn every_way_is_measured() {
    let sandbox = Sandbox::with_model();
    let gold = json!({"id": "1", "lang": "en", "text": "Kyiv waits; the “Rada” met.",
                      "entities": [{"start": 0, "end": 4, "label": "LOC"}]});
    sandbox.write("gold.jsonl", gold.to_string());
    let evaluate = |way: &str| {
        sandbox.run(&format!(
            "evaluate --model tiny --device cpu --progress none --data gold.jsonl --json --aggregation {way}"
        ))
    };
    for way in &GROUPING[1..] {
        let report = evaluate(way).records().remove(0);
        assert_eq!(
            report["micro"]["tp"].as_u64().unwrap() + report["micro"]["fn"].as_u64().unwrap(),
            1
        );
    }
    assert_snapshot!(evaluate("none"), @r#"
    exit 2
    --- stderr
    error: document "1" has the label "LOC", which the model does not know
    hint: the model knows B-PER, I-PER, B-LOC, I-LOC
    "#);
}
