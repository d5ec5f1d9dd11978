//! Fine-tuning runs on a tiny model: learning, resuming, sampling, errors.

mod adaptation;
mod distillation;
mod events;
mod heads;
mod losses;

use std::ops::ControlFlow;
use std::path::Path;

use vestnik_core::Document;
use vestnik_model::TokenClassifier;

use super::*;
use crate::config::HeadName;
use crate::error::Error;
use crate::event::{Event, FinishReason, Measures, StepEvent};
use crate::ner::{Evaluated, EvaluationOptions, evaluate};
use crate::testing;

const RUN: &str = r#"
    epochs = 5
    [model]
    base = "tiny"
    [windows]
    max_tokens = 12
    context = 2
    [batch]
    max_tokens = 40
    [optimizer]
    learning_rate = 1e-2
    [[train]]
    path = "train.jsonl"
"#;

fn config(overrides: &[&str]) -> RunConfig {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    RunConfig::parse(RUN, &overrides).unwrap()
}

fn documents(seeds: std::ops::Range<u64>) -> Vec<Document> {
    seeds.map(testing::document).collect()
}

fn data(train: std::ops::Range<u64>, dev: std::ops::Range<u64>) -> TrainingData {
    TrainingData {
        train: vec![TrainingCorpus {
            documents: documents(train),
            weight: 1.0,
        }],
        dev: documents(dev),
        ..TrainingData::default()
    }
}

fn trainer(dropout: f64, data: TrainingData, config: &RunConfig, out: &Path) -> Trainer {
    let model = tagger(dropout, config);
    Trainer::new(model, testing::tokenizer(), data, config, out).unwrap()
}

/// The tiny tagger with the head that the run file asks for.
fn tagger(dropout: f64, config: &RunConfig) -> TokenClassifier {
    let model = testing::tagger(dropout);
    match config.model.head {
        Some(HeadName::Crf) => model.with_crf().unwrap(),
        _ => model,
    }
}

/// Runs to the end and returns all events.
fn run(trainer: &mut Trainer) -> (RunRecord, Vec<Event>) {
    let mut events = Vec::new();
    let record = trainer
        .run(&mut |event| {
            events.push(event.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    (record, events)
}

fn steps(events: &[Event]) -> Vec<&StepEvent> {
    let mut steps = Vec::new();
    for event in events {
        if let Event::Step(step) = event {
            steps.push(step);
        }
    }
    steps
}

/// Breaks off after a number of updates.
fn stop_after(trainer: &mut Trainer, last: u64) -> RunRecord {
    let mut on_event = |event: &Event| match event {
        Event::Step(step) if step.step == last => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    trainer.run(&mut on_event).unwrap()
}

/// A run of 60 epochs over one batch: the loss of the last step, and what was measured.
fn learn_by_heart(overrides: &[&str]) -> (f64, Measures) {
    let out = tempfile::tempdir().unwrap();
    let mut all = vec![
        "epochs=60",
        "evaluate_every=60",
        "batch.max_tokens=200",
        "schedule.decay=constant",
        "optimizer.weight_decay=0",
    ];
    all.extend(overrides);
    let mut trainer = trainer(0.0, data(0..12, 0..12), &config(&all), out.path());
    let (record, events) = run(&mut trainer);
    assert_eq!(record.finish, Some(FinishReason::Complete));
    let last = steps(&events).last().unwrap().loss;
    (last, record.best.unwrap().measures)
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let (last, best) = learn_by_heart(&[]);
    assert!(last < 0.02, "{last}");
    assert_eq!(best.score(), 1.0);
    let Measures::Ner(measures) = best else {
        panic!()
    };
    assert_eq!(measures.per_lang.keys().collect::<Vec<_>>(), ["cs", "en"]);
    assert_eq!(
        measures.per_label.keys().collect::<Vec<_>>(),
        ["LOC", "PER"]
    );
}

#[test]
fn resumed_run_ends_with_the_same_bits() {
    check_resumption(&[]);
}

#[test]
fn resumed_run_with_a_crf_ends_with_the_same_bits() {
    check_resumption(&["model.head=crf"]);
}

#[test]
fn resumed_run_with_weights_ends_with_the_same_bits() {
    check_resumption(&[
        "loss.class_weights=\"balanced\"",
        "loss.label_smoothing=0.1",
    ]);
}

fn check_resumption(overrides: &[&str]) {
    let mut all = vec!["max_steps=10", "batch.accumulate=2", "checkpoint_every=3"];
    all.extend(overrides);
    let config = config(&all);
    let data = data(0..40, 40..44);
    let [whole_out, parts_out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut whole = trainer(0.1, data.clone(), &config, whole_out.path());
    let (expected, _) = run(&mut whole);

    let mut first = trainer(0.1, data.clone(), &config, parts_out.path());
    assert_eq!(
        stop_after(&mut first, 5).finish,
        Some(FinishReason::Stopped)
    );
    let mut second = trainer(0.1, data, &config, parts_out.path());
    second.resume().unwrap();
    let (found, events) = run(&mut second);

    assert_eq!(steps(&events)[0].step, 6);
    assert_eq!(
        testing::weights(whole.model().parameters()),
        testing::weights(second.model().parameters())
    );
    assert_eq!(
        (found.steps, found.best, found.evaluations),
        (expected.steps, expected.best, expected.evaluations)
    );
    assert_eq!(
        log_events(whole_out.path(), "step"),
        log_events(parts_out.path(), "step")
    );
}

/// Step number and loss of the log lines of a kind.
fn log_events(out: &Path, kind: &str) -> Vec<(serde_json::Value, serde_json::Value)> {
    let text = std::fs::read_to_string(out.join("log.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter(|line| line["event"] == kind)
        .map(|line| (line["step"].clone(), line["loss"].clone()))
        .collect()
}

#[test]
fn a_kill_between_checkpoints_loses_only_repeated_work() {
    let config = config(&["max_steps=6", "checkpoint_every=2"]);
    let [whole_out, killed_out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut whole = trainer(0.1, data(0..30, 0..0), &config, whole_out.path());
    run(&mut whole);

    // A panic in the callback stands for the kill: nothing is written after step 5.
    let killed = std::panic::catch_unwind(|| {
        let mut trainer = trainer(0.1, data(0..30, 0..0), &config, killed_out.path());
        let _ = trainer.run(&mut |event| match event {
            Event::Step(step) if step.step == 5 => panic!("killed"),
            _ => ControlFlow::Continue(()),
        });
    });
    assert!(killed.is_err());
    let mut resumed = trainer(0.1, data(0..30, 0..0), &config, killed_out.path());
    resumed.resume().unwrap();
    let (_, events) = run(&mut resumed);
    assert_eq!(steps(&events)[0].step, 5);
    assert_eq!(
        testing::weights(whole.model().parameters()),
        testing::weights(resumed.model().parameters())
    );
    assert_eq!(
        log_events(whole_out.path(), "step"),
        log_events(killed_out.path(), "step")
    );
}

#[test]
fn a_kill_before_the_first_checkpoint_can_be_resumed() {
    let config = config(&["max_steps=4", "evaluate_every=2"]);
    let out = tempfile::tempdir().unwrap();
    // The model of the first evaluation is there, the checkpoint that follows is not.
    let killed = std::panic::catch_unwind(|| {
        let mut trainer = trainer(0.1, data(0..30, 30..34), &config, out.path());
        let _ = trainer.run(&mut |event| match event {
            Event::Evaluation(_) => panic!("killed"),
            _ => ControlFlow::Continue(()),
        });
    });
    assert!(killed.is_err() && crate::holds_run(out.path()));
    let mut resumed = trainer(0.1, data(0..30, 30..34), &config, out.path());
    resumed.resume().unwrap();
    let (record, events) = run(&mut resumed);
    assert_eq!((steps(&events)[0].step, record.steps), (1, 4));

    // A finished model whose checkpoint was removed is not trained over.
    for entry in std::fs::read_dir(out.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("checkpoint")
        {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    let mut finished = trainer(0.1, data(0..30, 30..34), &config, out.path());
    assert!(matches!(
        finished.resume(),
        Err(Error::CheckpointMissing { .. })
    ));
}

#[test]
fn same_seed_same_run_other_seed_other_run() {
    let losses = |seed: &str| {
        let out = tempfile::tempdir().unwrap();
        let config = config(&["max_steps=4", seed]);
        let (_, events) = run(&mut trainer(0.1, data(0..30, 0..0), &config, out.path()));
        steps(&events)
            .iter()
            .map(|step| step.loss)
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("seed=7"), losses("seed=7"));
    assert_ne!(losses("seed=7"), losses("seed=8"));
}

#[test]
fn accumulated_batches_equal_one_big_batch() {
    check_accumulation(&[]);
    check_accumulation(&["model.head=crf"]);
    check_accumulation(&["loss.class_weights={O = 0.1, LOC = 3}"]);
}

fn check_accumulation(loss: &[&str]) {
    let weights = |overrides: &[&str]| {
        let out = tempfile::tempdir().unwrap();
        let mut all = vec!["epochs=3", "optimizer.max_grad_norm=0.5"];
        all.extend(loss);
        all.extend(overrides);
        let mut trainer = trainer(0.0, data(0..12, 0..0), &config(&all), out.path());
        let (record, _) = run(&mut trainer);
        assert_eq!(record.steps, 3);
        testing::weights(trainer.model().parameters())
    };
    let big = weights(&["batch.max_tokens=1000"]);
    let small = weights(&["batch.max_tokens=30", "batch.accumulate=100"]);
    for ((name, big), (_, small)) in big.iter().zip(&small) {
        for (a, b) in big.iter().zip(small) {
            assert!((a - b).abs() < 2e-3, "{name}: {a} {b}");
        }
    }
}

#[test]
fn the_rest_of_an_epoch_is_used() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["epochs=1", "batch.max_tokens=14", "batch.accumulate=4"]);
    let mut trainer = trainer(0.0, data(0..11, 0..0), &config, out.path());
    let examples = &trainer.run.task.entities().examples.examples;
    let tokens: usize = examples.iter().map(|example| example.ids.len() + 2).sum();
    let (record, events) = run(&mut trainer);
    let steps = steps(&events);
    assert_eq!(record.tokens, tokens as u64);
    assert_eq!(record.epochs, 1);
    assert!(steps.last().unwrap().tokens < steps[0].tokens);
    assert_eq!(steps.last().unwrap().step, steps[0].total_steps);
}

#[test]
fn exploding_loss_is_an_error_with_its_batch() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["epochs=100"]);
    let mut trainer = trainer(0.0, data(0..30, 0..0), &config, out.path());
    let bias = trainer.model().parameters().get("classifier.bias").unwrap();
    bias.set(&candle_core::Tensor::full(f32::NAN, bias.shape(), bias.device()).unwrap())
        .unwrap();
    let error = trainer.run(&mut |_| ControlFlow::Continue(())).unwrap_err();
    let Error::NotFinite {
        quantity,
        step,
        lr,
        examples,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*quantity, *step), ("loss", 1));
    assert!(*lr > 0.0);
    assert!(examples[0].starts_with('d'), "{examples:?}");
    assert!(error.to_string().contains("NaN in step 1"), "{error}");
}

#[test]
fn patience_ends_a_run_that_stands_still() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&[
        "optimizer.learning_rate=0",
        "evaluate_every=2",
        "patience=2",
        "epochs=50",
    ]);
    let (record, _) = run(&mut trainer(0.0, data(0..10, 10..14), &config, out.path()));
    assert_eq!(record.finish, Some(FinishReason::Patience));
    assert_eq!((record.steps, record.evaluations.len()), (6, 3));
    assert_eq!(record.best.unwrap().step, 2);
}

#[test]
fn finished_run_leaves_a_model_and_its_record() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["max_steps=3", "save_dtype=f16"]);
    let data = TrainingData {
        files: vec![DataFile {
            path: "train.jsonl".into(),
            sha256: "00".into(),
            records: 10,
            spans_sha256: Some("11".into()),
        }],
        ..data(0..10, 10..20)
    };
    let (record, _) = run(&mut trainer(0.0, data, &config, out.path()));
    let folder = out.path().join("model");
    let dir = vestnik_model::ModelDir::open(&folder).unwrap();
    let (model, _) = TokenClassifier::load(&dir, &vestnik_model::Device::Cpu).unwrap();
    assert_eq!(model.labels().len(), 5);
    assert_eq!(dir.tokenizer().unwrap().vocab_size(), 25);
    let written: RunRecord = crate::files::read_json(&folder.join("run.json")).unwrap();
    assert_eq!(written, record);
    assert_eq!(written.data[0].sha256, "00");
    assert_eq!(written.config["schedule"]["warmup"], 0.1);
    let reading = EvaluationOptions::new(config.windows.options());
    let evaluated = evaluate(&model, &testing::tokenizer(), &documents(10..20), &reading).unwrap();
    assert_eq!(evaluated.predictions.len(), 10);
}

#[test]
fn output_of_another_run_is_not_overwritten() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["max_steps=2"]);
    run(&mut trainer(0.0, data(0..10, 0..0), &config, out.path()));
    let mut again = trainer(0.0, data(0..10, 0..0), &config, out.path());
    let error = again.run(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::OutputExists { .. }), "{error}");
}

#[test]
fn resuming_another_run_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let missing = trainer(0.0, data(0..10, 0..0), &config(&[]), out.path())
        .resume()
        .unwrap_err();
    assert!(
        matches!(missing, Error::CheckpointMissing { .. }),
        "{missing}"
    );
    run(&mut trainer(
        0.0,
        data(0..10, 0..0),
        &config(&["max_steps=2"]),
        out.path(),
    ));

    let changed = config(&["max_steps=2", "seed=3", "batch.accumulate=2"]);
    let error = trainer(0.0, data(0..10, 0..0), &changed, out.path())
        .resume()
        .unwrap_err();
    let Error::ConfigChanged { keys } = error else {
        panic!("{error}")
    };
    assert_eq!(keys, ["batch", "seed"]);

    let mut other_data = trainer(
        0.0,
        data(1..11, 0..0),
        &config(&["max_steps=2"]),
        out.path(),
    );
    let error = other_data.resume().unwrap_err();
    assert!(matches!(error, Error::DataChanged { .. }), "{error}");

    let mut longer = trainer(
        0.0,
        data(0..10, 0..0),
        &config(&["max_steps=4"]),
        out.path(),
    );
    longer.resume().unwrap();
    assert_eq!(run(&mut longer).0.steps, 4);
}

#[test]
fn unknown_label_and_empty_data_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let refused = |data: TrainingData, overrides: &[&str]| {
        let (model, tokenizer) = (testing::tagger(0.0), testing::tokenizer());
        Trainer::new(model, tokenizer, data, &config(overrides), out.path()).unwrap_err()
    };
    let mut strange = data(0..3, 0..0);
    let entity = vestnik_core::Entity::new(vestnik_core::Span::new(0, 1).unwrap(), "SHIP");
    strange.train[0].documents[1]
        .set_entities(vec![entity])
        .unwrap();
    let error = refused(strange, &[]);
    assert!(
        error.to_string().contains("SHIP") && error.to_string().contains("d1"),
        "{error}"
    );
    assert!(matches!(
        refused(data(0..0, 0..0), &[]),
        Error::NoExamples { .. }
    ));
    let empty = TrainingData {
        train: vec![TrainingCorpus {
            documents: vec![Document::new("e", "")],
            weight: 1.0,
        }],
        ..TrainingData::default()
    };
    assert!(matches!(refused(empty, &[]), Error::NoExamples { .. }));
    let error = refused(data(0..3, 0..0), &["windows.max_tokens=63"]);
    assert!(
        matches!(
            error,
            Error::Setting {
                key: "windows.max_tokens",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn long_documents_are_measured_whole() {
    let text: Vec<String> = (0..40).map(testing::sentence).collect();
    let long = Document::new("long", text.join(" "));
    let options = EvaluationOptions::new(config(&[]).windows.options());
    let (model, tokenizer) = (testing::tagger(0.0), testing::tokenizer());
    let documents = [long, Document::new("empty", ""), testing::document(3)];
    let evaluated = evaluate(&model, &tokenizer, &documents, &options).unwrap();
    assert_eq!(evaluated.predictions.len(), 3);
    assert!(evaluated.predictions[1].is_empty());
    let one_by_one = EvaluationOptions {
        batch_tokens: 1,
        ..options
    };
    let again = evaluate(&model, &tokenizer, &documents, &one_by_one).unwrap();
    let spans = |found: &Evaluated| -> Vec<Vec<_>> {
        let spans = |entities: &Vec<vestnik_core::Entity>| {
            entities.iter().map(|e| (e.span, e.label.clone())).collect()
        };
        found.predictions.iter().map(spans).collect()
    };
    assert_eq!(spans(&evaluated), spans(&again));
}
