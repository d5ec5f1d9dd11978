//! Scores equal to those of conlleval and of seqeval's default mode.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::chunks::Chunker;
use crate::metrics::Counts;
use crate::metrics::counts::mean;
use crate::{Error, Result};

/// Precision, recall and F1 averaged over entity types.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Averages {
    /// Averaged precision.
    pub precision: f64,
    /// Averaged recall.
    pub recall: f64,
    /// Averaged F1.
    pub f1: f64,
}

/// Scores equal to those of conlleval and of seqeval's default mode.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SeqevalScores {
    /// All chunks together (`micro avg`).
    pub micro: Counts,
    /// Plain mean over types (`macro avg`).
    pub macro_average: Averages,
    /// Mean over types weighted by their number of gold chunks (`weighted avg`).
    pub weighted_average: Averages,
    /// By type.
    pub per_type: BTreeMap<String, Counts>,
}

/// Scores predicted tags against gold tags.
///
/// # Errors
/// [`Error::LengthMismatch`] when the numbers of sentences or of tags in a sentence differ.
pub fn seqeval_scores<S: AsRef<str>>(
    gold: &[Vec<S>],
    predicted: &[Vec<S>],
) -> Result<SeqevalScores> {
    check_lengths(gold, predicted)?;
    let (gold, predicted) = (chunks(gold), chunks(predicted));
    let kinds: BTreeSet<&str> = gold.keys().chain(predicted.keys()).copied().collect();
    let none = BTreeSet::new();
    let mut per_type = BTreeMap::new();
    for kind in kinds {
        let gold = gold.get(kind).unwrap_or(&none);
        let predicted = predicted.get(kind).unwrap_or(&none);
        let tp = gold.intersection(predicted).count() as u64;
        let counts = Counts {
            tp,
            fp: predicted.len() as u64 - tp,
            fn_: gold.len() as u64 - tp,
        };
        per_type.insert(kind.to_owned(), counts);
    }
    Ok(SeqevalScores {
        micro: per_type.values().copied().sum(),
        macro_average: averages(|value| mean(per_type.values().map(|&counts| value(counts)))),
        weighted_average: averages(|value| weighted(&per_type, value)),
        per_type,
    })
}

fn check_lengths<S>(gold: &[Vec<S>], predicted: &[Vec<S>]) -> Result<()> {
    let mismatch = |what, gold, predicted| {
        Err(Error::LengthMismatch {
            what,
            gold,
            predicted,
        })
    };
    if gold.len() != predicted.len() {
        return mismatch("sentences", gold.len(), predicted.len());
    }
    match gold
        .iter()
        .zip(predicted)
        .find(|(gold, predicted)| gold.len() != predicted.len())
    {
        Some((gold, predicted)) => mismatch("tags of a sentence", gold.len(), predicted.len()),
        None => Ok(()),
    }
}

/// Start and end of the chunks of each type, counted over all sentences with an `O` behind each, as seqeval does.
fn chunks<S: AsRef<str>>(sentences: &[Vec<S>]) -> BTreeMap<&str, BTreeSet<(usize, usize)>> {
    let mut chunker = Chunker::new("");
    let mut chunks: BTreeMap<&str, BTreeSet<(usize, usize)>> = BTreeMap::new();
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

/// First letter and type of a tag as seqeval reads them: the type of `O` and of `B-` is `_`.
fn split(tag: &str) -> (char, &str) {
    let mut letters = tag.chars();
    let letter = letters.next().unwrap_or('O');
    let rest = letters.as_str();
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (letter, if kind.is_empty() { "_" } else { kind })
}

fn averages(average: impl Fn(fn(Counts) -> f64) -> f64) -> Averages {
    Averages {
        precision: average(Counts::precision),
        recall: average(Counts::recall),
        f1: average(Counts::f1),
    }
}

/// Mean weighted by the number of gold chunks; 0 when there are none.
fn weighted(per_type: &BTreeMap<String, Counts>, value: fn(Counts) -> f64) -> f64 {
    let gold: u64 = per_type.values().map(|counts| counts.gold()).sum();
    let sum: f64 = per_type
        .values()
        .map(|&counts| value(counts) * counts.gold() as f64)
        .sum();
    if gold == 0 { 0.0 } else { sum / gold as f64 }
}
