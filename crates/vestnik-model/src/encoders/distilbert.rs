//! DistilBERT (Sanh et al. 2019); reference: transformers, `models/distilbert/modeling_distilbert.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::layers::{Embeddings, FeedForwardNames, LayerNames, TransformerStack};
use crate::{EncoderConfig, Mode, Result};

const NAMES: LayerNames = LayerNames {
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    feed_forward: FeedForwardNames {
        inner: "ffn.lin1",
        outer: "ffn.lin2",
        norm: "output_layer_norm",
    },
};

/// BERT's computation without segments and without dropout after attention.
#[derive(Clone, Debug)]
pub struct DistilBertEncoder {
    embeddings: Embeddings,
    layers: TransformerStack,
}

impl DistilBertEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let layers = "distilbert.transformer.layer";
        Ok(Self {
            embeddings: Embeddings::load(builder, config)?,
            layers: TransformerStack::load(builder, layers, NAMES, 0.0, config)?,
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
