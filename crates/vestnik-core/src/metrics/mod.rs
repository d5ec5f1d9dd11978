//! Measures of entity recognition and of classification.

mod classification;
mod counts;
mod entity;
mod seqeval;

pub use classification::{ClassificationScores, Confusion, classification_scores};
pub use counts::Counts;
pub use entity::{EntityEvaluator, EntityScores, UNKNOWN_LANG};
pub use seqeval::{Averages, SeqevalScores, seqeval_scores};
