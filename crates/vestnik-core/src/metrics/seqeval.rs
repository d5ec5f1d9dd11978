//! Scores of tags that equal those of conlleval and of seqeval's default mode.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chunks::Chunker;
use crate::metrics::Counts;
use crate::metrics::counts::{Places, counts_by_type, mean};
use crate::{Error, Result};

/// Precision, recall and F1 averaged over entity types.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: f64,
    /// Mean recall.
    pub recall: f64,
    /// Mean F1, which is not the F1 of the mean precision and recall.
    pub f1: f64,
}

/// Scores of tags, equal to those of conlleval and of seqeval's default mode.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SeqevalScores {
    /// All entities together: seqeval's `micro avg`, the overall line of conlleval.
    pub micro: Counts,
    /// Plain mean over the types: seqeval's `macro avg`.
    pub macro_average: Averages,
    /// Mean over the types, weighted by their numbers of gold entities: seqeval's `weighted avg`.
    pub weighted_average: Averages,
    /// By type, sorted by name.
    pub per_type: BTreeMap<String, Counts>,
}

impl SeqevalScores {
    fn new(per_type: BTreeMap<String, Counts>) -> Self {
        let equally = |_: &Counts| 1;
        let by_size = |counts: &Counts| counts.gold();
        Self {
            micro: per_type.values().sum(),
            macro_average: averages(&per_type, equally),
            weighted_average: averages(&per_type, by_size),
            per_type,
        }
    }
}

/// Scores predicted tags against gold tags, sentence by sentence, as conlleval and seqeval's
/// default mode do.
///
/// The reading of tags is lenient: an `I` or `E` that continues nothing starts an entity, an entity
/// need not be closed. Predictions of a model that gives invalid sequences therefore score higher
/// than under the strict measure of [`EntityEvaluator`](crate::metrics::EntityEvaluator). The
/// numbers are those of seqeval 1.2.2 with `zero_division=0`, also for tags of no scheme: the first
/// letter is the tag, what follows the first hyphen is the type, `_` is the missing type. An empty
/// tag, which seqeval refuses, counts as `O`.
///
/// # Errors
/// [`Error::LengthMismatch`] when the two sides have different numbers of sentences, or of tags in
/// a sentence.
///
/// # Example
/// ```
/// use vestnik_core::metrics::{Counts, seqeval_scores};
///
/// let gold = [vec!["B-PER", "I-PER", "O", "B-LOC"]];
/// let predicted = [vec!["I-PER", "I-PER", "O", "B-ORG"]];
/// let scores = seqeval_scores(&gold, &predicted)?;
/// assert_eq!(scores.micro, Counts { tp: 1, fp: 1, fn_: 1 });
/// assert_eq!(scores.per_type["PER"].f1(), 1.0);
/// assert_eq!(scores.macro_average.f1, 1.0 / 3.0);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
pub fn seqeval_scores<S: AsRef<str>>(
    gold: &[Vec<S>],
    predicted: &[Vec<S>],
) -> Result<SeqevalScores> {
    check_lengths("sentences", gold.len(), predicted.len())?;
    for (gold, predicted) in gold.iter().zip(predicted) {
        check_lengths("tags of a sentence", gold.len(), predicted.len())?;
    }
    let per_type = counts_by_type(&chunks(gold), &chunks(predicted));
    Ok(SeqevalScores::new(per_type))
}

fn check_lengths(what: &'static str, gold: usize, predicted: usize) -> Result<()> {
    if gold == predicted {
        Ok(())
    } else {
        Err(Error::LengthMismatch {
            what,
            gold,
            predicted,
        })
    }
}

/// Start and end of the chunks of each type, counted in tags over all sentences with an `O` behind
/// each of them, as seqeval counts.
fn chunks<S: AsRef<str>>(sentences: &[Vec<S>]) -> Places<'_, (usize, usize)> {
    let mut chunker = Chunker::new("");
    let mut chunks: Places<'_, (usize, usize)> = BTreeMap::new();
    for sentence in sentences {
        for tag in sentence.iter().map(AsRef::as_ref).chain(["O"]) {
            let (letter, kind) = split(tag);
            if let Some((start, end, kind)) = chunker.push(letter, kind) {
                chunks.entry(kind).or_default().insert((start, end));
            }
        }
    }
    chunks
}

/// First letter and type of a tag, as seqeval reads them; the type of `O`, `B` and `B-` is `_`.
fn split(tag: &str) -> (char, &str) {
    let mut letters = tag.chars();
    let letter = letters.next().unwrap_or('O');
    let rest = letters.as_str();
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (letter, if kind.is_empty() { "_" } else { kind })
}

fn averages(per_type: &BTreeMap<String, Counts>, weight: impl Fn(&Counts) -> u64) -> Averages {
    let average = |value: fn(Counts) -> f64| {
        mean(
            per_type
                .values()
                .map(|counts| (value(*counts), weight(counts))),
        )
    };
    Averages {
        precision: average(Counts::precision),
        recall: average(Counts::recall),
        f1: average(Counts::f1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_split_as_seqeval_does() {
        assert_eq!(split("B-PER"), ('B', "PER"));
        assert_eq!(split("I-PRO-GAME"), ('I', "PRO-GAME"));
        assert_eq!(split("BPER"), ('B', "PER"));
        assert_eq!(split("BPER-X"), ('B', "X"));
        assert_eq!(split("Ж-ЛИЦО"), ('Ж', "ЛИЦО"));
        for (tag, letter) in [("O", 'O'), ("B", 'B'), ("B-", 'B'), ("", 'O'), ("-", '-')] {
            assert_eq!(split(tag), (letter, "_"));
        }
    }

    #[test]
    fn sides_of_different_length_are_refused() {
        let gold = [vec!["O"], vec!["O", "O"]];
        let error = |what, gold, predicted| {
            Err(Error::LengthMismatch {
                what,
                gold,
                predicted,
            })
        };
        assert_eq!(seqeval_scores(&gold, &gold[..1]), error("sentences", 2, 1));
        let short = [vec!["O"], vec!["O"]];
        assert_eq!(
            seqeval_scores(&gold, &short),
            error("tags of a sentence", 2, 1)
        );
        let none: [Vec<&str>; 0] = [];
        assert_eq!(seqeval_scores(&none, &none), Ok(SeqevalScores::default()));
    }
}
