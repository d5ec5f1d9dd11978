//! Measures of entity recognition and of classification.
//!
//! "F1" of entities means different things in different reports; here each has its own name:
//!
//! | name | an entity is right when | from |
//! |---|---|---|
//! | strict, [`EntityScores`] | start, end and label in the **text** are right | [`EntityEvaluator`] |
//! | span-only, [`EntityScores::span_only`] | start and end in the text are right | [`EntityEvaluator`] |
//! | conlleval or seqeval, [`SeqevalScores`] | start, end and type in **words** are right, by lenient reading of tags | [`seqeval_scores`] |
//!
//! Only the strict measure sees whether spans fit the text: the other reports are about words, and
//! words are a matter of tokenization.
//!
//! Each ratio whose denominator is 0 counts as 0.

mod classification;
mod counts;
mod entity;
mod seqeval;

pub use classification::{ClassificationScores, Confusion, classification_scores};
pub use counts::Counts;
pub use entity::{EntityEvaluator, EntityScores, UNKNOWN_LANG};
pub use seqeval::{Averages, SeqevalScores, seqeval_scores};
