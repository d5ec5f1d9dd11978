//! BERT (Devlin et al. 2019); reference: transformers, `models/bert/modeling_bert.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::layers::{Embeddings, TransformerLayer};
use crate::{EncoderConfig, Mode, Result};

/// Embeddings and a stack of layers that normalize after each sub-layer. The pooler is left out: no head here uses it.
#[derive(Clone, Debug)]
pub struct BertEncoder {
    embeddings: Embeddings,
    layers: Vec<TransformerLayer>,
}

impl BertEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let prefix = config.architecture.prefix();
        let embeddings = Embeddings::load(builder, prefix, config)?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| {
                TransformerLayer::load(builder, &format!("{prefix}encoder.layer.{layer}"), config)
            })
            .collect::<Result<_>>()?;
        Ok(Self { embeddings, layers })
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(batch, mode)?;
        self.layers.iter().try_fold(embedded, |x, layer| {
            layer.forward(&x, &batch.cumulative_lengths, mode)
        })
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        self.embeddings.words()
    }
}
