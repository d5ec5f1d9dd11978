//! Accuracy, macro-F1 and confusion of classification with one class for each example.

use serde::Serialize;

use crate::metrics::Counts;
use crate::metrics::counts::mean;
use crate::{Error, Result};

/// How often each gold class was taken for which class.
///
/// In JSON it is the list of its rows.
///
/// # Example
/// ```
/// use vestnik_core::metrics::{Confusion, Counts};
///
/// let mut confusion = Confusion::new(2);
/// for (gold, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1)] {
///     confusion.add(gold, predicted)?;
/// }
/// assert_eq!(confusion.rows(), [[2, 1], [0, 1]]);
/// assert_eq!(confusion.counts(1), Counts { tp: 1, fp: 1, fn_: 0 });
/// assert_eq!(confusion.accuracy(), 0.75);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    rows: Vec<Vec<u64>>,
}

impl Confusion {
    /// Makes a matrix of zeros for `n_labels` classes.
    #[must_use]
    pub fn new(n_labels: usize) -> Self {
        Self {
            rows: vec![vec![0; n_labels]; n_labels],
        }
    }

    /// Counts one example.
    ///
    /// # Errors
    /// [`Error::UnknownClass`] when a class is not smaller than [`Confusion::n_labels`]; the matrix
    /// is then unchanged.
    pub fn add(&mut self, gold: usize, predicted: usize) -> Result<()> {
        let n_labels = self.n_labels();
        let cell = self
            .rows
            .get_mut(gold)
            .and_then(|row| row.get_mut(predicted));
        let class = gold.max(predicted);
        *cell.ok_or(Error::UnknownClass { class, n_labels })? += 1;
        Ok(())
    }

    /// Number of classes.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        self.rows.len()
    }

    /// The matrix: a row for each gold class, in it a number for each predicted class.
    #[must_use]
    pub fn rows(&self) -> &[Vec<u64>] {
        &self.rows
    }

    /// Number of examples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rows.iter().flatten().sum()
    }

    /// Hits and errors of one class against all others; all 0 for a class that does not exist.
    #[must_use]
    pub fn counts(&self, class: usize) -> Counts {
        let Some(row) = self.rows.get(class) else {
            return Counts::default();
        };
        let tp = row[class];
        let gold: u64 = row.iter().sum();
        let predicted: u64 = self.rows.iter().map(|row| row[class]).sum();
        Counts {
            tp,
            fp: predicted - tp,
            fn_: gold - tp,
        }
    }

    /// The share of examples that were given the right class; 0 without examples.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let micro: Counts = self.per_label().iter().sum();
        micro.recall()
    }

    /// Mean F1 of the classes that occur in the gold annotation or in the predictions, as
    /// scikit-learn's `f1_score(average="macro")`; 0 without examples.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        let per_label = self.per_label();
        let occurring = per_label
            .iter()
            .filter(|counts| **counts != Counts::default());
        mean(occurring.map(|counts| (counts.f1(), 1)))
    }

    /// Mean F1 of the given classes, whether they occur or not; 0 for no classes.
    ///
    /// Sentiment towards targets is often measured by the mean F1 of the positive and the negative
    /// class, which leaves the neutral one out.
    #[must_use]
    pub fn macro_f1_of(&self, classes: &[usize]) -> f64 {
        mean(classes.iter().map(|&class| (self.counts(class).f1(), 1)))
    }

    /// All scores that follow from the matrix.
    #[must_use]
    pub fn scores(&self) -> ClassificationScores {
        let per_label = self.per_label();
        ClassificationScores {
            accuracy: self.accuracy(),
            macro_f1: self.macro_f1(),
            micro: per_label.iter().sum(),
            per_label,
            confusion: self.clone(),
        }
    }

    fn per_label(&self) -> Vec<Counts> {
        (0..self.n_labels())
            .map(|class| self.counts(class))
            .collect()
    }
}

/// Scores of classification with one class for each example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassificationScores {
    /// The share of examples that were given the right class.
    pub accuracy: f64,
    /// Mean F1 of the classes that occur; see [`Confusion::macro_f1`].
    pub macro_f1: f64,
    /// All classes together. An error is a false positive of one class and a false negative of
    /// another, so precision, recall and F1 equal the accuracy.
    pub micro: Counts,
    /// By class id.
    pub per_label: Vec<Counts>,
    /// Gold classes by predicted classes.
    pub confusion: Confusion,
}

/// Scores predicted classes against gold classes; both are ids below `n_labels`.
///
/// # Errors
/// [`Error::LengthMismatch`] when the two sides differ in length, [`Error::UnknownClass`] for an id
/// that is not smaller than `n_labels`.
///
/// # Example
/// ```
/// use vestnik_core::metrics::classification_scores;
///
/// // 0 against, 1 neutral, 2 favour
/// let scores = classification_scores(&[0, 0, 1, 2], &[0, 1, 1, 1], 3)?;
/// assert_eq!(scores.accuracy, 0.5);
/// assert_eq!(scores.per_label[1].precision(), 1.0 / 3.0);
/// assert_eq!(scores.confusion.rows()[2], [0, 1, 0]);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
pub fn classification_scores(
    gold: &[usize],
    predicted: &[usize],
    n_labels: usize,
) -> Result<ClassificationScores> {
    if gold.len() != predicted.len() {
        return Err(Error::LengthMismatch {
            what: "classes",
            gold: gold.len(),
            predicted: predicted.len(),
        });
    }
    let mut confusion = Confusion::new(n_labels);
    for (&gold, &predicted) in gold.iter().zip(predicted) {
        confusion.add(gold, predicted)?;
    }
    Ok(confusion.scores())
}
