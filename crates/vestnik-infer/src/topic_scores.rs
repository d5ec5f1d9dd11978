//! From the outputs of a model for texts to the topics that hold.

use vestnik_core::{LabelSet, Topic};
use vestnik_model::ProblemType;

use crate::calibration::refused;
use crate::error::Result;
use crate::head_fit::reaches;
use crate::head_metadata::HeadCalibration;
use crate::options::Options;
use crate::probabilities::{sigmoids, softmax};

/// The topic of a text that has none of the model's topics.
pub const OTHER_TOPIC: &str = "other";

/// What the outputs for a text mean.
///
/// Where one label holds, it is the most probable one; where any number hold, those with a probability of at least their
/// threshold, most probable first. Where none reaches its threshold the topic is [`OTHER_TOPIC`], with the probability that
/// the most probable label does not hold.
#[derive(Debug)]
pub(crate) struct TopicScores {
    labels: LabelSet,
    problem_type: ProblemType,
    temperature: f64,
    /// By label.
    thresholds: Vec<f64>,
}

impl TopicScores {
    pub(crate) fn new(
        labels: &LabelSet,
        problem_type: ProblemType,
        calibration: &HeadCalibration,
        options: &Options,
    ) -> Result<Self> {
        if let Some(score) = options.min_topic_score
            && !(0.0..=1.0).contains(&score)
        {
            return Err(refused("min_topic_score", score, "a number from 0 to 1"));
        }
        let default = match problem_type {
            ProblemType::SingleLabel => 0.0,
            ProblemType::MultiLabel => 0.5,
        };
        let threshold = |label: &str| {
            let of_model = calibration.thresholds.get(label).copied();
            options.min_topic_score.or(of_model).unwrap_or(default)
        };
        Ok(Self {
            thresholds: labels.iter().map(threshold).collect(),
            labels: labels.clone(),
            problem_type,
            temperature: calibration.temperature,
        })
    }

    pub(crate) fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The topics of a text with these outputs.
    pub(crate) fn topics(&self, logits: &[f32]) -> Vec<Topic> {
        let probabilities = match self.problem_type {
            ProblemType::SingleLabel => softmax(logits, self.temperature),
            ProblemType::MultiLabel => sigmoids(logits, self.temperature),
        };
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        if self.problem_type == ProblemType::SingleLabel {
            order.truncate(1);
        }
        let best = order.first().map_or(0.0, |&label| probabilities[label]);
        order.retain(|&label| reaches(probabilities[label], self.thresholds[label]));
        if order.is_empty() {
            return vec![Topic::new(OTHER_TOPIC, (1.0 - best) as f32)];
        }
        let topic = |label: usize| {
            let name = self.labels.label(label).unwrap_or_default();
            Topic::new(name, probabilities[label] as f32)
        };
        order.into_iter().map(topic).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        problem_type: ProblemType,
        thresholds: &[(&str, f64)],
        min_topic_score: Option<f64>,
        expected: &[(&str, f32)],
    ) {
        let labels = LabelSet::new(["a", "b", "c"]).unwrap();
        let thresholds = thresholds.iter().map(|&(label, x)| (label.to_owned(), x));
        let calibration = HeadCalibration {
            temperature: 2.0,
            thresholds: thresholds.collect(),
        };
        let options = Options {
            min_topic_score,
            ..Options::default()
        };
        let scores = TopicScores::new(&labels, problem_type, &calibration, &options).unwrap();
        // Halved: ln 1, ln 3, ln 4, so that the softmax is 1/8, 3/8, 4/8 and the sigmoids 1/2, 3/4, 4/5.
        let topics = scores.topics(&[0.0, 2.0 * 3_f32.ln(), 2.0 * 4_f32.ln()]);
        let found: Vec<(&str, f32)> = topics
            .iter()
            .map(|topic| (topic.label.as_str(), (topic.score * 1e4).round() / 1e4))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_label_holds() {
        let single = ProblemType::SingleLabel;
        check(single, &[], None, &[("c", 0.5)]);
        check(single, &[("b", 1.0), ("c", 0.4)], None, &[("c", 0.5)]);
        check(single, &[("c", 0.6)], None, &[("other", 0.5)]);
        check(single, &[("c", 0.6)], Some(0.0), &[("c", 0.5)]);
    }

    #[test]
    fn any_number_of_labels_hold() {
        let multi = ProblemType::MultiLabel;
        check(multi, &[], None, &[("c", 0.8), ("b", 0.75), ("a", 0.5)]);
        check(multi, &[("c", 0.9)], None, &[("b", 0.75), ("a", 0.5)]);
        check(multi, &[("c", 0.9)], Some(0.76), &[("c", 0.8)]);
        check(multi, &[], Some(0.9), &[("other", 0.2)]);
    }

    #[test]
    fn a_threshold_of_1_is_not_reached_by_rounding() {
        let labels = LabelSet::new(["a", "b"]).unwrap();
        let calibration = HeadCalibration {
            thresholds: [("a".to_owned(), 1.0)].into(),
            ..HeadCalibration::default()
        };
        let options = Options::default();
        let scores =
            TopicScores::new(&labels, ProblemType::MultiLabel, &calibration, &options).unwrap();
        let found = scores.topics(&[99.0, 1.0]);
        assert!(found.len() == 1 && found[0].label == "b", "{found:?}");
    }

    #[test]
    fn a_least_score_is_a_probability() {
        let labels = LabelSet::new(["a"]).unwrap();
        let options = Options::default().with_min_topic_score(1.01);
        let identity = HeadCalibration::default();
        let error = TopicScores::new(&labels, ProblemType::MultiLabel, &identity, &options);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("min_topic_score is 1.01"), "{message}");
    }
}
