//! Embeddings of the distances between tokens, which all layers share.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::{Builder, Init};
use crate::config::DebertaV2Options;
use crate::layers::LayerNorm;
use crate::ops::RelativePositions;
use crate::{EncoderConfig, Result};

/// A table of embeddings of distances, with or without a layer norm.
#[derive(Clone, Debug)]
pub(super) struct RelativeEmbeddings {
    table: Tensor,
    norm: Option<LayerNorm>,
    positions: RelativePositions,
}

/// The embeddings of those distances that a batch has.
pub(super) struct RelativeRows {
    /// `[rows, hidden]`.
    pub(super) embeddings: Tensor,
    /// The row of the whole table with which they begin.
    pub(super) first_row: usize,
    pub(super) positions: RelativePositions,
}

impl RelativeEmbeddings {
    /// None where no score comes of distances.
    pub(super) fn load(
        builder: &mut Builder<'_>,
        config: &EncoderConfig,
        options: &DebertaV2Options,
    ) -> Result<Option<Self>> {
        if !options.has_position_scores() {
            return Ok(None);
        }
        let positions = options.positions();
        let (width, eps) = (config.hidden_size, config.layer_norm_eps);
        let table = builder.tensor(
            "deberta.encoder.rel_embeddings.weight",
            &[2 * positions.span(), width],
            Init::Normal(config.initializer_range),
        )?;
        let norm = options
            .normalize_relative_embeddings
            .then(|| LayerNorm::load(builder, "deberta.encoder.LayerNorm", width, eps))
            .transpose()?;
        Ok(Some(Self {
            table,
            norm,
            positions,
        }))
    }

    /// Short texts use few rows; the others need no computation.
    pub(super) fn rows(&self, batch: &Batch) -> Result<RelativeRows> {
        let lengths = batch.sequences().map(|tokens| tokens.len());
        let used = self.positions.used_rows(lengths.max().unwrap_or(0));
        let rows = self.table.narrow(0, used.start, used.len())?;
        Ok(RelativeRows {
            embeddings: match &self.norm {
                Some(norm) => norm.forward(&rows)?,
                None => rows,
            },
            first_row: used.start,
            positions: self.positions,
        })
    }
}
