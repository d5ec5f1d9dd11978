//! Measures of labels that are given to texts or to spans: one for each, or any number of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::LabelSet;
use crate::metrics::counts::mean;
use crate::metrics::{Counts, UNKNOWN_LANG};

/// The label that takes no side.
const NEUTRAL: &str = "neutral";

/// Counts right and wrong labels of examples, overall and by language.
///
/// Where every example has exactly one label, all measures are those of single-label classification; where it has any
/// number, those of multi-label classification.
///
/// # Example
/// ```
/// use vestnik_core::LabelSet;
/// use vestnik_core::metrics::LabelEvaluator;
///
/// let mut evaluator = LabelEvaluator::new(LabelSet::new(["against", "neutral", "favour"])?);
/// for (gold, predicted) in [(0, 0), (0, 1), (1, 1), (2, 2)] {
///     evaluator.add(Some("ru"), &[gold], &[predicted], None);
/// }
/// let scores = evaluator.scores();
/// assert_eq!((scores.accuracy, scores.micro_f1), (0.75, 0.75));
/// assert_eq!(scores.per_label["favour"].f1(), 1.0);
/// assert!((scores.macro_f1_without_neutral.unwrap() - 5.0 / 6.0).abs() < 1e-12);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LabelEvaluator {
    labels: LabelSet,
    all: Tally,
    per_lang: BTreeMap<String, Tally>,
}

/// Scores of labels, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelScores {
    /// Number of examples.
    pub examples: u64,
    /// The share of examples that were given exactly their labels.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur in the gold annotation or in the predictions.
    pub macro_f1: f64,
    /// F1 of all labels together; with one label for each example it is the accuracy.
    pub micro_f1: f64,
    /// Mean F1 of all labels but `neutral`, whether they occur or not, as sentiment towards targets is measured; absent
    /// where there is no such label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1_without_neutral: Option<f64>,
    /// By label.
    pub per_label: BTreeMap<String, Counts>,
    /// By language; examples without one are [`UNKNOWN_LANG`].
    pub per_lang: BTreeMap<String, LangScores>,
}

/// Scores of the examples of one language; see [`LabelScores`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LangScores {
    /// Number of examples.
    pub examples: u64,
    /// The share of examples that were given exactly their labels.
    pub accuracy: f64,
    /// Mean F1 of the labels that occur.
    pub macro_f1: f64,
    /// F1 of all labels together.
    pub micro_f1: f64,
    /// Mean F1 of all labels but `neutral`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_f1_without_neutral: Option<f64>,
}

/// Examples and the hits and errors of each label.
#[derive(Debug, Clone)]
struct Tally {
    examples: u64,
    exact: u64,
    counts: Vec<Counts>,
}

impl LabelEvaluator {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(labels: LabelSet) -> Self {
        Self {
            all: Tally::new(labels.len()),
            per_lang: BTreeMap::new(),
            labels,
        }
    }

    /// Counts one example: ids of its labels, and of those that were predicted. With `known`, the annotation says something
    /// of these labels alone: others count nowhere.
    pub fn add(
        &mut self,
        lang: Option<&str>,
        gold: &[usize],
        predicted: &[usize],
        known: Option<&[usize]>,
    ) {
        let counted = |ids: &[usize]| -> BTreeSet<usize> {
            let n_labels = self.labels.len();
            let counts =
                |id: &usize| *id < n_labels && known.is_none_or(|known| known.contains(id));
            ids.iter().copied().filter(counts).collect()
        };
        let (gold, predicted) = (counted(gold), counted(predicted));
        self.all.add(&gold, &predicted);
        let tally = self
            .per_lang
            .entry(lang.unwrap_or(UNKNOWN_LANG).to_owned())
            .or_insert_with(|| Tally::new(self.labels.len()));
        tally.add(&gold, &predicted);
    }

    /// The scores so far.
    #[must_use]
    pub fn scores(&self) -> LabelScores {
        let LangScores {
            examples,
            accuracy,
            macro_f1,
            micro_f1,
            macro_f1_without_neutral,
        } = self.all.scores(&self.labels);
        let counts = self.labels.iter().zip(&self.all.counts);
        let tallies = self.per_lang.iter();
        LabelScores {
            examples,
            accuracy,
            macro_f1,
            micro_f1,
            macro_f1_without_neutral,
            per_label: counts
                .map(|(label, &counts)| (label.to_owned(), counts))
                .collect(),
            per_lang: tallies
                .map(|(lang, tally)| (lang.clone(), tally.scores(&self.labels)))
                .collect(),
        }
    }
}

impl Tally {
    fn new(n_labels: usize) -> Self {
        Self {
            examples: 0,
            exact: 0,
            counts: vec![Counts::default(); n_labels],
        }
    }

    fn add(&mut self, gold: &BTreeSet<usize>, predicted: &BTreeSet<usize>) {
        self.examples += 1;
        self.exact += u64::from(gold == predicted);
        for &label in gold.union(predicted) {
            let counts = &mut self.counts[label];
            match (gold.contains(&label), predicted.contains(&label)) {
                (true, true) => counts.tp += 1,
                (true, false) => counts.fn_ += 1,
                (false, _) => counts.fp += 1,
            }
        }
    }

    fn scores(&self, labels: &LabelSet) -> LangScores {
        let occurring = self
            .counts
            .iter()
            .filter(|counts| **counts != Counts::default());
        let all: Counts = self.counts.iter().sum();
        let neutral = labels.id(NEUTRAL);
        let others = |neutral: usize| {
            let sided = (0..labels.len()).filter(move |&label| label != neutral);
            mean(sided.map(|label| (self.counts[label].f1(), 1)))
        };
        LangScores {
            examples: self.examples,
            accuracy: self.exact as f64 / self.examples.max(1) as f64,
            macro_f1: mean(occurring.map(|counts| (counts.f1(), 1))),
            micro_f1: all.f1(),
            macro_f1_without_neutral: neutral.map(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::classification_scores;

    fn labels() -> LabelSet {
        LabelSet::new(["against", "neutral", "favour"]).unwrap()
    }

    #[test]
    fn one_label_each_is_single_label_classification() {
        let gold = [0, 0, 1, 2, 2, 1, 1, 0, 2, 1];
        let predicted = [0, 1, 1, 2, 0, 1, 2, 0, 2, 1];
        let mut evaluator = LabelEvaluator::new(labels());
        for (&gold, &predicted) in gold.iter().zip(&predicted) {
            evaluator.add(None, &[gold], &[predicted], None);
        }
        let (scores, expected) = (
            evaluator.scores(),
            classification_scores(&gold, &predicted, 3).unwrap(),
        );
        assert_eq!(scores.accuracy, expected.accuracy);
        assert_eq!(scores.macro_f1, expected.macro_f1);
        assert_eq!(scores.micro_f1, expected.accuracy);
        assert_eq!(
            scores.macro_f1_without_neutral,
            Some(expected.confusion.macro_f1_of(&[0, 2]))
        );
        assert_eq!(scores.per_label["neutral"], expected.per_label[1]);
        assert_eq!(scores.per_lang[UNKNOWN_LANG].examples, 10);
    }

    #[test]
    fn several_labels_are_counted_one_by_one() {
        let topics = LabelSet::new(["a", "b", "c"]).unwrap();
        let mut evaluator = LabelEvaluator::new(topics);
        evaluator.add(Some("bg"), &[0, 1], &[0, 2], None);
        evaluator.add(Some("en"), &[], &[], None);
        evaluator.add(Some("en"), &[2], &[2], None);
        let scores = evaluator.scores();
        let counts = |tp, fp, fn_| Counts { tp, fp, fn_ };
        assert_eq!(scores.per_label["a"], counts(1, 0, 0));
        assert_eq!(scores.per_label["b"], counts(0, 0, 1));
        assert_eq!(scores.per_label["c"], counts(1, 1, 0));
        assert_eq!(scores.micro_f1, 4.0 / 6.0);
        assert_eq!(scores.accuracy, 2.0 / 3.0);
        assert_eq!(scores.per_lang["en"].accuracy, 1.0);
        assert_eq!(scores.macro_f1_without_neutral, None);
    }

    #[test]
    fn labels_that_are_not_known_count_nowhere() {
        let topics = LabelSet::new(["a", "b", "c"]).unwrap();
        let mut evaluator = LabelEvaluator::new(topics);
        evaluator.add(None, &[0], &[0, 1, 2], Some(&[0, 2]));
        let scores = evaluator.scores();
        assert_eq!(scores.per_label["b"], Counts::default());
        assert_eq!(scores.per_label["c"].fp, 1);
        assert_eq!(scores.micro_f1, 2.0 / 3.0);
    }
}
