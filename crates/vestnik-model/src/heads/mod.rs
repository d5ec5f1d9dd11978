//! Task layers on top of an encoder, one per file.

mod masked_lm;
mod token_classification;

pub(crate) use masked_lm::MaskedLmHead;
pub(crate) use token_classification::TokenClassificationHead;
