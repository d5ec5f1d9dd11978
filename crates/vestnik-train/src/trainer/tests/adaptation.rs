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
    assert_eq!(moments.len(), 2 + 2 * learning.len());
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

/// Low-rank updates everywhere, with dropout.
const LORA: [&str; 3] = [
    "lora.rank=4",
    "lora.dropout=0.1",
    "lora.targets=[\"query\", \"key\", \"value\", \"output\", \"feed_forward\"]",
];

#[test]
fn low_rank_updates_are_learnt_kept_and_merged() {
    let before = weights(testing::tagger(0.1).parameters());
    let out = tempfile::tempdir().unwrap();
    let trainer = check_resuming(&settings(&LORA), out.path());
    let parameters = trainer.model().parameters();

    // The base keeps its bits; only the updates and the head have moments and stand in checkpoints.
    for (name, values) in weights(parameters) {
        let learns = Place::of(&name) == Place::Head;
        assert_eq!(values != before[&name], learns, "{name}");
    }
    let learning: BTreeSet<String> = parameters
        .trainable()
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(learning.len(), 2 * 6 * 2 + 2);
    let checkpoint = out.path().join("checkpoint");
    assert_eq!(
        tensor_names(&checkpoint.join("trainable.safetensors")),
        learning
    );
    let moments = tensor_names(&checkpoint.join("optimizer.safetensors"));
    assert_eq!(moments.len(), 2 + 2 * learning.len());

    // The finished model is a plain one, and its encoder has changed.
    let path = out.path().join("model/model.safetensors");
    let names: BTreeSet<String> = before.keys().cloned().collect();
    assert_eq!(tensor_names(&path), names);
    let merged = crate::files::read_tensors(&path).unwrap();
    let query = "bert.encoder.layer.1.attention.self.query.weight";
    let query_merged: Vec<f32> = merged[query].flatten_all().unwrap().to_vec1().unwrap();
    assert!(query_merged != before[query]);
}

#[test]
fn the_saved_model_scores_as_the_adapted_one() {
    let out = tempfile::tempdir().unwrap();
    let config = settings(&[&LORA[..], &["freeze.layers=1", "epochs=4"]].concat());
    let mut trainer = trainer(0.0, data(0..40, 40..50), &config, out.path());
    let (record, _) = run(&mut trainer);
    let dir = vestnik_model::ModelDir::open(&out.path().join("model")).unwrap();
    let (model, report) = TokenClassifier::load(&dir, &vestnik_model::Device::Cpu).unwrap();
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    let reading = EvaluationOptions::new(config.windows.options());
    let evaluated = evaluate(&model, &testing::tokenizer(), &documents(40..50), &reading).unwrap();
    let Measures::Ner(measures) = record.best.unwrap().measures else {
        panic!()
    };
    assert_eq!(crate::ner::measures(&evaluated.scores), measures);
}

/// Gradient checkpointing changes nothing but time and memory, alone and with everything else.
#[test]
fn checkpointed_gradients_train_to_the_same_bits() {
    let others: [&[&str]; 3] = [&[], &["freeze.layers=1"], &LORA];
    for others in others {
        let weights = |checkpointing: bool| {
            let out = tempfile::tempdir().unwrap();
            let setting = format!("gradient_checkpointing={checkpointing}");
            let config = settings(&[others, &[setting.as_str()]].concat());
            let mut trainer = trainer(0.1, data(0..40, 0..0), &config, out.path());
            let (_, events) = run(&mut trainer);
            let losses: Vec<f64> = steps(&events).iter().map(|step| step.loss).collect();
            (losses, testing::trainable(trainer.model().parameters()))
        };
        assert_eq!(weights(false), weights(true), "{others:?}");
    }
}

#[test]
fn a_run_goes_on_with_checkpointed_gradients() {
    let out = tempfile::tempdir().unwrap();
    let data = data(0..40, 0..0);
    let plain = settings(&[]);
    let whole_out = tempfile::tempdir().unwrap();
    let mut whole = trainer(0.1, data.clone(), &plain, whole_out.path());
    run(&mut whole);
    stop_after(&mut trainer(0.1, data.clone(), &plain, out.path()), 5);
    let checkpointing = settings(&["gradient_checkpointing=true"]);
    let mut second = trainer(0.1, data, &checkpointing, out.path());
    second.resume().unwrap();
    run(&mut second);
    assert_eq!(
        weights(whole.model().parameters()),
        weights(second.model().parameters())
    );
}
