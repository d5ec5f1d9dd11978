//! Tests on a tiny model of random weights.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use tempfile::TempDir;
use vestnik_core::{Document, Entity, Span};

use super::*;
use crate::{Aggregation, DeviceChoice, NerPipeline, Options, Vestnik};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures/bert")
}

fn open(dir: &Path) -> Vestnik {
    Vestnik::from_dir_with(dir, &Options::default().with_device(DeviceChoice::Cpu)).unwrap()
}

/// The tiny model with its outputs multiplied.
fn sharpened(factor: f64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json"] {
        fs::copy(fixture().join(name), dir.path().join(name)).unwrap();
    }
    let weights = "model.safetensors";
    let tensors = candle_core::safetensors::load(fixture().join(weights), &Device::Cpu).unwrap();
    let scale = |(name, tensor): (String, Tensor)| {
        let factor = if name.starts_with("classifier.") {
            factor
        } else {
            1.0
        };
        (name, (tensor * factor).unwrap())
    };
    let scaled: HashMap<String, Tensor> = tensors.into_iter().map(scale).collect();
    candle_core::safetensors::save(&scaled, dir.path().join(weights)).unwrap();
    dir
}

/// Texts that the model annotates itself; every fourth is annotated with what it finds in another text.
fn documents(pipeline: &NerPipeline) -> Vec<Document> {
    let places = ["Sofia", "Kyiv", "Rada", "Нью-Йорк", "Газпром"];
    let text = |n: usize| {
        format!(
            "{} {n} met {} in {}.",
            places[n % 5],
            places[n / 5 % 5],
            places[n / 3 % 5]
        )
    };
    let annotated = |n: usize| {
        let mut document = Document::new(n.to_string(), text(n));
        let source = if n.is_multiple_of(4) {
            text(n + 1)
        } else {
            text(n)
        };
        let found = pipeline.tag(&source).unwrap().entities.into_iter();
        let fitting = |e: &Entity| e.span.slice(document.text()).is_ok();
        let bare = found
            .filter(fitting)
            .map(|e| Entity::new(e.span, e.label))
            .collect();
        document.set_entities(bare).unwrap();
        document
    };
    (0..80).map(annotated).collect()
}

/// Leaves the surer half of the entities annotated.
fn only_sure(vestnik: &Vestnik, mut documents: Vec<Document>) -> Vec<Document> {
    let found: Vec<Vec<Entity>> = documents
        .iter()
        .map(|document| vestnik.analyze(document.text()).unwrap().entities)
        .collect();
    let mut scores: Vec<f32> = found.iter().flatten().filter_map(|e| e.score).collect();
    scores.sort_by(f32::total_cmp);
    let middle = scores[scores.len() / 2];
    for (document, mut found) in documents.iter_mut().zip(found) {
        found.retain(|entity| entity.score >= Some(middle));
        document.set_entities(found).unwrap();
    }
    documents
}

fn fit(vestnik: &Vestnik, documents: &[Document]) -> Fit {
    let mut calibrator = Calibrator::new(vestnik.ner().unwrap()).unwrap();
    for chunk in documents.chunks(7) {
        calibrator.add(&chunk.iter().collect::<Vec<_>>()).unwrap();
    }
    calibrator.fit()
}

#[test]
fn a_model_that_is_too_sure_gets_a_temperature() {
    let (plain, sure) = (open(&fixture()), sharpened(3.0));
    let sure = open(sure.path());
    let documents = documents(plain.ner().unwrap());
    let (plain_fit, sure_fit) = (fit(&plain, &documents), fit(&sure, &documents));
    let ratio = sure_fit.calibration.temperature / plain_fit.calibration.temperature;
    assert!((ratio - 3.0).abs() < 0.01, "{ratio}");
    assert!(sure_fit.loss_after < sure_fit.loss_before);
    assert!((sure_fit.loss_after - plain_fit.loss_after).abs() < 1e-4);
    assert!(sure_fit.words > 400);
}

#[test]
fn least_scores_raise_f1_and_rare_labels_have_none() {
    let vestnik = open(&fixture());
    let documents = only_sure(&vestnik, documents(vestnik.ner().unwrap()));
    let found = fit(&vestnik, &documents);
    let right = |calibration: &Calibration, label: &str| {
        let (mut tp, mut all) = (0, 0);
        for document in &documents {
            let tagged = vestnik
                .ner()
                .unwrap()
                .read_batch(&[document.text()])
                .unwrap();
            let found = vestnik
                .ner()
                .unwrap()
                .decode(&tagged[0], calibration)
                .entities;
            let of = |entities: &[Entity]| -> Vec<_> {
                let of_label = entities.iter().filter(|e| e.label == label);
                of_label.map(|e| e.span).collect()
            };
            let (gold, found) = (of(document.entities()), of(&found));
            tp += found.iter().filter(|span| gold.contains(span)).count();
            all += gold.len() + found.len();
        }
        (2 * tp) as f64 / all as f64
    };
    let raw = Calibration::default();
    assert!(!found.calibration.min_scores.is_empty());
    for label in found.calibration.min_scores.keys() {
        assert!(
            right(&found.calibration, label) > right(&raw, label),
            "{label}"
        );
        assert!(!found.rare.contains(label));
    }
    let few = fit(&vestnik, &documents[..6]);
    assert!(few.calibration.min_scores.is_empty());
    assert!(!few.rare.is_empty());
}

#[test]
fn a_calibration_of_the_model_is_applied() {
    let dir = sharpened(1.0);
    let settings = |calibration: &str| {
        let json = format!(
            "{{\"format_version\":1,\"window\":{{\"tokens\":38,\"context\":4}},\"calibration\":{calibration}}}"
        );
        fs::write(dir.path().join("vestnik.json"), json).unwrap();
        Vestnik::from_dir_with(
            dir.path(),
            &Options::default().with_device(DeviceChoice::Cpu),
        )
    };
    let text = "Kyiv waits; the Rada met in Sofia with O'Neill and Газпром.";
    let raw = settings("{}").unwrap().analyze(text).unwrap().entities;
    let cold = settings("{\"temperature\":0.5}")
        .unwrap()
        .analyze(text)
        .unwrap()
        .entities;
    assert_eq!(raw.len(), cold.len());
    assert!(
        raw.iter()
            .zip(&cold)
            .all(|(raw, cold)| raw.span == cold.span && raw.score < cold.score)
    );
    let none = settings("{\"min_scores\":{\"PER\":1,\"LOC\":1.0}}").unwrap();
    assert_eq!(none.analyze(text).unwrap().entities, []);
    assert!(!raw.is_empty());

    let message = |calibration: &str| settings(calibration).unwrap_err().to_string();
    assert_eq!(
        message("{\"temperature\":0}"),
        "calibration: temperature is 0, expected a number above 0"
    );
    assert_eq!(
        message("{\"min_scores\":{\"EVT\":0.5}}"),
        "calibration: min_scores has the label \"EVT\", the model knows PER, LOC"
    );
}

#[test]
fn only_the_default_grouping_is_calibrated() {
    let options = Options::default().with_device(DeviceChoice::Cpu);
    let options = options.with_aggregation(Aggregation::Simple);
    let vestnik = Vestnik::from_dir_with(fixture(), &options).unwrap();
    let error = Calibrator::new(vestnik.ner().unwrap()).unwrap_err();
    assert!(matches!(error, crate::Error::CalibrationAggregation { .. }));
}

fn entity(label: &str, score: f32) -> Entity {
    Entity::new(Span::new(0, 1).unwrap(), label).with_score(score)
}

#[test]
fn entities_below_the_least_score_of_their_label_are_dropped() {
    let calibration = Calibration {
        min_scores: [("PER".to_owned(), 0.5)].into(),
        ..Calibration::default()
    };
    assert!(calibration.keeps(&entity("PER", 0.5)));
    assert!(!calibration.keeps(&entity("PER", 0.499)));
    assert!(calibration.keeps(&entity("LOC", 0.0)));
    assert!(!calibration.is_identity() && Calibration::default().is_identity());
}

#[test]
fn numbers_out_of_range_are_named() {
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Calibration::with_temperature(temperature).check();
        assert!(matches!(error, Err(Error::Calibration { key, .. }) if key == "temperature"));
    }
    for score in [-0.1, 1.1, f64::NAN] {
        let calibration = Calibration {
            min_scores: [("PER".to_owned(), score)].into(),
            ..Calibration::default()
        };
        let error = calibration.check();
        assert!(matches!(error, Err(Error::Calibration { key, .. }) if key == "min_scores.PER"));
    }
    assert!(Calibration::with_temperature(2.5).check().is_ok());
}
