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
    path = "often.jsonl"
    weight = 2.0
    [[text]]
    path = "seldom.jsonl"
    weight = 0.5
"#;

fn config(overrides: &[&str]) -> PretrainConfig {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    PretrainConfig::parse(RUN, &overrides).unwrap()
}

/// The texts of the two files.
fn texts(file: usize) -> impl Iterator<Item = SourceText> {
    (30 * file as u64..30 + 30 * file as u64).map(|seed| SourceText {
        text: testing::sentence(seed),
        lang: (!seed.is_multiple_of(3)).then(|| "en".to_owned()),
    })
}

fn file(number: usize) -> TextFile {
    TextFile {
        name: format!("file{number}"),
        sha256: format!("{number:064}"),
    }
}

fn pieces_in(config: &PretrainConfig, caches: &Path) -> Pieces {
    let mut pieces = Pieces::new(testing::tokenizer(), config.piece_tokens, caches).unwrap();
    for number in 0..2 {
        if pieces.add_cached(&file(number)) == Cached::Missing {
            let mut writer = pieces.write(&file(number)).unwrap();
            writer.add_texts(texts(number)).unwrap();
            writer.finish().unwrap();
            let added = pieces.add_cached(&file(number));
            assert_eq!(added, Cached::Added { texts: 30 });
        }
    }
    pieces
}

fn data(config: &PretrainConfig) -> PretrainData {
    let caches = tempfile::tempdir().unwrap();
    PretrainData {
        // The files stay mapped when the folder is gone.
        pieces: pieces_in(config, caches.path()),
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
    assert_eq!(pieces.origin(0), (0, 0));
    assert_eq!(pieces.origin(pieces.len() - 1).0, 1);
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

/// The way before there were caches: all pieces in memory, in the order of the texts.
#[test]
fn cached_pieces_are_those_of_the_texts() {
    let config = config(&[]);
    let found = data(&config).pieces;
    let tokenizer = testing::tokenizer();
    let mut expected = Vec::new();
    for (number, text) in (0..2).flat_map(|number| texts(number).map(move |text| (number, text))) {
        let tokens = cutting::Tokens::of(&tokenizer, &text.text).unwrap();
        for piece in tokens.pieces(config.piece_tokens) {
            let ids = tokens.ids[piece.clone()].to_vec();
            expected.push((
                number,
                text.lang.clone(),
                ids,
                tokens.word_starts[piece].to_vec(),
            ));
        }
    }
    let languages: Vec<Vec<Option<String>>> = found.languages().map(<[_]>::to_vec).collect();
    let found: Vec<_> = (0..found.len())
        .map(|piece| {
            let (source, language) = found.origin(piece);
            let (ids, word_starts) = found.piece(piece);
            (
                source,
                languages[source][language].clone(),
                ids,
                word_starts,
            )
        })
        .collect();
    assert_eq!(found, expected);
}

/// Recorded when pieces came to lie in caches; runs then ended with the weights of runs that held them in memory.
#[test]
fn batches_stay_what_they_were() {
    use sha2::{Digest, Sha256};
    let (config, out) = (config(&[]), tempfile::tempdir().unwrap());
    let pretrainer = pretrainer(&config, out.path());
    let pieces = &pretrainer.run.task.pieces;
    let mut hash = Sha256::new();
    for batch in &pretrainer.run.task.dev {
        hash.update(format!("{:?} {:?}\n", batch.ids, batch.labels));
    }
    let dev: Vec<usize> = dev_pieces(pieces, &config);
    let sampler = sampler(pieces, &dev, &config);
    for epoch in 0..3 {
        for batch in sampler.batches(epoch) {
            let masked = pretrainer.run.task.batch(&batch, epoch);
            hash.update(format!("{batch:?} {:?} {:?}\n", masked.ids, masked.labels));
        }
    }
    assert_eq!(
        format!("{:x}", hash.finalize()),
        "53c12f7df3bf1146d5b674e11cecc30d26fabcc97dd750e77f58df253275747c"
    );
}

#[test]
fn a_cache_is_made_once_and_again_when_it_is_damaged() {
    let (config, caches) = (config(&[]), tempfile::tempdir().unwrap());
    let first = pieces_in(&config, caches.path());
    let mut again = Pieces::new(testing::tokenizer(), config.piece_tokens, caches.path()).unwrap();
    for number in 0..2 {
        assert_eq!(again.add_cached(&file(number)), Cached::Added { texts: 30 });
    }
    assert_eq!((first.digest(), first.len()), (again.digest(), again.len()));

    let folder = std::fs::read_dir(caches.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let ids = folder.join("ids");
    let mut bytes = std::fs::read(&ids).unwrap();
    bytes[3] ^= 4;
    std::fs::remove_file(&ids).unwrap();
    std::fs::write(&ids, bytes).unwrap();
    let mut damaged =
        Pieces::new(testing::tokenizer(), config.piece_tokens, caches.path()).unwrap();
    let found: Vec<Cached> = (0..2)
        .map(|number| damaged.add_cached(&file(number)))
        .collect();
    let problem = found.iter().find_map(|cached| match cached {
        Cached::Damaged { problem, .. } => Some(problem.as_str()),
        _ => None,
    });
    assert_eq!(
        problem,
        Some("ids is not as it was written (its SHA-256 differs)")
    );
}

#[test]
fn a_cache_of_something_else_is_not_taken() {
    let (config, caches) = (config(&[]), tempfile::tempdir().unwrap());
    pieces_in(&config, caches.path());
    let mut longer = Pieces::new(testing::tokenizer(), 9, caches.path()).unwrap();
    assert_eq!(longer.add_cached(&file(0)), Cached::Missing);
    let place = |tokens: usize| {
        let pieces = Pieces::new(testing::tokenizer(), tokens, caches.path()).unwrap();
        pieces.place(&file(0)).1
    };
    std::fs::rename(place(8), place(9)).unwrap();
    let Cached::Damaged { path, problem } = longer.add_cached(&file(0)) else {
        panic!("a foreign cache was taken")
    };
    assert_eq!(
        (path, problem.as_str()),
        (place(9), "it was made of something else")
    );
}

#[test]
fn a_cache_that_is_not_finished_leaves_nothing() {
    let (config, caches) = (config(&[]), tempfile::tempdir().unwrap());
    let pieces = Pieces::new(testing::tokenizer(), config.piece_tokens, caches.path()).unwrap();
    let mut writer = pieces.write(&file(0)).unwrap();
    writer.add_texts(texts(0)).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(caches.path()).unwrap().count(), 0);
}

#[test]
fn languages_with_a_temperature_are_seen_by_the_root_of_their_size() {
    let (config, out) = (
        config(&["sampling.language_temperature=2"]),
        tempfile::tempdir().unwrap(),
    );
    let pretrainer = pretrainer(&config, out.path());
    let pieces = &pretrainer.run.task.pieces;
    let sampler = sampler(pieces, &dev_pieces(pieces, &config), &config);
    let [en, und] = sampler.sampling.languages.as_slice() else {
        panic!("{:?}", sampler.sampling)
    };
    assert_eq!((en.name.as_str(), und.name.as_str()), ("en", "und"));
    assert!(en.examples > und.examples);
    // Within what rounding to whole examples takes.
    let drawn: usize = sampler.batches(0).iter().map(Vec::len).sum();
    assert!((drawn as f64 - (en.per_epoch + und.per_epoch)).abs() < 3.0);
    let plain = config_shares(&[]);
    assert!(und.share > plain, "{} {plain}", und.share);
}

/// The share of the texts without a language.
fn config_shares(overrides: &[&str]) -> f64 {
    let config = config(overrides);
    let pieces = data(&config).pieces;
    let sampler = sampler(&pieces, &dev_pieces(&pieces, &config), &config);
    sampler.sampling.languages[1].share
}
