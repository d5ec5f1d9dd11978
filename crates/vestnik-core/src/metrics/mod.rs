//! Measures of entity recognition and of classification.
//!
//! "F1" of entities means different things in different reports; here each has its own name:
//!
//! | name | what must be right | how tags are read |
//! |---|---|---|
//! | strict: [`EntityEvaluator`] | start, end and label in the **text** | not at all |
//! | span-only: [`EntityScores::span_only`] | start and end in the text | not at all |
//! | conlleval or seqeval: [`seqeval_scores`] | start, end and type in **words** | leniently |
//!
//! Only the strict measure sees whether spans fit the text: the other reports are about words, and
//! words are a matter of tokenization.
//!
//! [`GroupedCounts`] breaks the strict measure down by whatever groups and says how sure the scores are
//! ([`Bootstrap`]); [`EntityConfusion`] says what became of every entity.
//!
//! Each ratio whose denominator is 0 counts as 0.

mod bootstrap;
mod classification;
mod counts;
mod entity;
mod entity_confusion;
mod grouped;
mod labelling;
mod seqeval;

pub use bootstrap::{Bootstrap, Interval, PairedDifference};
pub use classification::{ClassificationScores, Confusion, classification_scores};
pub use counts::Counts;
pub use entity::{EntityEvaluator, EntityScores, UNKNOWN_LANG};
pub use entity_confusion::EntityConfusion;
pub use grouped::{GroupedCounts, group_counts};
pub use labelling::{LabelEvaluator, LabelScores, LangScores};
pub use seqeval::{Averages, SeqevalScores, seqeval_scores};
