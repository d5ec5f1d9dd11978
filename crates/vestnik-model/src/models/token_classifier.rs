//! A label for every token of a text.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use vestnik_core::LabelSet;
use vestnik_text::Batch;

use crate::heads::TokenClassificationHead;
use crate::model_dir::write_model;
use crate::weights::Builder;
use crate::{Encoder, Error, LoadReport, Mode, ModelConfig, ModelDir, Parameters, Result};

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
        let labels = dir.config().labels()?;
        let (model, report) = Self::build(dir, dir.config().clone(), labels, 0, device)?;
        dir.require(&report, |_| true)?;
        Ok((model, report))
    }

    /// Puts a fresh head for `labels` on a pretrained encoder; the head's first values follow from `seed`.
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
        let (model, report) = Self::build(dir, config, labels.clone(), seed, device)?;
        dir.require(&report, |name| !name.starts_with("classifier."))?;
        Ok((model, report))
    }

    fn build(
        dir: &ModelDir,
        config: ModelConfig,
        labels: LabelSet,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let checkpoint = dir.checkpoint()?;
        let mut builder = Builder::new(
            Some(&checkpoint),
            config.encoder.architecture.prefix(),
            seed,
            device,
        );
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let head = TokenClassificationHead::load(&mut builder, &config.encoder, labels.len())?;
        let (parameters, report) = builder.finish();
        Ok((
            Self {
                config,
                encoder,
                head,
                labels,
                parameters,
            },
            report,
        ))
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
