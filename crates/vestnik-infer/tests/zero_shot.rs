//! Zero-shot classification against what the pipeline of transformers answered (`scripts/record_zero_shot.py`).

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use vestnik_infer::{
    Classified, DeviceChoice, Error, HypothesisTemplate, Options, Question, ZeroShot,
};

fn options() -> Options {
    Options::default().with_device(DeviceChoice::Cpu)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name)
}

/// A copy of a fixture whose outputs have these names.
fn named(name: &str, outputs: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    let config = std::fs::read(fixture(name).join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    let names = outputs.iter().enumerate();
    config["id2label"] = names
        .clone()
        .map(|(id, name)| (id.to_string(), json!(name)))
        .collect();
    config["label2id"] = names
        .map(|(id, name)| ((*name).to_owned(), json!(id)))
        .collect();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

const OUTPUTS: [&str; 3] = ["contradiction", "neutral", "entailment"];

fn open(name: &str, options: &Options) -> ZeroShot {
    ZeroShot::from_dir(named(name, &OUTPUTS).path(), options).unwrap()
}

fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zero_shot.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn scores_are_those_of_the_reference() {
    let recorded = recorded();
    let template: HypothesisTemplate = recorded["template"].as_str().unwrap().parse().unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let zero_shot = open(case["model"].as_str().unwrap(), &options());
        let question = Question::new(strings(&recorded["candidates"]), &template)
            .unwrap()
            .with_multi_label(case["multi_label"] == json!(true));
        let text = case["text"].as_str().unwrap();
        let answer = zero_shot
            .classify_batch(&[text], &question)
            .unwrap()
            .remove(0);
        assert_eq!((answer.labels.len(), answer.windows), (3, 1));
        for (label, score) in strings(&case["labels"])
            .iter()
            .zip(case["scores"].as_array().unwrap())
        {
            let (_, own) = answer.labels.iter().find(|(own, _)| own == label).unwrap();
            let difference = (f64::from(*own) - score.as_f64().unwrap()).abs();
            assert!(difference < 2e-6, "{case}: {answer:?}");
        }
    }
}

fn question(labels: &[&str]) -> Question {
    Question::new(labels.to_vec(), &"On {}.".parse().unwrap()).unwrap()
}

#[test]
fn an_answer_does_not_depend_on_the_batch() {
    let long = "Kyiv waits for rain. ".repeat(20);
    let texts = [
        "Kyiv waits.",
        "",
        "Матч 👩‍👩‍👧 закончился вничью.",
        &long,
        " \n ",
    ];
    for multi_label in [false, true] {
        let question = question(&["sport", "war"]).with_multi_label(multi_label);
        let together = open("bert_seq", &options())
            .classify_batch(&texts, &question)
            .unwrap();
        let alone = open("bert_seq", &options().with_batch_tokens(1));
        let alone: Vec<Classified> = texts
            .iter()
            .map(|text| alone.classify_batch(&[text], &question).unwrap().remove(0))
            .collect();
        assert_eq!(together, alone);
        assert!(together[3].windows > 1);
        for answer in &together {
            let sum: f32 = answer.labels.iter().map(|(_, score)| score).sum();
            let of_words = answer.tokens > 0;
            assert_eq!(answer.labels.len(), if of_words { 2 } else { 0 });
            assert!(multi_label || !of_words || (sum - 1.0).abs() < 1e-6);
        }
    }
}

#[test]
fn the_most_probable_label_comes_first() {
    let zero_shot = open("modernbert_seq", &options());
    let labels: Vec<String> = (0..12).map(|n| format!("label {n}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let answers = zero_shot
        .classify_batch(&["Kyiv waits."], &question(&labels))
        .unwrap();
    assert!(answers[0].labels.is_sorted_by(|(_, a), (_, b)| a >= b));
    assert_eq!(answers[0].best().unwrap().0, answers[0].labels[0].0);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let template = HypothesisTemplate::default();
    for labels in [&[][..], &["a", "a"], &["a", ""]] {
        let refused = Question::new(labels.to_vec(), &template);
        assert!(matches!(refused, Err(Error::Core(_))), "{labels:?}");
    }
    let zero_shot = open("bert_seq", &options());
    let long = question(&["sport", &"very ".repeat(40)]);
    let refused = zero_shot.classify_batch(&["Kyiv waits."], &long);
    assert!(matches!(refused, Err(Error::LongHypothesis { tokens, .. }) if tokens > 40));
    assert!(
        zero_shot
            .classify_batch(&[], &question(&["a"]))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_model_without_entailment_is_refused() {
    let refused = ZeroShot::from_dir(fixture("bert_seq"), &options());
    assert!(matches!(refused, Err(Error::NoEntailment { labels }) if labels[0] == "politics"));
    let tagger = ZeroShot::from_dir(fixture("bert"), &options());
    assert!(matches!(tagger, Err(Error::Model(_))));
}
