//! Embeddings as BERT and its descendants begin with them.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::layers::{EmbeddingTables, LayerNorm};
use crate::{EncoderConfig, Mode, Result, ops};

/// Word, position and segment embeddings, added, normalized and dropped out.
#[derive(Clone, Debug)]
pub(crate) struct Embeddings {
    tables: EmbeddingTables,
    norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let norm = format!("{}embeddings.LayerNorm", config.architecture.prefix());
        Ok(Self {
            tables: EmbeddingTables::load(builder, config, true)?,
            norm: LayerNorm::load(builder, &norm, config.embedding_size, config.layer_norm_eps)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// The word embedding table `[vocabulary, embedding]`.
    pub(crate) fn words(&self) -> &Tensor {
        self.tables.words()
    }

    /// → `[tokens, embedding]`.
    pub(crate) fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let normal = self.norm.forward(&self.tables.forward(batch, mode)?)?;
        Ok(ops::dropout(&normal, self.dropout, mode)?)
    }
}
