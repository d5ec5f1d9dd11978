//! Pretraining runs on a tiny model.

use std::ops::ControlFlow;

use super::*;
use crate::event::Event;
use crate::testing;

const RUN: &str = r#"
    steps = 10
    piece_tokens = 8
    dev_pieces = 5
    evaluate_every = 4
    checkpoint_every = 3
    [model]
    base = "tiny"
    [batch]
    max_tokens = 60
    accumulate = 2
    [optimizer]
    learning_rate = 1e-2
    [[text]]
    path = "text.jsonl"
"#;

fn config(overrides: &[&str]) -> PretrainConfig {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    PretrainConfig::parse(RUN, &overrides).unwrap()
}

fn data(config: &PretrainConfig) -> PretrainData {
    let mut pieces = Pieces::new(testing::tokenizer(), config.piece_tokens);
    let texts = (0..60).map(|seed| WeightedText {
        text: testing::sentence(seed),
        weight: if seed < 30 { 2.0 } else { 0.5 },
    });
    pieces.add_texts(texts).unwrap();
    PretrainData {
        pieces,
        files: Vec::new(),
    }
}

fn pretrainer(config: &PretrainConfig, out: &Path) -> Pretrainer {
    Pretrainer::new(testing::masked_lm(0.1), data(config), config, out).unwrap()
}

fn run(pretrainer: &mut Pretrainer) -> (RunRecord, Vec<Event>) {
    let mut events = Vec::new();
    let record = pretrainer
        .run(&mut |event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    (record, events)
}

#[test]
fn texts_become_pieces() {
    let config = config(&[]);
    let pieces = data(&config).pieces;
    assert!(pieces.len() > 60);
    assert!((0..pieces.len()).all(|piece| (4..=8).contains(&pieces.length(piece))));
    let tokens: usize = (0..pieces.len()).map(|piece| pieces.length(piece)).sum();
    assert_eq!(tokens, pieces.n_tokens());
    assert_eq!(pieces.weight(0), 2.0);
    assert_eq!(pieces.weight(pieces.len() - 1), 0.5);
}

#[test]
fn pieces_kept_aside_are_not_learnt() {
    let (config, out) = (config(&[]), tempfile::tempdir().unwrap());
    let pretrainer = pretrainer(&config, out.path());
    let dev: Vec<usize> = pretrainer
        .run
        .task
        .dev
        .iter()
        .flat_map(|batch| &batch.origins)
        .map(|origin| origin.0)
        .collect();
    assert_eq!(dev.len(), 5);
    let pieces = &pretrainer.run.task.pieces;
    let sampler = sampler(pieces, &dev, &config);
    for epoch in 0..3 {
        assert!(
            sampler
                .batches(epoch)
                .iter()
                .flatten()
                .all(|piece| !dev.contains(piece))
        );
    }
}

#[test]
fn masks_change_with_every_epoch_and_dev_masks_do_not() {
    let (config, out) = (config(&[]), tempfile::tempdir().unwrap());
    let task = pretrainer(&config, out.path()).run.task;
    assert_ne!(task.batch(&[0, 1, 2], 1), task.batch(&[0, 1, 2], 2));
    assert_eq!(task.batch(&[0, 1, 2], 1), task.batch(&[0, 1, 2], 1));
    let again = pretrainer(&config, out.path()).run.task;
    assert_eq!(task.dev, again.dev);
}

#[test]
fn loss_falls() {
    let (config, out) = (
        config(&["steps=40", "batch.accumulate=1"]),
        tempfile::tempdir().unwrap(),
    );
    let (record, _) = run(&mut pretrainer(&config, out.path()));
    let losses: Vec<f64> = record
        .evaluations
        .iter()
        .map(|event| -event.measures.score())
        .collect();
    assert!(losses[losses.len() - 1] < losses[0] - 0.1, "{losses:?}");
    assert!(out.path().join("model/model.safetensors").exists());
    assert!(out.path().join("model/run.json").exists());
}

#[test]
fn resumed_run_ends_with_the_same_bits() {
    check_resuming(&config(&[]));
}

#[test]
fn resumed_run_of_a_part_of_the_model_ends_with_the_same_bits() {
    check_resuming(&config(&["freeze.layers=1", "gradient_checkpointing=true"]));
    check_resuming(&config(&[
        "lora.rank=2",
        "lora.dropout=0.1",
        "lora.embeddings=true",
        "gradient_checkpointing=true",
    ]));
}

fn check_resuming(config: &PretrainConfig) {
    let [whole_out, parts_out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut whole = pretrainer(config, whole_out.path());
    let (expected, _) = run(&mut whole);
    let mut first = pretrainer(config, parts_out.path());
    let mut stop = |event: &Event| match event {
        Event::Step(step) if step.step == 5 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    first.run(&mut stop).unwrap();
    let mut second = pretrainer(config, parts_out.path());
    second.resume().unwrap();
    let (found, _) = run(&mut second);
    assert_eq!(
        testing::weights(whole.model().parameters()),
        testing::weights(second.model().parameters())
    );
    assert_eq!(
        testing::trainable(whole.model().parameters()),
        testing::trainable(second.model().parameters())
    );
    assert_eq!(found.evaluations, expected.evaluations);
    assert_eq!(found.tokens, expected.tokens);
}

#[test]
fn pieces_longer_than_the_model_are_refused() {
    let (config, out) = (config(&["piece_tokens=63"]), tempfile::tempdir().unwrap());
    let error =
        Pretrainer::new(testing::masked_lm(0.0), data(&config), &config, out.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Setting {
                key: "piece_tokens",
                ..
            }
        ),
        "{error}"
    );
}
