//! Runs in which only a part of the model learns.

use std::collections::{BTreeMap, BTreeSet};

use vestnik_model::{Parameters, Place};

use super::*;

/// Settings with which every tensor that learns moves, those that only decay included.
const SETTINGS: [&str; 5] = [
    "max_steps=10",
    "checkpoint_every=3",
    "batch.accumulate=2",
    "optimizer.weight_decay=0.1",
    "optimizer.layer_lr_decay=0.9",
];

fn settings(more: &[&str]) -> RunConfig {
    config(&[&SETTINGS[..], more].concat())
}

/// Weights by name; of a model that shares no tensor with others.
fn weights(parameters: &Parameters) -> BTreeMap<String, Vec<f32>> {
    testing::weights(parameters).into_iter().collect()
}

fn tensor_names(path: &Path) -> BTreeSet<String> {
    crate::files::read_tensors(path)
        .unwrap()
        .into_keys()
        .collect()
}

/// Runs in one go, and in two with a stop between; both must end with the same bits. Gives the trainer of the first.
pub(super) fn check_resuming(config: &RunConfig, out: &Path) -> Trainer {
    let parts_out = tempfile::tempdir().unwrap();
    let data = data(0..40, 40..44);
    let mut whole = trainer(0.1, data.clone(), config, out);
    let (expected, _) = run(&mut whole);

    let mut first = trainer(0.1, data.clone(), config, parts_out.path());
    stop_after(&mut first, 5);
    let mut second = trainer(0.1, data, config, parts_out.path());
    second.resume().unwrap();
    let (found, events) = run(&mut second);
    assert_eq!(steps(&events)[0].step, 6);
    assert_eq!(
        testing::trainable(whole.model().parameters()),
        testing::trainable(second.model().parameters())
    );
    assert_eq!(found.evaluations, expected.evaluations);
    for file in [
        "model/model.safetensors",
        "checkpoint/optimizer.safetensors",
    ] {
        let bytes = |out: &Path| std::fs::read(out.join(file)).unwrap();
        assert!(bytes(out) == bytes(parts_out.path()), "{file}");
    }
    whole
}

#[test]
fn frozen_weights_keep_their_bits_and_the_others_move() {
    let before = weights(testing::tagger(0.1).parameters());
    for freeze in [
        &["freeze.layers=1"][..],
        &["freeze.layers=1", "freeze.embeddings=false"],
        &["freeze.embeddings=true"],
        &["freeze.encoder=true"],
    ] {
        let out = tempfile::tempdir().unwrap();
        let config = settings(freeze);
        let trainer = check_resuming(&config, out.path());
        for (name, values) in weights(trainer.model().parameters()) {
            let is_frozen = config.freeze.covers(Place::of(&name));
            // Softmax does not see the bias of the keys, and the tiny texts have neither a second segment nor 64 tokens.
            let may_stand = name.contains("key.bias");
            assert!(
                (values == before[&name]) == is_frozen || may_stand,
                "{name} under {freeze:?}"
            );
        }
    }
}

#[test]
fn checkpoints_hold_what_learns_and_its_moments() {
    let out = tempfile::tempdir().unwrap();
    let config = settings(&["freeze.layers=1"]);
    let mut trainer = trainer(0.1, data(0..20, 0..0), &config, out.path());
    let (record, _) = run(&mut trainer);
    let checkpoint = out.path().join("checkpoint");
    let learning: BTreeSet<String> = trainer
        .model()
        .parameters()
        .trainable()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(
        tensor_names(&checkpoint.join("trainable.safetensors")),
        learning
    );
    assert!(!checkpoint.join("model.safetensors").exists());
    let moments = tensor_names(&checkpoint.join("optimizer.safetensors"));
    assert_eq!(moments.len(), 1 + 2 * learning.len());
    assert!(record.trainable < record.parameters);
    assert_eq!(
        tensor_names(&out.path().join("model/model.safetensors")).len(),
        trainer.model().parameters().len()
    );
}

#[test]
fn another_base_is_not_resumed_on() {
    let out = tempfile::tempdir().unwrap();
    let config = settings(&["freeze.layers=1"]);
    stop_after(&mut trainer(0.1, data(0..20, 0..0), &config, out.path()), 3);
    let model = testing::tagger(0.1);
    let table = model
        .parameters()
        .get("bert.embeddings.word_embeddings.weight");
    let table = table.unwrap();
    table.set(&(table.as_tensor() * 1.01).unwrap()).unwrap();
    let documents = data(0..20, 0..0);
    let mut other =
        Trainer::new(model, testing::tokenizer(), documents, &config, out.path()).unwrap();
    let error = other.resume().unwrap_err();
    assert!(error.to_string().contains("frozen weights"), "{error}");
}
