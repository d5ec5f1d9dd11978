//! `fixtures/losses.json`, which `scripts/record_losses.py` makes.

use serde::Deserialize;
use vestnik_model::losses::{CrossEntropyOptions, TextPart};
use vestnik_model::{Device, Tensor, Var};

/// What PyTorch answers.
#[derive(Deserialize)]
pub(crate) struct Answers {
    pub(crate) tags: Vec<String>,
    pub(crate) crf: Vec<CrfCase>,
    pub(crate) cross_entropy: Vec<CrossEntropyCase>,
}

#[derive(Deserialize)]
pub(crate) struct CrossEntropyCase {
    pub(crate) name: String,
    pub(crate) logits: Vec<Vec<f32>>,
    pub(crate) labels: Vec<i64>,
    pub(crate) allowed: Vec<u64>,
    class_weights: Vec<f32>,
    label_smoothing: f64,
    focal_gamma: f64,
    pub(crate) loss: f32,
    pub(crate) gradient: Vec<Vec<f32>>,
}

impl CrossEntropyCase {
    pub(crate) fn options(&self) -> CrossEntropyOptions {
        CrossEntropyOptions {
            label_smoothing: self.label_smoothing,
            class_weights: self.class_weights.clone(),
            focal_gamma: self.focal_gamma,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct CrfCase {
    pub(crate) name: String,
    pub(crate) labels: Vec<i64>,
    pub(crate) allowed: Vec<u64>,
    chains: Vec<ChainCase>,
    pub(crate) logits: Vec<Vec<f32>>,
    pub(crate) transitions: Vec<Vec<f32>>,
    pub(crate) start_transitions: Vec<f32>,
    pub(crate) end_transitions: Vec<f32>,
    pub(crate) loss: f32,
    pub(crate) gradients: CrfGradients,
}

#[derive(Deserialize)]
struct ChainCase {
    tokens: [usize; 2],
    begins: bool,
    ends: bool,
}

#[derive(Deserialize)]
pub(crate) struct CrfGradients {
    logits: Vec<Vec<f32>>,
    transitions: Vec<Vec<f32>>,
    start_transitions: Vec<f32>,
    end_transitions: Vec<f32>,
}

impl CrfGradients {
    /// Of logits, transitions, start and end.
    pub(crate) fn in_order(&self) -> [Vec<f32>; 4] {
        [
            self.logits.concat(),
            self.transitions.concat(),
            self.start_transitions.clone(),
            self.end_transitions.clone(),
        ]
    }
}

impl CrfCase {
    pub(crate) fn parts(&self) -> Vec<TextPart> {
        let part = |chain: &ChainCase| TextPart {
            tokens: chain.tokens[0]..chain.tokens[1],
            begins: chain.begins,
            ends: chain.ends,
        };
        self.chains.iter().map(part).collect()
    }
}

pub(crate) fn answers() -> Answers {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/losses.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A trainable matrix.
pub(crate) fn matrix(rows: &[Vec<f32>]) -> Var {
    Var::from_vec(rows.concat(), (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

/// Numbers equal those of the reference to the digits of `f32`.
#[track_caller]
pub(crate) fn assert_close(name: &str, got: &Tensor, expected: &[f32]) {
    let got = got.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(got.len(), expected.len(), "{name}");
    for (place, (got, expected)) in got.iter().zip(expected).enumerate() {
        let difference = (got - expected).abs();
        assert!(
            difference < 2e-6 * (1.0 + expected.abs()),
            "{name}, {place}: {got}, expected {expected}"
        );
    }
}
