//! What can go wrong in inference.

use std::time::Duration;

use vestnik_text::Aggregation;

use crate::device::DeviceChoice;
use crate::dtype::Dtype;
use crate::task::Task;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of inference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no model in it (feature `embedded-model`).
    #[error("this build of vestnik has no model in it")]
    NotEmbedded,
    /// A device name that is none.
    #[error("`{text}` is no device: expected auto, cpu, cuda or cuda:N")]
    UnknownDevice {
        /// What was given.
        text: String,
    },
    /// A device that was asked for is not there.
    #[error("device {choice} is not available: {reason}")]
    Device {
        /// What was asked for.
        choice: DeviceChoice,
        /// Why it is not there.
        reason: String,
    },
    /// Nothing to measure on.
    #[error("no text has a token to measure on")]
    NoTexts,
    /// Numbers that an encoder is not computed in.
    #[error(
        "{dtype} is not computed on {device}, expected {}",
        alternatives(known)
    )]
    Dtype {
        /// What was asked for.
        dtype: Dtype,
        /// Where.
        device: &'static str,
        /// What is computed there.
        known: &'static [Dtype],
    },
    /// A name of a task that is none.
    #[error("{name:?} is no task, expected ner, topic or stance")]
    UnknownTask {
        /// What was given.
        name: String,
    },
    /// A task that the model has no head for.
    #[error(
        "the model has no head for the task \"{task}\"; it has: {}",
        names(known)
    )]
    MissingTask {
        /// What was asked for.
        task: Task,
        /// What it can do.
        known: Vec<Task>,
    },
    /// A target that is no part of its text.
    #[error("target {index} is no part of the text")]
    Target {
        /// Which of the targets, counted from 0.
        index: usize,
        /// Why not.
        #[source]
        source: vestnik_core::Error,
    },
    /// A text took longer than [`Options::text_time`](crate::Options) allows; the others of the call were not read to their
    /// end.
    #[error("reading the text took longer than the {} s that are allowed", limit.as_secs_f64())]
    TimeLimit {
        /// Which of the texts of the call, counted from 0.
        text: usize,
        /// The time that was allowed.
        limit: Duration,
    },
    /// The threads that were asked for cannot be started.
    #[error("cannot start the threads")]
    Threads {
        /// Why not.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// The thread of an asynchronous model cannot be started.
    #[cfg(feature = "tokio")]
    #[error("cannot start a thread")]
    Thread {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The thread of an asynchronous model has failed.
    #[cfg(feature = "tokio")]
    #[error("the thread of the model has failed")]
    ThreadGone,
    /// A record that cannot be written as JSON.
    #[error("cannot write a record")]
    Record {
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The outputs of a head or model are no stances.
    #[error(
        "the model's labels are {}: expected against, neutral and favour (or negative, neutral and positive)",
        labels.join(", ")
    )]
    StanceLabels {
        /// The labels of the model.
        labels: Vec<String>,
    },
    /// `vestnik.json` is not of the form that is expected.
    #[error("vestnik.json is not understood")]
    Metadata {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// `vestnik.json` was written by another version.
    #[error("vestnik.json has format_version {found}, this version reads {known}")]
    MetadataVersion {
        /// The version of the file.
        found: u32,
        /// The version that is read.
        known: u32,
    },
    /// A number of the calibration in `vestnik.json`, or a least score that was asked for, is out of range.
    #[error("calibration: {key} is {value}, expected {expected}")]
    Calibration {
        /// Where it is.
        key: String,
        /// The value.
        value: f64,
        /// The range.
        expected: &'static str,
    },
    /// The calibration in `vestnik.json` names a label that the model does not have.
    #[error("calibration: min_scores has the label {label:?}, the model knows {}", known.join(", "))]
    CalibrationLabel {
        /// The label.
        label: String,
        /// The labels of the model.
        known: Vec<String>,
    },
    /// Least scores are made for the scores of one way of grouping alone.
    #[error("a calibration is made for the aggregation viterbi, not for {aggregation}")]
    CalibrationAggregation {
        /// What was asked for.
        aggregation: Aggregation,
    },
    /// Windows that the model cannot take.
    #[error(
        "windows of {tokens} tokens with {context} of context on each side do not fit: \
         the model has room for {available}"
    )]
    Window {
        /// Tokens of a window.
        tokens: usize,
        /// Context on each side.
        context: usize,
        /// Tokens that the model can take beside the special ones.
        available: usize,
    },
    /// Tokens of one forward pass must be at least one.
    #[error("a batch must have room for at least one token")]
    BatchTokens,
    /// The labels of the model are no tags of entities.
    #[error("the model's labels are no entity tags")]
    Labels {
        /// Why.
        #[source]
        source: vestnik_core::Error,
    },
    /// A template for hypotheses without a place for the label, or with several.
    #[error("the template {template:?} has {found} places {{}} for a label, expected one")]
    Template {
        /// The template.
        template: String,
        /// How often `{}` is in it.
        found: usize,
    },
    /// A classifier that does not say whether one text follows from another.
    #[error(
        "the model's labels are {}: no entailment among them, so it is no model for zero-shot classification",
        labels.join(", ")
    )]
    NoEntailment {
        /// The labels of the model.
        labels: Vec<String>,
    },
    /// A label that the tokenizer does not see, as in a script that it was not made for.
    #[error("the label {label:?} is unreadable for this model: its tokenizer knows no part of it")]
    UnreadableLabel {
        /// The label.
        label: String,
    },
    /// A hypothesis that leaves the model no room for a text.
    #[error(
        "the hypothesis for the label {label:?} has {tokens} tokens, the model has room for {available} beside a text"
    )]
    LongHypothesis {
        /// The label.
        label: String,
        /// Tokens of the hypothesis.
        tokens: usize,
        /// Tokens that it may have.
        available: usize,
    },
    /// The file of a classifier of few examples is not of the form that is expected.
    #[error("the classifier is not understood")]
    Head {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The file of a classifier of few examples was written by another version.
    #[error("the classifier has format_version {found}, this version reads {known}")]
    HeadVersion {
        /// The version of the file.
        found: u32,
        /// The version that is read.
        known: u32,
    },
    /// A classifier of few examples is used with another encoder than the one it was fitted to.
    #[error("the classifier was fitted to another model, {model:?}")]
    HeadEncoder {
        /// The name of that model.
        model: String,
    },
    /// Examples that no classifier can be fitted to, or features that are not those of its examples.
    #[error("examples: {problem}")]
    Examples {
        /// What is wrong with them.
        problem: &'static str,
    },
    /// From the hub: no such model, or it cannot be fetched.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] vestnik_hub::Error),
    /// From the label set: no labels, an empty one, or one that occurs twice.
    #[error(transparent)]
    Core(#[from] vestnik_core::Error),
    /// From the text side: tokenizer, words, windows.
    #[error(transparent)]
    Text(#[from] vestnik_text::Error),
    /// From the model.
    #[error(transparent)]
    Model(#[from] vestnik_model::Error),
    /// From a tensor operation.
    #[error("cannot compute {doing}")]
    Tensor {
        /// What was computed.
        doing: &'static str,
        /// Why not.
        #[source]
        source: Box<candle_core::Error>,
    },
}

fn names(tasks: &[Task]) -> String {
    let names: Vec<&str> = tasks.iter().map(|task| task.as_str()).collect();
    names.join(", ")
}

impl Error {
    /// Whether the memory of a device did not hold what was to be computed.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let first: &(dyn std::error::Error + 'static) = self;
        // CUDA's name of the error; candle hands on the driver's.
        std::iter::successors(Some(first), |error| error.source())
            .any(|error| error.to_string().contains("CUDA_ERROR_OUT_OF_MEMORY"))
    }

    /// The same about texts that stand behind `n` others of a call.
    pub(crate) fn behind(self, n: usize) -> Self {
        match self {
            Self::TimeLimit { text, limit } => Self::TimeLimit {
                text: text + n,
                limit,
            },
            other => other,
        }
    }
}

/// "a, b or c".
fn alternatives(dtypes: &[Dtype]) -> String {
    let names: Vec<String> = dtypes.iter().map(Dtype::to_string).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_device_are_listed() {
        let known = &[Dtype::F32, Dtype::Tf32, Dtype::Bf16];
        let error = Error::Dtype {
            dtype: Dtype::Int8,
            device: "GPUs",
            known,
        };
        let expected = "int8 is not computed on GPUs, expected f32, tf32 or bf16";
        assert_eq!(error.to_string(), expected);
        assert_eq!(alternatives(&known[..1]), "f32");
    }

    #[test]
    fn a_text_is_told_by_its_place_among_all() {
        let limit = Duration::from_secs(1);
        let error = Error::TimeLimit { text: 1, limit }.behind(40);
        assert!(matches!(error, Error::TimeLimit { text: 41, .. }));
        assert!(matches!(Error::BatchTokens.behind(40), Error::BatchTokens));
    }
}
