//! A masked language model, for pretraining.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::heads::MaskedLmHead;
use crate::model_dir::write_model;
use crate::{Encoder, LoadReport, Mode, ModelConfig, ModelDir, Parameters, Result, ops};

/// An encoder with a masked-language-model head that shares the word embeddings (`BertForMaskedLM` and its like).
#[derive(Clone, Debug)]
pub struct MaskedLm {
    config: ModelConfig,
    encoder: Encoder,
    head: MaskedLmHead,
    parameters: Parameters,
}

impl MaskedLm {
    /// Loads an encoder and its masked-language-model head; a head that is not in the file begins fresh, from `seed`.
    ///
    /// # Errors
    /// [`crate::Error::MissingTensors`] for tensors of the encoder, [`crate::Error::TensorShape`],
    /// [`crate::Error::Weights`].
    pub fn load(dir: &ModelDir, seed: u64, device: &Device) -> Result<(Self, LoadReport)> {
        let mut config = dir.config().clone();
        config.set_head("MaskedLM");
        let checkpoint = dir.checkpoint()?;
        let prefix = config.encoder.architecture.prefix();
        let mut builder = Builder::new(Some(&checkpoint), prefix, seed, device);
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let head = MaskedLmHead::load(&mut builder, &config.encoder)?;
        let (parameters, report) = builder.finish();
        dir.require(&report, |name| name.starts_with(prefix))?;
        Ok((
            Self {
                config,
                encoder,
                head,
                parameters,
            },
            report,
        ))
    }

    /// Logits over the vocabulary at some tokens of a packed batch (indices into all its tokens).
    ///
    /// **Shapes** `places` positions → `[places, vocabulary]`, `f32`.
    ///
    /// # Errors
    /// As [`Encoder::forward`]; also when a position is beyond the batch.
    pub fn logits(&self, batch: &Batch, positions: &[u32], mode: Mode<'_>) -> Result<Tensor> {
        let hidden_states = self.encoder.forward(batch, mode)?;
        let places = ops::gather_rows(&hidden_states, positions)?;
        self.head.forward(&places, self.encoder.word_embeddings())
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
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
    /// [`crate::Error::File`] when the directory cannot be written.
    pub fn save(&self, dir: &Path, dtype: DType) -> Result<()> {
        write_model(dir, &self.config, &self.parameters, dtype)
    }
}
