//! Accuracy, macro-F1 and confusion of single-label classification.

use serde::Serialize;

use crate::metrics::Counts;
use crate::metrics::counts::mean;
use crate::{Error, Result};

/// How often each gold class was taken for each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Confusion {
    rows: Vec<Vec<u64>>,
}

impl Confusion {
    /// An empty matrix for `n_labels` classes.
    #[must_use]
    pub fn new(n_labels: usize) -> Self {
        Self {
            rows: vec![vec![0; n_labels]; n_labels],
        }
    }

    /// Counts one example. `index` in an error is the number of examples counted before.
    ///
    /// # Errors
    /// [`Error::UnknownClass`] when a class is not smaller than [`Confusion::n_labels`].
    pub fn add(&mut self, gold: usize, predicted: usize) -> Result<()> {
        let n_labels = self.n_labels();
        for class in [gold, predicted] {
            if class >= n_labels {
                let index = usize::try_from(self.total()).unwrap_or(usize::MAX);
                return Err(Error::UnknownClass {
                    class,
                    index,
                    n_labels,
                });
            }
        }
        self.rows[gold][predicted] += 1;
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

    /// Hits and errors of one class against all others.
    ///
    /// # Panics
    /// When `class` is not smaller than [`Confusion::n_labels`].
    #[must_use]
    pub fn counts(&self, class: usize) -> Counts {
        let tp = self.rows[class][class];
        let gold: u64 = self.rows[class].iter().sum();
        let predicted: u64 = self.rows.iter().map(|row| row[class]).sum();
        Counts {
            tp,
            fp: predicted - tp,
            fn_: gold - tp,
        }
    }

    /// The scores that follow from the matrix.
    #[must_use]
    pub fn scores(&self) -> ClassificationScores {
        let per_label: Vec<Counts> = (0..self.n_labels())
            .map(|class| self.counts(class))
            .collect();
        let micro: Counts = per_label.iter().copied().sum();
        ClassificationScores {
            accuracy: micro.recall(),
            macro_f1: mean(
                per_label
                    .iter()
                    .filter(|counts| **counts != Counts::default())
                    .map(|counts| counts.f1()),
            ),
            micro,
            per_label,
            confusion: self.clone(),
        }
    }
}

/// Scores of single-label classification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassificationScores {
    /// Share of examples with the right class.
    pub accuracy: f64,
    /// Mean F1 of the classes that occur in gold or predicted.
    pub macro_f1: f64,
    /// All classes together.
    pub micro: Counts,
    /// By class id.
    pub per_label: Vec<Counts>,
    /// Gold class by predicted class.
    pub confusion: Confusion,
}

/// Scores predicted classes against gold classes.
///
/// # Errors
/// [`Error::LengthMismatch`] or [`Error::UnknownClass`].
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
