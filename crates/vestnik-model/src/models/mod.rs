//! An encoder with a head, its configuration and its parameters.

mod masked_lm;
mod token_classifier;

pub use masked_lm::MaskedLm;
pub use token_classifier::TokenClassifier;
