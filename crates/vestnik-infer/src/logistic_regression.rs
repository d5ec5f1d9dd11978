//! Multinomial logistic regression with an L2 penalty: a classifier on fixed features, trained in one go.

mod minimum;

use ndarray::{Array2, Axis, Zip, s};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A linear classifier whose probabilities of labels sum to 1: `softmax(x W + b)`.
///
/// In JSON it is a list of rows: the weights of each feature, and `b` as the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Vec<Vec<f64>>", try_from = "Vec<Vec<f64>>")]
pub struct LogisticRegression {
    /// `[features + 1, labels]`: the weights `W`, and `b` as the last row.
    parameters: Array2<f64>,
}

impl LogisticRegression {
    /// The minimum of `sum of cross-entropies + penalty / 2 * |W|²`, found from 0 by L-BFGS; `b` is not penalised. The
    /// same examples give the same numbers on every run. It is the objective of scikit-learn's `LogisticRegression` with
    /// `C = 1 / penalty`.
    ///
    /// `features` is `[examples, features]`, `labels` has the label of each example, below `n_labels`.
    ///
    /// # Errors
    /// [`Error::Examples`] without examples, if the numbers of rows and labels differ, if a label is out of range, or if
    /// a feature or the penalty is not finite, or the penalty not above 0.
    pub fn fit(
        features: &Array2<f64>,
        labels: &[usize],
        n_labels: usize,
        penalty: f64,
    ) -> Result<Self> {
        check(features, labels, n_labels, penalty)?;
        let objective = Objective {
            features: with_ones(features),
            labels,
            penalty,
        };
        let start = Array2::zeros((features.ncols() + 1, n_labels));
        let parameters = minimum::minimum(start, |at| objective.value_and_gradient(at));
        Ok(Self { parameters })
    }

    /// Number of features, number of labels.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.parameters.nrows() - 1, self.parameters.ncols()]
    }

    /// The probabilities `[examples, labels]`.
    ///
    /// # Errors
    /// [`Error::Examples`] if `features` has another number of columns than the examples it was fitted to.
    pub fn probabilities(&self, features: &Array2<f64>) -> Result<Array2<f64>> {
        if features.ncols() + 1 != self.parameters.nrows() {
            return Err(Error::Examples {
                problem: "another number of features than in training",
            });
        }
        let logits = with_ones(features).dot(&self.parameters);
        Ok(log_softmax(logits).mapv_into(f64::exp))
    }
}

impl From<LogisticRegression> for Vec<Vec<f64>> {
    fn from(regression: LogisticRegression) -> Self {
        let rows = regression.parameters.rows().into_iter();
        rows.map(|row| row.to_vec()).collect()
    }
}

impl TryFrom<Vec<Vec<f64>>> for LogisticRegression {
    type Error = Error;

    /// # Errors
    /// [`Error::Examples`] for rows of different lengths, and numbers that are not finite.
    fn try_from(rows: Vec<Vec<f64>>) -> Result<Self> {
        let shape = (rows.len(), rows.first().map_or(0, Vec::len));
        let parameters = Array2::from_shape_vec(shape, rows.concat());
        let parameters = parameters.ok().filter(|parameters| {
            shape.0 > 0
                && rows.iter().all(|row| row.len() == shape.1)
                && parameters.iter().all(|x| x.is_finite())
        });
        let problem = "the weights of a classifier are rows of one length";
        Ok(Self {
            parameters: parameters.ok_or(Error::Examples { problem })?,
        })
    }
}

fn check(features: &Array2<f64>, labels: &[usize], n_labels: usize, penalty: f64) -> Result<()> {
    let problem = if labels.is_empty() {
        "there are none"
    } else if features.nrows() != labels.len() {
        "as many rows of features as labels are needed"
    } else if labels.iter().any(|label| *label >= n_labels) {
        "a label is out of range"
    } else if !features.iter().all(|x| x.is_finite()) {
        "a feature is not finite"
    } else if !(penalty.is_finite() && penalty > 0.0) {
        "the penalty must be above 0"
    } else {
        return Ok(());
    };
    Err(Error::Examples { problem })
}

/// What is made smallest.
struct Objective<'a> {
    /// `[examples, features + 1]`, the last column 1.
    features: Array2<f64>,
    labels: &'a [usize],
    penalty: f64,
}

impl Objective<'_> {
    fn value_and_gradient(&self, parameters: &Array2<f64>) -> (f64, Array2<f64>) {
        let log_probabilities = log_softmax(self.features.dot(parameters));
        let places = || self.labels.iter().copied().enumerate();
        let loss: f64 = places().map(|place| -log_probabilities[place]).sum();
        let mut residuals = log_probabilities.mapv_into(f64::exp);
        places().for_each(|place| residuals[place] -= 1.0);
        let mut gradient = self.features.t().dot(&residuals);
        let weights = s![..-1, ..];
        gradient
            .slice_mut(weights)
            .scaled_add(self.penalty, &parameters.slice(weights));
        let squares: f64 = parameters.slice(weights).iter().map(|w| w * w).sum();
        (loss + self.penalty / 2.0 * squares, gradient)
    }
}

fn with_ones(features: &Array2<f64>) -> Array2<f64> {
    let mut extended = Array2::ones((features.nrows(), features.ncols() + 1));
    extended.slice_mut(s![.., ..-1]).assign(features);
    extended
}

/// By rows, stable for large numbers.
fn log_softmax(mut logits: Array2<f64>) -> Array2<f64> {
    let max = logits.map_axis(Axis(1), |row| row.fold(f64::NEG_INFINITY, |a, b| a.max(*b)));
    logits -= &max.insert_axis(Axis(1));
    let log_sums = logits.map_axis(Axis(1), |row| row.mapv(f64::exp).sum().ln());
    Zip::from(logits.rows_mut())
        .and(&log_sums)
        .for_each(|mut row, log_sum| row -= *log_sum);
    logits
}

#[cfg(test)]
mod tests;
