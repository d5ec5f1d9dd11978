//! A label for every token of a text.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use vestnik_core::LabelSet;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::checkpoint::Checkpoint;
use crate::heads::TokenClassificationHead;
use crate::model_dir::write_model;
use crate::{Encoder, Error, LoadReport, Mode, ModelConfig, ModelDir, Parameters, Result};

/// How the names of the head's tensors begin.
const HEAD: &str = "classifier.";

/// An encoder with a token-classification head (`BertForTokenClassification` and its like).
#[derive(Clone, Debug)]
pub struct TokenClassifier {
    config: ModelConfig,
    encoder: Encoder,
    head: TokenClassificationHead,
    labels: LabelSet,
    parameters: Parameters,
}

impl TokenClassifier {
    /// Loads a trained model; every tensor must be there.
    ///
    /// # Errors
    /// [`Error::Labels`] without a label map, [`Error::MissingTensors`], [`Error::TensorShape`], [`Error::Weights`].
    pub fn load(dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_with(dir, |checkpoint| {
            Builder::new(Some(checkpoint), dir.prefix(), 0, device)
        })
    }

    /// [`Self::load`] for inference alone: no gradients can be had, and a forward pass keeps no activations.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_frozen(dir: &ModelDir, device: &Device) -> Result<(Self, LoadReport)> {
        Self::load_with(dir, |checkpoint| {
            Builder::new(Some(checkpoint), dir.prefix(), 0, device).frozen()
        })
    }

    fn load_with(
        dir: &ModelDir,
        builder: impl for<'a> FnOnce(&'a Checkpoint<'a>) -> Builder<'a>,
    ) -> Result<(Self, LoadReport)> {
        let labels = dir.config().labels()?;
        let checkpoint = dir.checkpoint()?;
        let (model, report) = Self::build(builder(&checkpoint), dir.config().clone(), labels)?;
        dir.require(&report, |_| true)?;
        Ok((model, report))
    }

    /// Puts a fresh head for `labels` on a pretrained encoder; the head's first values follow from `seed`. A head in the
    /// checkpoint is left aside, since it is for other labels.
    ///
    /// # Errors
    /// As [`Self::load`], but only the encoder's tensors must be there.
    pub fn with_fresh_head(
        dir: &ModelDir,
        labels: &LabelSet,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let config = dir.config().with_labels(labels);
        let checkpoint = dir.checkpoint()?;
        let builder = Builder::new(Some(&checkpoint), dir.prefix(), seed, device).fresh_head(HEAD);
        let (model, report) = Self::build(builder, config, labels.clone())?;
        dir.require(&report, |name| !name.starts_with(HEAD))?;
        Ok((model, report))
    }

    fn build(
        mut builder: Builder<'_>,
        config: ModelConfig,
        labels: LabelSet,
    ) -> Result<(Self, LoadReport)> {
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let head = TokenClassificationHead::load(&mut builder, &config.encoder, labels.len())?;
        let (parameters, report) = builder.finish();
        let model = Self {
            config,
            encoder,
            head,
            labels,
            parameters,
        };
        Ok((model, report))
    }

    /// Logits of every token.
    ///
    /// **Shapes** a packed batch of `tokens` tokens → `[tokens, labels]`, `f32`.
    ///
    /// # Errors
    /// [`Error::TooLong`] for a sequence beyond the position table, [`Error::TokenId`] for an id beyond the vocabulary.
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.head.forward(&self.encoder.forward(batch, mode)?, mode)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Names of the outputs.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The encoder alone.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// All trainable tensors.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Writes `config.json` and `model.safetensors` in the Hugging Face layout, each beside and renamed.
    ///
    /// # Errors
    /// [`Error::File`] when the directory cannot be written.
    pub fn save(&self, dir: &Path, dtype: DType) -> Result<()> {
        write_model(dir, &self.config, &self.parameters, dtype)
    }
}

impl ModelDir {
    /// The prefix of the encoder's tensors in a checkpoint with a head.
    pub(crate) fn prefix(&self) -> &'static str {
        self.config().encoder.architecture.prefix()
    }

    /// Refuses a load that left tensors for which `needed` holds without a value.
    pub(crate) fn require(&self, report: &LoadReport, needed: impl Fn(&str) -> bool) -> Result<()> {
        let names: Vec<String> = report
            .missing
            .iter()
            .filter(|name| needed(name))
            .cloned()
            .collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(Error::MissingTensors {
                path: self.path().into(),
                names,
            })
        }
    }
}
