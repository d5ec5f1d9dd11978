//! Task layers on top of an encoder, one per file.

mod crf;
mod masked_lm;
mod pooled;
mod prediction;
mod sequence_classification;
mod token_classification;
mod transform;

pub use crf::Crf;
pub use masked_lm::MaskedLmHead;
pub(crate) use pooled::HEADS;
pub use pooled::{HeadOptions, PooledHead, Reads};
pub use sequence_classification::SequenceClassificationHead;
pub use token_classification::TokenClassificationHead;

/// The head of a model that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoHead;
