//! What a head for texts or spans is trained for.

use candle_core::Tensor;
use vestnik_model::ProblemType;
use vestnik_model::losses::{self, CrossEntropyOptions};

use crate::config::{ClassWeights, HeadConfig, LossConfig};
use crate::error::Result;
use crate::labelled::examples::{HeadExample, HeadExamples};

/// The loss of a batch.
#[derive(Debug)]
pub(super) enum HeadObjective {
    /// The cross-entropy of the one label that holds.
    One(CrossEntropyOptions),
    /// The binary cross-entropy of every label that the corpus says anything of.
    Many {
        /// How much each label weighs where it holds.
        weights: Vec<f32>,
        /// Of each corpus the labels that it says anything of.
        known: Vec<Option<Vec<usize>>>,
    },
}

/// What the texts or spans of a batch are.
#[derive(Debug)]
pub(super) enum Targets {
    /// The label of each.
    One(Vec<i64>),
    /// For each and every label whether it holds, and how much that weighs.
    Many {
        /// 1 where it holds.
        targets: Vec<f32>,
        /// 0 where nothing is known of it.
        weights: Vec<f32>,
    },
}

/// The largest weight of a label that holds with `class_weights = "balanced"`.
const MOST_BALANCED: f64 = 100.0;

impl HeadObjective {
    pub(super) fn new(head: &HeadConfig, examples: &HeadExamples) -> Result<Self> {
        let (holds, known) = examples.counts(head.labels.len());
        Ok(match head.problem_type {
            ProblemType::SingleLabel => {
                let loss = LossConfig {
                    label_smoothing: head.label_smoothing,
                    class_weights: head.class_weights.clone(),
                    focal_gamma: 0.0,
                };
                let classes: Vec<&str> = head.labels.iter().collect();
                Self::One(loss.options(&classes, &holds)?)
            }
            ProblemType::MultiLabel => Self::Many {
                weights: weights(head, &holds, &known),
                known: examples.known.clone(),
            },
        })
    }

    /// What the items of some examples are.
    pub(super) fn targets<'a>(&self, examples: impl Iterator<Item = &'a HeadExample>) -> Targets {
        match self {
            Self::One(_) => {
                let items = examples.flat_map(|example| &example.items);
                let label = |labels: &[usize]| labels.first().map_or(0, |&label| label as i64);
                Targets::One(items.map(|item| label(&item.labels.holds)).collect())
            }
            Self::Many { weights, known } => many(examples, weights, known),
        }
    }

    /// The mean loss of the items.
    pub(super) fn loss(&self, logits: &Tensor, targets: &Targets) -> Result<Tensor> {
        Ok(match (self, targets) {
            (Self::One(options), Targets::One(labels)) => {
                losses::cross_entropy_with(logits, labels, &[], options)?
            }
            (_, Targets::Many { targets, weights }) => {
                losses::weighted_binary_cross_entropy(logits, targets, weights)?
            }
            (Self::Many { .. }, Targets::One(labels)) => losses::cross_entropy(logits, labels)?,
        })
    }

    /// What the mean is over.
    pub(super) fn weight(&self, targets: &Targets) -> f64 {
        match (self, targets) {
            (Self::One(options), Targets::One(labels)) => options.total_weight(labels),
            (_, Targets::Many { weights, .. }) => weights.iter().map(|&w| f64::from(w)).sum(),
            (Self::Many { .. }, Targets::One(labels)) => labels.len() as f64,
        }
    }
}

fn many<'a>(
    examples: impl Iterator<Item = &'a HeadExample>,
    weights: &[f32],
    known: &[Option<Vec<usize>>],
) -> Targets {
    let (mut targets, mut own_weights) = (Vec::new(), Vec::new());
    for example in examples {
        let known = &known[example.corpus];
        for item in &example.items {
            for (label, &weight) in weights.iter().enumerate() {
                let holds = item.labels.holds.contains(&label);
                let is_known = item.labels.knows(label, known.as_ref());
                targets.push(if holds { 1.0 } else { 0.0 });
                own_weights.push(match (is_known, holds) {
                    (false, _) => 0.0,
                    (true, true) => weight,
                    (true, false) => 1.0,
                });
            }
        }
    }
    Targets::Many {
        targets,
        weights: own_weights,
    }
}

/// How much a label weighs where it holds; balanced: as much together as where it does not.
fn weights(head: &HeadConfig, holds: &[f64], known: &[f64]) -> Vec<f32> {
    let balanced = |(&holds, &known): (&f64, &f64)| match holds {
        0.0 => 1.0,
        holds => ((known - holds) / holds).clamp(1.0, MOST_BALANCED) as f32,
    };
    match &head.class_weights {
        None => vec![1.0; holds.len()],
        Some(ClassWeights::Balanced) => holds.iter().zip(known).map(balanced).collect(),
        Some(ClassWeights::ByLabel(weights)) => {
            let weight = |label| weights.get(label).map_or(1.0, |&weight| weight as f32);
            head.labels.iter().map(weight).collect()
        }
    }
}
