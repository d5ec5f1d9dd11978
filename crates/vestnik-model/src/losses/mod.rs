//! Losses over logits of tokens or sequences, with ignored rows and partial annotation.

mod binary_cross_entropy;
mod composed;
mod crf;
mod cross_entropy;
mod distillation;
mod options;
mod target;

pub use binary_cross_entropy::{
    binary_cross_entropy, binary_cross_entropy_composed, weighted_binary_cross_entropy,
    weighted_binary_cross_entropy_composed,
};
pub use crf::{CrfScores, CrfTargets, TextPart, crf, crf_composed};
pub use cross_entropy::{
    cross_entropy, cross_entropy_with, cross_entropy_with_composed, partial_cross_entropy,
};
pub use distillation::distillation;
pub use options::CrossEntropyOptions;
