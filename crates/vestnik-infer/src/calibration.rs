//! What makes scores honest: a temperature for the logits, and the least score of an entity by label.

mod fit;
mod labelled_words;
mod min_score;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vestnik_core::{Entity, LabelSet};

use crate::error::{Error, Result};

pub use fit::{Calibrator, FEWEST_ENTITIES, Fit};
pub(crate) use labelled_words::golden_section;
pub use labelled_words::{LabelledWords, TEMPERATURES};
pub use min_score::best_min_score;

/// How the raw outputs of a model become scores, and which entities are kept.
///
/// Stored in `vestnik.json`; [`Calibrator`] finds it on annotated documents. The default changes nothing.
///
/// - **Temperature scaling** (Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks"): the
///   logits of every token are divided by one number before the softmax. The most probable tag of a token stays what it
///   is, and so does the most probable valid sequence of tags: the scores of entities change, their spans and labels do
///   not. (Other are only [`Aggregation::Average`](crate::Aggregation::Average) and
///   [`Aggregation::Max`](crate::Aggregation::Max), which compare probabilities between tokens.)
/// - **Least scores**: an entity whose score is below that of its label is dropped.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// What logits are divided by; above 1 makes scores less sure. Default 1.
    pub temperature: f64,
    /// The least score of an entity, 0 to 1, by label. Default: none, all entities are kept.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub min_scores: BTreeMap<String, f64>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            min_scores: BTreeMap::new(),
        }
    }
}

impl Calibration {
    /// A temperature alone.
    #[must_use]
    pub fn with_temperature(temperature: f64) -> Self {
        Self {
            temperature,
            ..Self::default()
        }
    }

    /// The same without least scores.
    #[must_use]
    pub fn scaling(&self) -> Self {
        Self::with_temperature(self.temperature)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        let keeps_all = self.min_scores.values().all(|&score| score == 0.0);
        self.temperature == 1.0 && keeps_all
    }

    /// Whether an entity is kept. One without a score is.
    #[must_use]
    pub fn keeps(&self, entity: &Entity) -> bool {
        match (self.min_scores.get(&entity.label), entity.score) {
            (Some(least), Some(score)) => f64::from(score) >= *least,
            _ => true,
        }
    }

    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`Error::Calibration`].
    pub(crate) fn check(&self) -> Result<()> {
        let temperature = self.temperature;
        if !(temperature.is_finite() && temperature > 0.0) {
            return Err(refused("temperature", temperature, "a number above 0"));
        }
        let is_wrong = |(_, score): &(&String, &f64)| !(0.0..=1.0).contains(*score);
        match self.min_scores.iter().find(is_wrong) {
            None => Ok(()),
            Some((label, &score)) => {
                let key = format!("min_scores.{label}");
                Err(refused(key, score, "a number from 0 to 1"))
            }
        }
    }

    /// Refuses labels that the model does not have.
    ///
    /// # Errors
    /// [`Error::CalibrationLabel`].
    pub(crate) fn check_labels(&self, known: &LabelSet) -> Result<()> {
        let mut labels = self.min_scores.keys();
        match labels.find(|label| known.id(label).is_none()) {
            None => Ok(()),
            Some(label) => Err(Error::CalibrationLabel {
                label: label.clone(),
                known: known.iter().map(str::to_owned).collect(),
            }),
        }
    }
}

pub(crate) fn refused(key: impl Into<String>, value: f64, expected: &'static str) -> Error {
    Error::Calibration {
        key: key.into(),
        value,
        expected,
    }
}
