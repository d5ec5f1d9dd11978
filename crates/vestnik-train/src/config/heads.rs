//! `[[model.heads]]`: what a run learns beside entities.

use serde::{Deserialize, Serialize};
use vestnik_core::LabelSet;
use vestnik_core::metrics::{LabelScores, LangScores};
use vestnik_model::{HeadOptions, ProblemType, Reads};

use crate::config::{ClassWeights, MOST_WEIGHT, NER, is_default, refused, within};
use crate::error::Result;

const CLASS_WEIGHTS: &str = "model.heads.class_weights";

/// A head beside the one for entities.
///
/// ```toml
/// [[model.heads]]
/// task = "stance"
/// reads = "span"
/// labels = ["against", "neutral", "favour"]
/// class_weights = "balanced"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// Name of the task: lower-case letters, digits and `_`. Corpora name it as their `task`.
    pub task: String,
    /// What it reads: a whole "text", or a "span" of it.
    pub reads: Reads,
    /// Its labels, in the order of their ids.
    pub labels: LabelSet,
    /// "single_label_classification" (default): one label holds; "multi_label_classification": any number of them.
    #[serde(default)]
    pub problem_type: ProblemType,
    /// What the loss of the task is multiplied by, 0 to 1000. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub loss_weight: f64,
    /// How much labels weigh in the loss: "balanced", or a table of weights. Where any number of labels hold, the weight is
    /// that of a label that holds. Default: all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Share of the target that is spread over all labels, 0 to 1; where one label holds. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_smoothing: f64,
    /// The measure that counts when the best model is chosen: "accuracy", "macro_f1" (default), "micro_f1" or
    /// "macro_f1_without_neutral".
    #[serde(default, skip_serializing_if = "is_default")]
    pub score: ScoreName,
}

/// A measure of labels; see [`LabelScores`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreName {
    /// The share of examples that were given exactly their labels.
    Accuracy,
    /// Mean F1 of the labels.
    #[default]
    MacroF1,
    /// F1 of all labels together.
    MicroF1,
    /// Mean F1 of all labels but `neutral`.
    MacroF1WithoutNeutral,
}

impl ScoreName {
    /// This one of some scores.
    #[must_use]
    pub fn of(self, scores: &LabelScores) -> f64 {
        match self {
            Self::Accuracy => scores.accuracy,
            Self::MacroF1 => scores.macro_f1,
            Self::MicroF1 => scores.micro_f1,
            Self::MacroF1WithoutNeutral => scores.macro_f1_without_neutral.unwrap_or_default(),
        }
    }

    /// This one of the scores of a language.
    #[must_use]
    pub fn of_lang(self, scores: &LangScores) -> f64 {
        match self {
            Self::Accuracy => scores.accuracy,
            Self::MacroF1 => scores.macro_f1,
            Self::MicroF1 => scores.micro_f1,
            Self::MacroF1WithoutNeutral => scores.macro_f1_without_neutral.unwrap_or_default(),
        }
    }
}

impl HeadConfig {
    /// The head without the settings of its training.
    #[must_use]
    pub fn options(&self) -> HeadOptions {
        HeadOptions {
            task: self.task.clone(),
            reads: self.reads,
            labels: self.labels.clone(),
            problem_type: self.problem_type,
        }
    }

    fn check(&self) -> Result<()> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.task.is_empty() || !self.task.chars().all(allowed) {
            let expected = "a name of lower-case letters, digits and _";
            return Err(refused("model.heads.task", &quoted(&self.task), expected));
        }
        if self.task == NER {
            let expected = "another name: entities have a head of their own, with model.labels";
            return Err(refused("model.heads.task", &quoted(NER), expected));
        }
        if self.labels.len() < 2 && self.problem_type == ProblemType::SingleLabel {
            let expected = "at least two where one of them holds";
            let found = format!("{:?}", self.labels.iter().collect::<Vec<_>>());
            return Err(refused("model.heads.labels", &found, expected));
        }
        let has_neutral = self.labels.id("neutral").is_some();
        if self.score == ScoreName::MacroF1WithoutNeutral && !has_neutral {
            let expected = "a measure of this head, which has no label neutral";
            return Err(refused(
                "model.heads.score",
                &"macro_f1_without_neutral",
                expected,
            ));
        }
        self.check_loss()
    }

    fn check_loss(&self) -> Result<()> {
        within(
            "model.heads.loss_weight",
            self.loss_weight,
            0.0..=MOST_WEIGHT,
        )?;
        within(
            "model.heads.label_smoothing",
            self.label_smoothing,
            0.0..=1.0,
        )?;
        if self.label_smoothing > 0.0 && self.problem_type == ProblemType::MultiLabel {
            let expected = "0 where any number of labels hold";
            return Err(refused(
                "model.heads.label_smoothing",
                &self.label_smoothing,
                expected,
            ));
        }
        match &self.class_weights {
            Some(ClassWeights::ByLabel(weights)) => {
                weights.iter().try_for_each(|(label, &weight)| {
                    if self.labels.id(label).is_none() {
                        let labels: Vec<&str> = self.labels.iter().collect();
                        let expected = format!("labels of the head: {}", labels.join(", "));
                        return Err(refused(CLASS_WEIGHTS, &format!("for {label:?}"), expected));
                    }
                    within(CLASS_WEIGHTS, weight, 0.0..=MOST_WEIGHT)
                })
            }
            _ => Ok(()),
        }
    }
}

/// Refuses heads that cannot be.
pub(super) fn check(heads: &[HeadConfig]) -> Result<()> {
    heads.iter().try_for_each(HeadConfig::check)?;
    for (place, head) in heads.iter().enumerate() {
        if heads[..place].iter().any(|other| other.task == head.task) {
            let found = format!("{} twice", quoted(&head.task));
            return Err(refused("model.heads.task", &found, "each task once"));
        }
    }
    Ok(())
}

/// A name as it stands in a run file.
pub(super) fn quoted(name: &str) -> String {
    format!("{name:?}")
}

fn one() -> f64 {
    1.0
}

fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}
