//! BERT (Devlin et al. 2019); reference: transformers, `models/bert/modeling_bert.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::layers::{Embeddings, LayerNames, TransformerStack};
use crate::{EncoderConfig, Mode, Result};

/// Embeddings and a stack of layers that normalize after each sub-layer. The pooler belongs to the heads that use it.
#[derive(Clone, Debug)]
pub struct BertEncoder {
    embeddings: Embeddings,
    layers: TransformerStack,
}

impl BertEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let layers = format!("{}encoder.layer", config.architecture.prefix());
        let dropout = config.hidden_dropout_prob;
        Ok(Self {
            embeddings: Embeddings::load(builder, config)?,
            layers: TransformerStack::load(builder, &layers, LayerNames::BERT, dropout, config)?,
        })
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(batch, mode)?;
        self.layers.forward(embedded, batch, mode)
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        self.embeddings.words()
    }
}
