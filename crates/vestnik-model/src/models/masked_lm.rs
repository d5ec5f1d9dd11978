//! A masked language model, for pretraining.

use candle_core::{Device, Tensor};
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::heads::MaskedLmHead;
use crate::models::Model;
use crate::{Adaptation, Encoder, HeadKind, LoadReport, Mode, ModelConfig, ModelDir, Result, ops};

/// An encoder with a masked-language-model head, which shares the word embeddings unless `tie_word_embeddings` is false
/// (`BertForMaskedLM` and its like).
pub type MaskedLm = Model<MaskedLmHead>;

impl MaskedLm {
    /// Loads an encoder and its masked-language-model head; a head that is not in the file begins fresh, from `seed`.
    ///
    /// # Errors
    /// [`crate::Error::MissingTensors`] for tensors of the encoder, [`crate::Error::TensorShape`],
    /// [`crate::Error::Weights`].
    pub fn load(dir: &ModelDir, seed: u64, device: &Device) -> Result<(Self, LoadReport)> {
        let mut config = dir.config().clone();
        config.set_head(Some(HeadKind::MaskedLm));
        let checkpoint = dir.checkpoint();
        let prefix = dir.prefix();
        let builder = Builder::new(Some(&checkpoint), prefix, seed, device);
        let (model, report) = Self::build(builder, config)?;
        dir.require(&report, |name| name.starts_with(prefix))?;
        Ok((model, report))
    }

    /// The same model, of which `adaptation` says what learns. It keeps its tensors, but for the factors of low-rank
    /// updates: they are fresh, drawn by `seed`, and those that this model has are left out. Word embeddings that
    /// are frozen are so as output weights, too, where they are tied.
    ///
    /// # Errors
    /// Those of the device.
    pub fn adapted(self, adaptation: &Adaptation, seed: u64) -> Result<Self> {
        let builder = Builder::over(&self.parameters, adaptation, seed);
        Ok(Self::build(builder, self.config)?.0)
    }

    fn build(mut builder: Builder<'_>, config: ModelConfig) -> Result<(Self, LoadReport)> {
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let head = MaskedLmHead::load(&mut builder, &config.encoder)?;
        let (parameters, report) = builder.finish();
        let model = Self {
            config,
            encoder,
            head,
            parameters,
        };
        Ok((model, report))
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
        self.head
            .forward(&places, self.encoder.word_embeddings(), mode)
    }
}
