//! From the outputs of a model for mentions to stances.

use vestnik_core::{LabelSet, Stance, StanceLabel};

use crate::error::{Error, Result};
use crate::head_metadata::HeadCalibration;
use crate::probabilities::softmax;

/// What the outputs for a mention mean.
///
/// The stance is the most probable one; where it does not reach its threshold and the model has an output for neutral, it
/// is neutral.
#[derive(Debug)]
pub(crate) struct StanceScores {
    /// By output.
    labels: Vec<StanceLabel>,
    temperature: f64,
    /// By output.
    thresholds: Vec<f64>,
}

impl StanceScores {
    /// # Errors
    /// [`Error::StanceLabels`] unless every output is a stance, against and favour are among them, and none occurs twice.
    pub(crate) fn new(labels: &LabelSet, calibration: &HeadCalibration) -> Result<Self> {
        let threshold = |label: &str| calibration.thresholds.get(label).copied().unwrap_or(0.0);
        Ok(Self {
            thresholds: labels.iter().map(threshold).collect(),
            labels: stances(labels).ok_or_else(|| Error::StanceLabels {
                labels: labels.iter().map(str::to_owned).collect(),
            })?,
            temperature: calibration.temperature,
        })
    }

    /// The stance towards a mention with these outputs.
    pub(crate) fn stance(&self, logits: &[f32]) -> Stance {
        let probabilities = softmax(logits, self.temperature);
        let of = |label: StanceLabel| {
            let output = self.labels.iter().position(|&other| other == label);
            output.map_or(0.0, |output| probabilities[output])
        };
        let better = |best: usize, output: usize| match probabilities[output] > probabilities[best]
        {
            true => output,
            false => best,
        };
        let best = (0..probabilities.len()).fold(0, better);
        let has_neutral = self.labels.contains(&StanceLabel::Neutral);
        let is_sure = probabilities[best] >= self.thresholds[best];
        let label = match is_sure || !has_neutral {
            true => self.labels[best],
            false => StanceLabel::Neutral,
        };
        Stance {
            label,
            score: of(label) as f32,
            polarity: (of(StanceLabel::Favour) - of(StanceLabel::Against)) as f32,
        }
    }
}

/// The stances that outputs mean by their names.
pub(crate) fn stances(labels: &LabelSet) -> Option<Vec<StanceLabel>> {
    let found: Option<Vec<StanceLabel>> = labels.iter().map(StanceLabel::of_output).collect();
    let found = found?;
    let count = |label| found.iter().filter(|&&other| other == label).count();
    let [against, neutral, favour] = StanceLabel::ALL.map(count);
    (against == 1 && favour == 1 && neutral <= 1).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(labels: &[&str], threshold: Option<(&str, f64)>) -> Result<StanceScores> {
        let thresholds = threshold
            .into_iter()
            .map(|(label, x)| (label.to_owned(), x));
        let calibration = HeadCalibration {
            thresholds: thresholds.collect(),
            ..HeadCalibration::default()
        };
        StanceScores::new(&LabelSet::new(labels.to_vec()).unwrap(), &calibration)
    }

    #[test]
    fn outputs_are_known_by_their_names() {
        let logits = [1_f32, 2.0, 5.0].map(f32::ln);
        for (labels, label, polarity) in [
            (&["against", "neutral", "favour"], StanceLabel::Favour, 0.5),
            (
                &["Positive", "Negative", "Neutral"],
                StanceLabel::Neutral,
                -0.125,
            ),
            (&["FAVOR", "NONE", "AGAINST"], StanceLabel::Against, -0.5),
        ] {
            let stance = scores(labels, None).unwrap().stance(&logits);
            assert_eq!((stance.label, stance.score), (label, 0.625));
            assert!((stance.polarity - polarity).abs() < 1e-6, "{stance:?}");
        }
    }

    #[test]
    fn a_stance_below_its_threshold_is_neutral() {
        let labels = ["against", "neutral", "favour"];
        let logits = [1_f32, 2.0, 5.0].map(f32::ln);
        let unsure = scores(&labels, Some(("favour", 0.7)))
            .unwrap()
            .stance(&logits);
        assert_eq!((unsure.label, unsure.score), (StanceLabel::Neutral, 0.25));
        assert!((unsure.polarity - 0.5).abs() < 1e-6);
        let sure = scores(&labels, Some(("favour", 0.6)))
            .unwrap()
            .stance(&logits);
        assert_eq!(sure.label, StanceLabel::Favour);
        // Nothing to fall back on.
        let two = scores(&["against", "favour"], Some(("favour", 0.9))).unwrap();
        assert_eq!(two.stance(&logits[1..]).label, StanceLabel::Favour);
    }

    #[test]
    fn other_outputs_are_refused() {
        for labels in [
            &["against", "favour", "query"][..],
            &["against", "neutral"],
            &["LABEL_0", "LABEL_1", "LABEL_2"],
            &["favour", "favor", "against"],
        ] {
            let error = scores(labels, None).unwrap_err();
            assert!(matches!(error, Error::StanceLabels { .. }), "{labels:?}");
        }
    }
}
