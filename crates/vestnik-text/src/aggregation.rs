//! The ways in which scores of tokens become entities.

mod aggregator;
mod labels;

use std::fmt;
use std::str::FromStr;

use crate::Error;

pub use aggregator::Aggregator;

/// How scores of tokens become entities.
///
/// [`Aggregation::Viterbi`] is this library's own way. The others mean what `aggregation_strategy` means in the
/// `TokenClassificationPipeline` of `transformers` 5, and exist so that results can be compared and models be used as they
/// were made to be. There are three differences, and `docs/aggregation.md` shows them:
/// - a word is one of [`words`](crate::words), where that pipeline glues quotation marks, brackets and full stops to it;
/// - no entity begins or ends with white space, and none is empty;
/// - long texts are read in windows, and each token is scored by the window that owns it.
///
/// As text the ways are called `viterbi`, `none`, `simple`, `first`, `average` and `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// The most probable valid sequence of tags over the first tokens of words; see [`Decoder`](crate::Decoder). The
    /// default.
    #[default]
    Viterbi,
    /// Each token that is not `O` is an entity of its own; the label keeps its prefix (`B-PER`). Where tokens spell one
    /// character together, each of their entities has the character's span.
    None,
    /// The best label of each token; neighbours of one type are one entity, unless the later one is a `B-`. Words may be
    /// cut. The score is the mean over the tokens.
    Simple,
    /// As [`Aggregation::Simple`] over words, each with the best label of its first token.
    First,
    /// As [`Aggregation::Simple`] over words, each with the best label of the mean of its tokens' probabilities.
    Average,
    /// As [`Aggregation::Simple`] over words, each with the best label of its surest token, the first of equals.
    Max,
}

impl Aggregation {
    /// All ways, the default first.
    pub const ALL: [Self; 6] = [
        Self::Viterbi,
        Self::None,
        Self::Simple,
        Self::First,
        Self::Average,
        Self::Max,
    ];

    /// The name, as on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viterbi => "viterbi",
            Self::None => "none",
            Self::Simple => "simple",
            Self::First => "first",
            Self::Average => "average",
            Self::Max => "max",
        }
    }
}

/// Shows the name.
impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        all.find(|way| way.as_str() == text)
            .ok_or_else(|| Error::UnknownAggregation {
                text: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests;
