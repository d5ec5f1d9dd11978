//! The run file of `pretrain`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vestnik_model::{Adaptation, EncoderConfig, Freeze, Lora, Precision};

use crate::config::shared::{check_keep_checkpoints, default_keep_checkpoints};
use crate::config::{
    BatchConfig, MOST_WEIGHT, SamplingConfig, SaveDtype, ScheduleConfig, adaptation, at_least,
    is_default, parse, within, yes,
};
use crate::error::Result;
use crate::optimizer::AdamWConfig;

/// A masked-language-modelling run.
///
/// ```toml
/// steps = 20000
///
/// [model]
/// base = "models/encoder"
///
/// [[text]]
/// path = "text.jsonl"
///
/// [languages]
/// bg = 3.0
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainConfig {
    /// Seed of everything random: fresh weights, order of batches, masks, dropout. Default 42.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Updates of the run; the texts are read as often as it takes.
    pub steps: u64,
    /// Tokens of a piece of text, without special tokens; longer texts are cut between words into pieces of about equal
    /// length. Default 126.
    #[serde(default = "default_piece_tokens")]
    pub piece_tokens: usize,
    /// Pieces kept aside, drawn by the seed, to measure on. Default 256.
    #[serde(default = "default_dev_pieces")]
    pub dev_pieces: usize,
    /// Updates between evaluations on the pieces kept aside. Default 1000.
    #[serde(default = "default_evaluate_every")]
    pub evaluate_every: u64,
    /// Updates between checkpoints. One is also written at every evaluation. Default 500.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: u64,
    /// Arithmetic of matrix products: "f32" (default) or "bf16", whose factors are rounded to 8 bits of precision; weights, sums
    /// and optimizer are f32 either way. On a CPU with AVX-512 and bf16 instructions and on GPUs bf16 is faster.
    #[serde(default)]
    pub precision: Precision,
    /// Checkpoints that are kept, 1 to 1000; a resumption falls back to an older one when the newest is damaged.
    /// Default 2.
    #[serde(default = "default_keep_checkpoints")]
    pub keep_checkpoints: usize,
    /// Number format of the finished model. Default f32.
    #[serde(default)]
    pub save_dtype: SaveDtype,
    /// Event files for TensorBoard in `tensorboard/` of the output folder. Default true.
    #[serde(default = "yes")]
    pub tensorboard: bool,
    /// Whether the insides of encoder layers are computed again for the backward pass: less memory for more time. Default
    /// false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gradient_checkpointing: bool,
    /// What to train.
    pub model: PretrainModel,
    /// What is hidden.
    #[serde(default)]
    pub masking: MaskingConfig,
    /// What keeps its values. Default: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub freeze: Freeze,
    /// Low-rank updates in place of the encoder's own weights. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// Folder for the tokenised texts, so that they are tokenised once; it can be that of several runs, one after the
    /// other. Default: `tokens` in the output folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Temperatures over corpora and languages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sampling: SamplingConfig,
    /// Size of an update.
    #[serde(default)]
    pub batch: BatchConfig,
    /// AdamW.
    #[serde(default)]
    pub optimizer: AdamWConfig,
    /// Learning rate over the run.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Texts to learn from; at least one file.
    pub text: Vec<TextSource>,
    /// How often the texts of a language are seen in an epoch; multiplied with the weight of the file. Default 1 for each.
    #[serde(default)]
    pub languages: BTreeMap<String, f64>,
}

/// `[model]` of a pretraining run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainModel {
    /// Folder of the encoder to begin with, in the Hugging Face layout: `config.json`, `tokenizer.json` and, unless the
    /// weights are to be drawn, `model.safetensors`.
    pub base: PathBuf,
}

/// A file of raw texts. It is read by the caller; this crate gets texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSource {
    /// The file.
    pub path: PathBuf,
    /// How often its pieces are seen in an epoch: 0.5 is a random half (another one in each epoch), 2 is twice. Default 1.
    #[serde(default = "default_weight")]
    pub weight: f64,
}

/// `[masking]`: which tokens are hidden, and behind what (Devlin et al. 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskingConfig {
    /// Share of the tokens to be foretold, 0.001 to 0.9. Default 0.2.
    pub rate: f64,
    /// Share of them that becomes the mask token. Default 0.8.
    pub mask: f64,
    /// Share of them that becomes a random token; the rest stays as it is. Default 0.1.
    pub random: f64,
    /// Hide whole words, not single tokens. Default true.
    pub whole_words: bool,
}

impl Default for MaskingConfig {
    fn default() -> Self {
        Self {
            rate: 0.2,
            mask: 0.8,
            random: 0.1,
            whole_words: true,
        }
    }
}

impl MaskingConfig {
    fn check(&self) -> Result<()> {
        within("masking.rate", self.rate, 0.001..=0.9)?;
        within("masking.mask", self.mask, 0.0..=1.0)?;
        within("masking.random", self.random, 0.0..=1.0)?;
        within(
            "masking.mask + masking.random",
            self.mask + self.random,
            0.0..=1.0,
        )
    }
}

impl PretrainConfig {
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
        at_least("steps", self.steps, 1)?;
        at_least("piece_tokens", self.piece_tokens, 8)?;
        at_least("evaluate_every", self.evaluate_every, 1)?;
        at_least("checkpoint_every", self.checkpoint_every, 1)?;
        check_keep_checkpoints(self.keep_checkpoints)?;
        at_least("text (number of files)", self.text.len(), 1)?;
        for source in &self.text {
            within("text.weight", source.weight, 0.0..=MOST_WEIGHT)?;
        }
        for &weight in self.languages.values() {
            within("languages", weight, 0.0..=MOST_WEIGHT)?;
        }
        self.masking.check()?;
        adaptation::check(&self.freeze, self.lora.as_ref())?;
        self.sampling.check()?;
        self.batch.check()?;
        self.optimizer.check()?;
        self.schedule.check()
    }

    /// What of a model with this encoder learns.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for more frozen layers than the encoder has, updates of a rank beyond its width, or no layer
    /// left to update.
    pub fn adaptation(&self, encoder: &EncoderConfig) -> Result<Adaptation> {
        adaptation::adaptation(self.freeze, self.lora.as_ref(), encoder)
    }

    /// How often a text of this file weight and language is seen in an epoch.
    #[must_use]
    pub fn weight(&self, source: &TextSource, lang: Option<&str>) -> f64 {
        source.weight
            * lang
                .and_then(|lang| self.languages.get(lang))
                .unwrap_or(&1.0)
    }
}

fn default_seed() -> u64 {
    42
}

fn default_piece_tokens() -> usize {
    126
}

fn default_dev_pieces() -> usize {
    256
}

fn default_evaluate_every() -> u64 {
    1000
}

fn default_checkpoint_every() -> u64 {
    500
}

fn default_weight() -> f64 {
    1.0
}
