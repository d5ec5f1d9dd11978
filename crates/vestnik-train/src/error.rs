//! Everything that can go wrong in a training run.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What failed, with the facts that help to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error("tensor operation failed while {doing}")]
    Tensor {
        /// What was being computed.
        doing: &'static str,
        /// The failure.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] vestnik_model::Error),
    /// Tokenising or decoding failed.
    #[error(transparent)]
    Text(#[from] vestnik_text::Error),
    /// Labels, spans or scores did not fit together.
    #[error(transparent)]
    Core(#[from] vestnik_core::Error),
    /// A file could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was to be done, as a verb: "read", "write", "rename".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// The thread of a run cannot be started.
    #[error("cannot start a thread")]
    Thread {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The thread of a run has failed.
    #[error("the thread of the run has failed")]
    ThreadGone,
    /// A run file is not TOML, or has an unknown key or a value of a wrong type.
    #[error("the run file cannot be read")]
    RunFile {
        /// The failure, with line and key.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Settings cannot be written as JSON.
    #[error("the settings cannot be recorded")]
    Record {
        /// The failure.
        #[source]
        source: serde_json::Error,
    },
    /// A setting has a value outside its range.
    #[error("setting `{key}` is {value}, expected {expected}")]
    Setting {
        /// The key in the run file, with dots between tables.
        key: &'static str,
        /// The value found.
        value: String,
        /// The range.
        expected: String,
    },
    /// The run file is sound without a `key=value` override, and not with it.
    #[error("override `{text}`")]
    OverrideValue {
        /// The override as given.
        text: String,
        /// What is wrong with it.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A `key=value` override has no `=`, or its key does not lead to a value.
    #[error(
        "override `{text}` is not of the form key=value, or leads to no table of the run file (tables are parted by dots, \
         tables of a list are numbered from 0)"
    )]
    Override {
        /// The override as given.
        text: String,
    },
    /// The loss or the norm of the gradient is not a number.
    #[error(
        "{quantity} is {value} in step {step} at learning rate {lr:e}; the batch holds {}",
        shown(examples)
    )]
    NotFinite {
        /// "loss" or "gradient norm".
        quantity: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// The update number, from 1.
        step: u64,
        /// The learning rate of the step.
        lr: f64,
        /// Which examples were in the batch (document ids or piece numbers).
        examples: Vec<String>,
    },
    /// There is nothing to learn from.
    #[error("an epoch would hold no example: the data give {examples}, before sampling by weight")]
    NoExamples {
        /// Examples made of the data.
        examples: usize,
    },
    /// The tokenizer has no mask token, so it cannot serve masked language modelling.
    #[error("the tokenizer has no mask token ([MASK] or <mask>)")]
    MaskTokenMissing,
    /// Texts have more languages than a token cache can tell apart.
    #[error("the texts of a file name more than {most} languages")]
    TooManyLanguages {
        /// Most languages.
        most: usize,
    },
    /// The model has no label for the types of the data, or the like.
    #[error("the label {label:?} of document {document} is not known to the model, which knows {}", known.join(", "))]
    UnknownLabel {
        /// The label in the data.
        label: String,
        /// The document.
        document: String,
        /// The entity types of the model.
        known: Vec<String>,
    },
    /// A text or span has several labels, or none, where exactly one holds.
    #[error("document {document} has the labels {labels:?} where exactly one holds")]
    NotOneLabel {
        /// The document.
        document: String,
        /// Its labels.
        labels: Vec<String>,
    },
    /// The model has no head for a task, or another one than the run file says.
    #[error("the model has no head for the task {task:?}")]
    NoHead {
        /// The task.
        task: String,
    },
    /// The teacher of a distillation has no tag for some of the model's.
    #[error("the teacher has no label {}; it has {}", missing.join(", "), known.join(", "))]
    TeacherLabels {
        /// Tags of the model that the teacher does not have.
        missing: Vec<String>,
        /// Tags of the teacher.
        known: Vec<String>,
    },
    /// The output folder already holds a run and resuming was not asked for.
    #[error("{} already holds a training run; resume it or choose another folder", path.display())]
    OutputExists {
        /// The output folder.
        path: PathBuf,
    },
    /// There is no checkpoint to go on from.
    #[error("no checkpoint to resume from in {}", path.display())]
    CheckpointMissing {
        /// The output folder.
        path: PathBuf,
    },
    /// A checkpoint does not fit the run.
    #[error("checkpoint {} does not fit: {problem}", path.display())]
    CheckpointMismatch {
        /// The file of the checkpoint.
        path: PathBuf,
        /// What differs.
        problem: String,
    },
    /// No checkpoint is as it was written.
    #[error("checkpoint {} is damaged: {problem}", path.display())]
    CheckpointDamaged {
        /// The newest checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The run would go on with other data than it began with.
    #[error("{} changed since the checkpoint {} was written", what.join(", "), path.display())]
    DataChanged {
        /// The files, or "the tokenizer" when the files are the same.
        what: Vec<String>,
        /// The checkpoint.
        path: PathBuf,
    },
    /// The run file was changed between the checkpoint and the resumption.
    #[error("the run file differs from the one of the checkpoint in {}", keys.join(", "))]
    ConfigChanged {
        /// The top-level keys that differ.
        keys: Vec<String>,
    },
}

impl Error {
    /// For `map_err`: an I/O failure at a path.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    /// For `map_err`: a failure of candle.
    pub(crate) fn tensor(doing: &'static str) -> impl FnOnce(candle_core::Error) -> Self {
        move |source| Self::Tensor {
            doing,
            source: Box::new(source),
        }
    }
}

/// At most eight names, then how many more.
fn shown(examples: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = examples
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if examples.len() > SHOWN {
        text.push_str(&format!(" and {} more", examples.len() - SHOWN));
    }
    text
}
