//! What the outputs of a sequence classifier mean together.

use serde::{Deserialize, Serialize};

use super::Reader;
use crate::Result;

/// What the outputs of a sequence classifier mean together (`problem_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProblemType {
    /// Exactly one label holds: probabilities are the softmax of the logits.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Any number of labels hold: each probability is the sigmoid of its logit.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
}

impl ProblemType {
    const NAMES: &str = "single_label_classification, multi_label_classification";

    /// The name in `config.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single_label_classification",
            Self::MultiLabel => "multi_label_classification",
        }
    }

    /// Without a `problem_type` the reference takes a single output for a number to be predicted, several for labels
    /// of which one holds.
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self> {
        match reader.text("problem_type")? {
            Some("single_label_classification") => Ok(Self::SingleLabel),
            Some("multi_label_classification") => Ok(Self::MultiLabel),
            Some("regression") => Err(reader.problem(
                "problem_type is regression: the model predicts a number, not labels".to_owned(),
            )),
            Some(other) => Err(reader.unsupported("problem_type", other, Self::NAMES)),
            None if n_labels(reader) == Some(1) => Err(reader.problem(
                "one label and no problem_type: the model predicts a number (regression), not labels"
                    .to_owned(),
            )),
            None => Ok(Self::SingleLabel),
        }
    }
}

/// The number of labels, where the file says it.
fn n_labels(reader: &Reader<'_>) -> Option<usize> {
    let named = reader.value("id2label").and_then(|map| map.as_object());
    match named {
        Some(map) => Some(map.len()),
        None => reader.value("num_labels")?.as_u64().map(|n| n as usize),
    }
}
