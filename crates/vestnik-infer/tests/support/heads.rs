//! A tiny model with three heads: the token classifier of a fixture, with heads for topics and stances of fixed numbers.

#![allow(dead_code, reason = "some tests need only a part")]

use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// Topics of the model.
pub(crate) const TOPICS: [&str; 3] = ["politics", "sport", "weather"];
/// Outputs of the head for stances.
pub(crate) const STANCES: [&str; 3] = ["against", "neutral", "favour"];

/// What `vestnik.json` says of the model.
pub(crate) const SETTINGS: &str = r#"{"format_version":1,"window":{"tokens":30,"context":4},"heads":[
 {"task":"topic","reads":"text","labels":["politics","sport","weather"]},
 {"task":"stance","reads":"span","labels":["against","neutral","favour"]}]}"#;

/// Writes the model into a folder; `fixture` is a token classifier of `hidden` wide states.
pub(crate) fn write_model(fixture: &Path, folder: &Path, hidden: usize) {
    write_heads(fixture, folder, hidden, TOPICS.len());
    fs::write(folder.join("vestnik.json"), SETTINGS).unwrap();
}

/// Writes the model into a folder, without a `vestnik.json`; the head for topics has `n_topics` outputs.
pub(crate) fn write_heads(fixture: &Path, folder: &Path, hidden: usize, n_topics: usize) {
    fs::create_dir_all(folder).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(fixture.join(file), folder.join(file)).unwrap();
    }
    let weights = fs::read(fixture.join("model.safetensors")).unwrap();
    let fixture = SafeTensors::deserialize(&weights).unwrap();
    let heads = [
        ("topic", hidden, n_topics),
        ("stance", 3 * hidden, STANCES.len()),
    ];
    let numbers: Vec<(String, Vec<usize>, Vec<u8>)> = heads
        .iter()
        .flat_map(|&(task, inputs, outputs)| {
            [
                tensor(task, "dense.weight", &[hidden, inputs]),
                tensor(task, "dense.bias", &[hidden]),
                tensor(task, "classifier.weight", &[outputs, hidden]),
                tensor(task, "classifier.bias", &[outputs]),
            ]
        })
        .collect();
    let heads = numbers.iter().map(|(name, shape, bytes)| {
        (
            name.clone(),
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let all: Vec<(String, TensorView<'_>)> = fixture
        .iter()
        .map(|(name, view)| (name.to_owned(), view))
        .chain(heads)
        .collect();
    let bytes = safetensors::serialize(all, None).unwrap();
    fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

/// Numbers between -0.5 and 0.5 that follow from the name.
fn tensor(task: &str, part: &str, shape: &[usize]) -> (String, Vec<usize>, Vec<u8>) {
    let name = format!("heads.{task}.{part}");
    let mut state = name.bytes().fold(7_u64, |state, byte| {
        state.wrapping_mul(31) + u64::from(byte)
    });
    let values = (0..shape.iter().product()).flat_map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 24) as f32 - 0.5).to_le_bytes()
    });
    let bytes = values.collect();
    (name, shape.to_vec(), bytes)
}
