//! The run file of `train`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vestnik_model::{Adaptation, EncoderConfig, Freeze, Lora, Precision};
use vestnik_text::WindowOptions;

use crate::config::shared::{check_keep_checkpoints, default_keep_checkpoints};
use crate::config::{
    BatchConfig, Dataset, DistillationConfig, HeadConfig, LossConfig, SamplingConfig, SaveDtype,
    ScheduleConfig, adaptation, at_least, heads, is_default, parse, refused, yes,
};
use crate::error::Result;
use crate::optimizer::AdamWConfig;

/// A fine-tuning run for entities, and for whatever else `[[model.heads]]` names.
///
/// ```toml
/// seed = 1
/// epochs = 4
///
/// [model]
/// base = "models/encoder"
/// labels = ["PER", "ORG", "LOC"]
///
/// [[train]]
/// path = "train.jsonl"
///
/// [[dev]]
/// path = "dev.jsonl"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Seed of everything random: fresh weights, order of batches, dropout, sampling. Default 42.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Passes over the training data. Default 3.
    #[serde(default = "default_epochs")]
    pub epochs: u64,
    /// Most updates, whatever the epochs; the schedule ends there. Default: no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Updates between evaluations on `dev`. Default: once at the end of every epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u64>,
    /// Updates between checkpoints. One is also written at every evaluation. Default 500.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: u64,
    /// Checkpoints that are kept, 1 to 1000; a resumption falls back to an older one when the newest is damaged.
    /// Default 2.
    #[serde(default = "default_keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// Evaluations without a better score after which the run ends early. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Arithmetic of matrix products: "f32" (default) or "bf16", whose factors are rounded to 8 bits of precision; weights, sums
    /// and optimizer are f32 either way. On a CPU with AVX-512 and bf16 instructions and on GPUs bf16 is faster.
    #[serde(default)]
    pub precision: Precision,
    /// The tasks by whose scores the best model is chosen, by their mean. Default: all that `dev` has data for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub best_by: Vec<String>,
    /// Number format of the finished model. Default f32.
    #[serde(default)]
    pub save_dtype: SaveDtype,
    /// Fit temperature and least scores of entities to `dev` at the end, and store them with the model. Default false.
    #[serde(default)]
    pub calibrate: bool,
    /// Event files for TensorBoard in `tensorboard/` of the output folder. Default true.
    #[serde(default = "yes")]
    pub tensorboard: bool,
    /// Whether the insides of encoder layers are computed again for the backward pass: less memory for more time. Default
    /// false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gradient_checkpointing: bool,
    /// What to train.
    pub model: RunModel,
    /// How articles are cut.
    #[serde(default)]
    pub windows: WindowConfig,
    /// What keeps its values. Default: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub freeze: Freeze,
    /// Low-rank updates in place of the encoder's own weights. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// Temperatures over corpora and languages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sampling: SamplingConfig,
    /// A larger model to learn from beside the labels. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<DistillationConfig>,
    /// Size of an update.
    #[serde(default)]
    pub batch: BatchConfig,
    /// What is minimised.
    #[serde(default)]
    pub loss: LossConfig,
    /// AdamW.
    #[serde(default)]
    pub optimizer: AdamWConfig,
    /// Learning rate over the run.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Corpora to learn from; at least one.
    pub train: Vec<Dataset>,
    /// Corpora to measure on. With none, the weights of the last step are the result.
    #[serde(default)]
    pub dev: Vec<Dataset>,
}

/// `[model]` of a fine-tuning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunModel {
    /// Folder of the pretrained encoder in the Hugging Face layout.
    pub base: PathBuf,
    /// Entity types, in the order of their ids. Default: the labels of `base`, if it is a tagger already; a run with `heads`
    /// may have none at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Tags of a type: "bio" (default) or "bioes".
    #[serde(default)]
    pub scheme: SchemeName,
    /// "softmax" labels each word by itself, "crf" the words of a text together (a linear-chain conditional random
    /// field). Default: what `base` has where its labels are kept, else "softmax".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadName>,
    /// The heads beside the one for entities. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadConfig>,
}

/// How words are labelled, as written in a run file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadName {
    /// Each by itself.
    Softmax,
    /// All words of a text together.
    Crf,
}

/// Tag scheme as written in a run file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemeName {
    /// `B-`, `I-` and `O`.
    #[default]
    Bio,
    /// `B-`, `I-`, `E-`, `S-` and `O`.
    Bioes,
}

/// `[windows]`: long articles are read in overlapping windows; a word is learnt in the window where it is most central.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowConfig {
    /// Most tokens of a window without special tokens, context included. Default 254.
    pub max_tokens: usize,
    /// Tokens of context on each side of a window. Default 32.
    pub context: usize,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            max_tokens: 254,
            context: 32,
        }
    }
}

impl WindowConfig {
    /// The same, for `vestnik-text`.
    #[must_use]
    pub fn options(&self) -> WindowOptions {
        WindowOptions {
            max_tokens: self.max_tokens,
            context: self.context,
        }
    }
}

impl RunConfig {
    /// Reads a run file with `key=value` overrides laid over it.
    ///
    /// # Errors
    /// [`crate::Error::RunFile`] for TOML that cannot be read, an unknown key or a wrong type,
    /// [`crate::Error::Setting`] for a value out of range, [`crate::Error::Override`] for a malformed override.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self> {
        let config: Self = parse(text, overrides)?;
        config.check()?;
        Ok(config)
    }

    /// Checks the ranges of all values.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for the first value out of range.
    pub fn check(&self) -> Result<()> {
        at_least("epochs", self.epochs, 1)?;
        at_least("max_steps", self.max_steps.unwrap_or(1), 1)?;
        at_least("evaluate_every", self.evaluate_every.unwrap_or(1), 1)?;
        at_least("checkpoint_every", self.checkpoint_every, 1)?;
        check_keep_checkpoints(self.keep_checkpoints)?;
        at_least("patience", self.patience.unwrap_or(1), 1)?;
        at_least("train (number of corpora)", self.train.len(), 1)?;
        check_types(&self.model.labels)?;
        if self.calibrate && self.dev.is_empty() {
            return Err(refused(
                "calibrate",
                &true,
                "data in [[dev]] to calibrate on",
            ));
        }
        heads::check(&self.model.heads)?;
        let heads = &self.model.heads;
        self.train
            .iter()
            .try_for_each(|dataset| dataset.check_train(heads))?;
        self.dev
            .iter()
            .try_for_each(|dataset| dataset.check_dev(heads))?;
        self.check_best_by()?;
        let windows = &self.windows;
        let least = windows.context.saturating_mul(2).saturating_add(1);
        if windows.max_tokens < least {
            return Err(refused(
                "windows.max_tokens",
                &windows.max_tokens,
                format!("at least {least}: room for windows.context on both sides and one token"),
            ));
        }
        adaptation::check(&self.freeze, self.lora.as_ref())?;
        self.sampling.check()?;
        self.distillation
            .as_ref()
            .map_or(Ok(()), DistillationConfig::check)?;
        self.batch.check()?;
        self.loss.check()?;
        self.optimizer.check()?;
        self.schedule.check()
    }

    fn check_best_by(&self) -> Result<()> {
        let measured = |task: &&String| !self.dev.iter().any(|dataset| dataset.task == **task);
        match self.best_by.iter().find(measured) {
            None => Ok(()),
            Some(task) => {
                let found = format!("{task:?}");
                Err(refused(
                    "best_by",
                    &found,
                    "tasks that [[dev]] has data for",
                ))
            }
        }
    }

    /// What of a model with this encoder learns.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for more frozen layers than the encoder has, updates of a rank beyond its width, or no layer
    /// left to update.
    pub fn adaptation(&self, encoder: &EncoderConfig) -> Result<Adaptation> {
        adaptation::adaptation(self.freeze, self.lora.as_ref(), encoder)
    }
}

/// Refuses tags where types of entities belong: tags are made of the types.
fn check_types(labels: &[String]) -> Result<()> {
    let is_tag = |label: &&String| {
        let inside = label.strip_prefix("B-").map(|name| format!("I-{name}"));
        *label == "O" || inside.is_some_and(|inside| labels.contains(&inside))
    };
    match labels.iter().find(is_tag) {
        None => Ok(()),
        Some(tag) => Err(refused(
            "model.labels",
            tag,
            "types of entities such as PER, without O, B- and I-: tags are made of them",
        )),
    }
}

fn default_seed() -> u64 {
    42
}

fn default_epochs() -> u64 {
    3
}

fn default_checkpoint_every() -> u64 {
    500
}
