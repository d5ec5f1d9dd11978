//! Weights in several files.

use serde_json::json;

use crate::folder::{Folder, safetensors_file, tensors, values};

const INDEX: &str = "model.safetensors.index.json";

/// The tiny model in two shards: tensors whose names are below `classifier` and the rest.
fn sharded() -> Folder {
    let folder = Folder::new();
    folder.remove("model.safetensors");
    let all = tensors();
    let (first, second): (Vec<_>, Vec<_>) = all.iter().partition(|(name, _)| is_first(name));
    folder.write("a.safetensors", safetensors_file(first));
    folder.write("b.safetensors", safetensors_file(second));
    folder.write(
        INDEX,
        json!({"metadata": {}, "weight_map": weight_map()}).to_string(),
    );
    folder
}

fn is_first(name: &str) -> bool {
    name.starts_with("bert.encoder.")
}

fn weight_map() -> serde_json::Map<String, serde_json::Value> {
    let file = |name: &str| {
        if is_first(name) {
            "a.safetensors"
        } else {
            "b.safetensors"
        }
    };
    let names = tensors().into_keys();
    names
        .map(|name| (name.clone(), json!(file(&name))))
        .collect()
}

fn with_index(index: &serde_json::Value) -> String {
    let folder = sharded();
    folder.write(INDEX, index.to_string());
    folder.refusal()
}

#[test]
fn shards_are_one_model() {
    let (model, report) = sharded().load().unwrap();
    let (whole, _) = Folder::new().load().unwrap();
    assert_eq!(values(&model), values(&whole));
    assert!(report.unused.is_empty(), "{report:?}");
}

#[test]
fn one_file_is_preferred() {
    let folder = Folder::new();
    folder.write(INDEX, "broken");
    assert!(folder.load().is_ok());
}

#[test]
fn a_missing_shard() {
    let folder = sharded();
    folder.remove("b.safetensors");
    assert_eq!(
        folder.refusal(),
        "DIR/model.safetensors.index.json: shard b.safetensors is missing, one of 2; fetch the whole model again"
    );
}

#[test]
fn a_truncated_shard() {
    let folder = sharded();
    let bytes = std::fs::read(folder.path().join("a.safetensors")).unwrap();
    folder.write("a.safetensors", &bytes[..bytes.len() - 1]);
    let refusal = folder.refusal();
    assert!(
        refusal.starts_with("DIR/a.safetensors: the file is truncated: "),
        "{refusal}"
    );
}

#[test]
fn an_index_that_promises_too_much() {
    let mut map = weight_map();
    map.insert("extra".to_owned(), json!("a.safetensors"));
    assert_eq!(
        with_index(&json!({"weight_map": map})),
        "DIR/model.safetensors.index.json: tensor extra is not in a.safetensors, where the index says it is"
    );
    let mut map = weight_map();
    map.insert("classifier.bias".to_owned(), json!("a.safetensors"));
    let refusal = with_index(&json!({"weight_map": map}));
    assert!(
        refusal.contains("tensor classifier.bias is not in a.safetensors"),
        "{refusal}"
    );
}

#[test]
fn a_tensor_in_two_shards() {
    let folder = sharded();
    folder.write("a.safetensors", safetensors_file(&tensors()));
    let refusal = folder.refusal();
    assert!(
        refusal.contains("is in two shards, a.safetensors and b.safetensors"),
        "{refusal}"
    );
}

#[test]
fn indices_that_are_none() {
    for (index, told) in [
        (json!({"weight_map": {}}), "weight_map is empty"),
        (json!({}), "missing field `weight_map`"),
        (json!([]), "not an index of shards"),
        (json!({"weight_map": {"a": 1}}), "not an index of shards"),
        (
            json!({"weight_map": {"a": "../a.safetensors"}}),
            "the plain name of a file",
        ),
        (
            json!({"weight_map": {"a": "/a.safetensors"}}),
            "the plain name of a file",
        ),
        (
            json!({"weight_map": {"a": "sub/a.safetensors"}}),
            "the plain name of a file",
        ),
    ] {
        let refusal = with_index(&index);
        assert!(refusal.contains(told), "{refusal}");
        assert!(
            refusal.starts_with("DIR/model.safetensors.index.json: "),
            "{refusal}"
        );
    }
}
