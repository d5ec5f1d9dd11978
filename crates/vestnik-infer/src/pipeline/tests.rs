//! Tests on tiny models of random weights.

use std::path::{Path, PathBuf};

use super::*;
use crate::{DeviceChoice, Vestnik};

const TEXTS: [&str; 5] = [
    "Kyiv waits; the “Rada” met 👩‍👩‍👧 in the U.S. with O'Neill.",
    "",
    "Абу-Даби, ЛНР/ДНР, (ООН), 24 Канал: «Газпром», „Рада“.",
    " \n\u{0} ",
    "नमस्ते दिल्ली, שלום ירושלים, 東京 и Нью\u{ad}Йорк. Президент Румен Радев прибыл в Софию и остался там на три дня, \
     потому что самолёт не мог взлететь из-за тумана над городом; в Киеве его ждали до вечера.",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name)
}

fn open(name: &str, batch_tokens: usize) -> Vestnik {
    open_with(name, batch_tokens, Aggregation::Viterbi)
}

fn open_with(name: &str, batch_tokens: usize, aggregation: Aggregation) -> Vestnik {
    let options = Options::default()
        .with_device(DeviceChoice::Cpu)
        .with_batch_tokens(batch_tokens)
        .with_aggregation(aggregation);
    Vestnik::from_dir_with(fixture(name), &options).unwrap()
}

/// Both tiny models, in every way.
fn all_ways() -> impl Iterator<Item = (&'static str, Aggregation)> {
    let of = |name| Aggregation::ALL.map(|aggregation| (name, aggregation));
    ["bert", "xlm_roberta"].into_iter().flat_map(of)
}

#[test]
fn log_softmax_sums_to_one_and_is_stable() {
    let mut row = [0.0; 3];
    log_softmax(&[1000.0, 1000.0, -1000.0], 1.0, &mut row);
    assert!((row[0] - 0.5_f32.ln()).abs() < 1e-6);
    let sum: f32 = row.iter().map(|x| x.exp()).sum();
    assert!((sum - 1.0).abs() < 1e-6);
}

#[test]
fn pipelines_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<NerPipeline>();
    shared::<Vestnik>();
}

#[test]
fn a_result_does_not_depend_on_the_batch() {
    for (name, aggregation) in all_ways() {
        let small = open_with(name, 1, aggregation);
        let large = open_with(name, 4096, aggregation);
        let together = large.ner().unwrap().tag_batch(&TEXTS).unwrap();
        assert!(
            together.iter().any(|tagged| !tagged.entities.is_empty()),
            "{name}"
        );
        let reversed: Vec<&str> = TEXTS.iter().rev().copied().collect();
        let reversed = large.ner().unwrap().tag_batch(&reversed).unwrap();
        for (i, text) in TEXTS.iter().enumerate() {
            let alone = small.ner().unwrap().tag(text).unwrap();
            assert_eq!(together[i], alone, "{name} {aggregation}: {text}");
            let other = &reversed[TEXTS.len() - 1 - i];
            assert_eq!(&together[i], other, "{name} {aggregation}: {text}");
        }
    }
}

#[test]
fn spans_slice_their_text() {
    for (name, aggregation) in all_ways() {
        let vestnik = open_with(name, 64, aggregation);
        for (text, tagged) in TEXTS
            .iter()
            .zip(vestnik.ner().unwrap().tag_batch(&TEXTS).unwrap())
        {
            for entity in tagged.entities {
                let name = entity.span.slice(text).unwrap();
                assert_eq!(name.trim(), name);
                assert!(vestnik.entity_types().unwrap().id(&entity.label).is_some());
                assert!(
                    entity
                        .score
                        .is_some_and(|score| score > 0.0 && score <= 1.0)
                );
            }
        }
    }
}

#[test]
fn a_token_has_the_scores_of_the_window_that_owns_it() {
    let windows = [(0..6, 0..4), (2..9, 4..9)].map(|(tokens, core)| Window { tokens, core });
    let mut logits = vec![0.0; 18];
    for number in [1, 0] {
        // The second logit tells window and token; behind the window are rows of another text.
        let logit = |token: usize| [0.0, (10 * number + token) as f32];
        let read = windows[number].tokens.clone();
        let rows: Vec<f32> = read.chain(70..75).flat_map(logit).collect();
        hand_out(&windows[number], &rows, 2, &mut logits);
    }
    let told = |row: &[f32]| (row[1] - row[0]).round() as usize;
    let told: Vec<usize> = logits.chunks(2).map(told).collect();
    assert_eq!(told, [0, 1, 2, 3, 14, 15, 16, 17, 18]);
}

#[test]
fn a_temperature_moves_scores_and_nothing_else() {
    for (name, aggregation) in all_ways() {
        let vestnik = open_with(name, 4096, aggregation);
        let places = |entities: &[Entity]| -> Vec<(vestnik_core::Span, String)> {
            entities.iter().map(|e| (e.span, e.label.clone())).collect()
        };
        for reading in vestnik.ner().unwrap().read_batch(&TEXTS).unwrap() {
            let raw = vestnik
                .ner()
                .unwrap()
                .decode(&reading, &Calibration::default());
            for temperature in [0.25, 1.5, 8.0] {
                let calibration = Calibration::with_temperature(temperature);
                let scaled = vestnik.ner().unwrap().decode(&reading, &calibration);
                if !matches!(aggregation, Aggregation::Average | Aggregation::Max) {
                    assert_eq!(
                        places(&raw.entities),
                        places(&scaled.entities),
                        "{aggregation}"
                    );
                }
                let surer = raw.entities.iter().zip(&scaled.entities);
                let is_surer = |(raw, scaled): (&Entity, &Entity)| scaled.score > raw.score;
                if aggregation == Aggregation::Simple {
                    // The best label of each token gains from a low temperature, and loses from a high one.
                    assert!(surer.clone().all(is_surer) || temperature > 1.0);
                    assert!(!surer.clone().any(is_surer) || temperature < 1.0);
                }
            }
        }
    }
}

#[test]
fn entities_below_their_least_score_are_dropped() {
    let vestnik = open("bert", 4096);
    let all = vestnik.ner().unwrap().tag_batch(&TEXTS).unwrap();
    let scores = all.iter().flat_map(|tagged| &tagged.entities);
    let middle = f64::from(scores.clone().filter_map(|e| e.score).fold(0.0, f32::max)) - 1e-6;
    let options = Options::default()
        .with_device(DeviceChoice::Cpu)
        .with_min_score(middle);
    let strict = Vestnik::from_dir_with(fixture("bert"), &options).unwrap();
    let kept = strict.ner().unwrap().tag_batch(&TEXTS).unwrap();
    let is_kept = |entity: &&Entity| entity.score.is_some_and(|score| f64::from(score) >= middle);
    for (all, kept) in all.iter().zip(&kept) {
        let expected: Vec<Entity> = all.entities.iter().filter(is_kept).cloned().collect();
        assert_eq!(kept.entities, expected);
        assert_eq!((kept.tokens, kept.windows), (all.tokens, all.windows));
    }
    assert!(kept.iter().any(|tagged| !tagged.entities.is_empty()));
    let error =
        Vestnik::from_dir_with(fixture("bert"), &options.clone().with_min_score(1.5)).unwrap_err();
    assert!(matches!(error, Error::Calibration { .. }), "{error}");
}

#[test]
fn texts_without_words_have_no_windows() {
    let vestnik = open("bert", 64);
    assert_eq!(vestnik.ner().unwrap().tag("").unwrap(), Tagged::default());
    for aggregation in Aggregation::ALL {
        let vestnik = open_with("xlm_roberta", 64, aggregation);
        let blank = vestnik
            .ner()
            .unwrap()
            .tag_batch(&["", " \n\u{A0} "])
            .unwrap();
        assert_eq!(blank, [Tagged::default(), Tagged::default()]);
    }
    assert!(vestnik.analyze_batch(&[]).unwrap().is_empty());
    let blank = vestnik.analyze(" \n ").unwrap();
    assert_eq!((blank.entities.len(), blank.windows), (0, 0));
}

#[test]
fn long_texts_are_read_to_their_end() {
    for aggregation in Aggregation::ALL {
        let vestnik = open_with("bert", 256, aggregation);
        let once = vestnik.analyze(TEXTS[4]).unwrap();
        let text = format!("{}\n", TEXTS[4]).repeat(20);
        let often = vestnik.analyze(&text).unwrap();
        assert_eq!(often.tokens, 20 * once.tokens);
        assert!(often.windows > 20);
        let last = often.entities.last().unwrap();
        assert!(last.span.start() > text.len() * 19 / 20, "{aggregation}");
    }
}

#[test]
fn a_batch_has_room_for_something() {
    let options = Options::default()
        .with_device(DeviceChoice::Cpu)
        .with_batch_tokens(0);
    let error = Vestnik::from_dir_with(fixture("bert"), &options).unwrap_err();
    assert!(matches!(error, Error::BatchTokens));
}

#[test]
fn a_model_has_the_name_of_its_directory() {
    let vestnik = open("bert", 64);
    assert_eq!(vestnik.name(), "bert");
    assert_eq!(vestnik.tasks(), [crate::Task::Ner]);
    assert!(vestnik.entity_types().unwrap().iter().eq(["PER", "LOC"]));
    assert!(vestnik.device().is_cpu());
}

#[cfg(not(feature = "embedded-model"))]
#[test]
fn a_build_without_a_model_says_so() {
    assert!(matches!(Vestnik::embedded(), Err(Error::NotEmbedded)));
}

#[cfg(feature = "embedded-model")]
#[test]
fn the_embedded_model_finds_names() {
    let options = Options::default().with_device(DeviceChoice::Cpu);
    let vestnik = Vestnik::embedded_with(&options).unwrap();
    let text = "Президент Франции Эмманюэль Макрон прибыл в Киев.";
    let analysis = vestnik.analyze(text).unwrap();
    let names: Vec<&str> = analysis
        .entities
        .iter()
        .map(|e| e.span.slice(text).unwrap())
        .collect();
    assert!(names.contains(&"Киев"), "{names:?}");
}
