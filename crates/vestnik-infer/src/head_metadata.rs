//! The heads of `vestnik.json`: what a multi-task model labels beside tokens, and how its outputs become scores.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vestnik_core::LabelSet;
use vestnik_model::{HeadOptions, ProblemType, Reads};

use crate::calibration::refused;
use crate::error::{Error, Result};

/// A head beside the one for tokens.
///
/// ```json
/// {"task": "topic", "reads": "text", "labels": ["politics", "sport"],
///  "problem_type": "multi_label_classification",
///  "calibration": {"temperature": 1.2, "thresholds": {"politics": 0.4}}}
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HeadMetadata {
    /// Name of the task: lower-case letters, digits and `_`. The tensors of the head are `heads.{task}.*`.
    pub task: String,
    /// What it reads: `text` or `span`.
    pub reads: Reads,
    /// Names of its outputs.
    pub labels: LabelSet,
    /// Whether one label holds (the default), or any number of them.
    #[serde(default)]
    pub problem_type: ProblemType,
    /// How its outputs become scores. Default: as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<HeadCalibration>,
}

/// How the outputs of a head become scores, and which labels hold. The default changes nothing.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeadCalibration {
    /// What logits are divided by before the softmax or the sigmoid; above 1 makes scores less sure. Default 1.
    pub temperature: f64,
    /// The least score, 0 to 1, at which a label holds, by label. Default: 0.5 where any number of labels may hold; none
    /// where exactly one does.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<String, f64>,
}

impl Default for HeadCalibration {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            thresholds: BTreeMap::new(),
        }
    }
}

impl HeadMetadata {
    /// The metadata of a head that is not calibrated.
    #[must_use]
    pub fn new(options: &HeadOptions) -> Self {
        Self {
            task: options.task.clone(),
            reads: options.reads,
            labels: options.labels.clone(),
            problem_type: options.problem_type,
            calibration: None,
        }
    }

    /// The same, calibrated; a calibration that changes nothing is left out.
    #[must_use]
    pub fn with_calibration(mut self, calibration: HeadCalibration) -> Self {
        self.calibration = (calibration != HeadCalibration::default()).then_some(calibration);
        self
    }

    /// The head without its calibration.
    #[must_use]
    pub fn options(&self) -> HeadOptions {
        HeadOptions {
            task: self.task.clone(),
            reads: self.reads,
            labels: self.labels.clone(),
            problem_type: self.problem_type,
        }
    }

    /// Refuses a calibration out of range, or of labels that the head does not have.
    ///
    /// # Errors
    /// [`Error::Calibration`] or [`Error::CalibrationLabel`].
    pub(crate) fn check(&self) -> Result<()> {
        let Some(calibration) = &self.calibration else {
            return Ok(());
        };
        let temperature = calibration.temperature;
        if !(temperature.is_finite() && temperature > 0.0) {
            let key = format!("heads.{}.temperature", self.task);
            return Err(refused(key, temperature, "a number above 0"));
        }
        let mut thresholds = calibration.thresholds.iter();
        thresholds.try_for_each(|(label, &threshold)| self.check_threshold(label, threshold))
    }

    fn check_threshold(&self, label: &str, threshold: f64) -> Result<()> {
        if self.labels.id(label).is_none() {
            return Err(Error::CalibrationLabel {
                label: label.to_owned(),
                known: self.labels.iter().map(str::to_owned).collect(),
            });
        }
        if (0.0..=1.0).contains(&threshold) {
            return Ok(());
        }
        let key = format!("heads.{}.thresholds.{label}", self.task);
        Err(refused(key, threshold, "a number from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metadata;

    const HEADS: &str = r#"{"format_version":1,"window":{"tokens":256,"context":28},"heads":[
        {"task":"topic","reads":"text","labels":["politics","sport"],"problem_type":"multi_label_classification",
         "calibration":{"temperature":1.25,"thresholds":{"sport":0.375}}},
        {"task":"stance","reads":"span","labels":["against","neutral","favour"]}]}"#;

    fn heads(json: &str) -> Result<Vec<HeadMetadata>> {
        Ok(Metadata::parse(json.as_bytes())?.heads)
    }

    #[test]
    fn heads_are_read_as_they_were_written() {
        let metadata = Metadata::parse(HEADS.as_bytes()).unwrap();
        let json = serde_json::to_vec(&metadata).unwrap();
        assert_eq!(Metadata::parse(&json).unwrap(), metadata);
        let options = metadata.head_options();
        assert_eq!(
            (options[0].task.as_str(), options[1].reads),
            ("topic", Reads::Span)
        );
        assert_eq!(options[0].problem_type, ProblemType::MultiLabel);
        assert_eq!(options[1].problem_type, ProblemType::SingleLabel);
        assert_eq!(HeadMetadata::new(&options[1]), metadata.heads[1]);
        let identity = HeadCalibration::default();
        assert_eq!(
            metadata.heads[1].clone().with_calibration(identity),
            metadata.heads[1]
        );
    }

    #[test]
    fn a_calibration_that_does_not_fit_is_refused() {
        for (from, to, expected) in [
            ("1.25", "0.0", "heads.topic.temperature"),
            ("0.375", "1.5", "heads.topic.thresholds.sport"),
            ("\"sport\":0.375", "\"sports\":0.375", "sports"),
        ] {
            let message = heads(&HEADS.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(heads(&HEADS.replace("reads", "read")).is_err());
        assert!(heads(&HEADS.replace("\"politics\"", "\"sport\"")).is_err());
    }
}
