//! ELECTRA (Clark et al. 2020); reference: transformers, `models/electra/modeling_electra.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::layers::{Embeddings, LayerNames, Linear, TransformerStack};
use crate::{EncoderConfig, Mode, Result};

/// BERT's computation with embeddings of a width of their own, which an affine layer brings to the hidden width.
#[derive(Clone, Debug)]
pub struct ElectraEncoder {
    embeddings: Embeddings,
    projection: Option<Linear>,
    layers: TransformerStack,
}

impl ElectraEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let (narrow, wide) = (config.embedding_size, config.hidden_size);
        let deviation = config.initializer_range;
        let dropout = config.hidden_dropout_prob;
        let embeddings = Embeddings::load(builder, config)?;
        let projection = (narrow != wide)
            .then(|| {
                Linear::load(
                    builder,
                    "electra.embeddings_project",
                    narrow,
                    wide,
                    deviation,
                )
            })
            .transpose()?;
        let layers = "electra.encoder.layer";
        Ok(Self {
            embeddings,
            projection,
            layers: TransformerStack::load(builder, layers, LayerNames::BERT, dropout, config)?,
        })
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(batch, mode)?;
        let embedded = match &self.projection {
            Some(projection) => projection.forward(&embedded, mode)?,
            None => embedded,
        };
        self.layers.forward(embedded, batch, mode)
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        self.embeddings.words()
    }
}
