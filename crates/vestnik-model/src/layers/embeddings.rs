//! Sums of word, position and segment embeddings.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::{Builder, Init};
use crate::layers::LayerNorm;
use crate::{EncoderConfig, Error, Mode, Result, ops};

/// Word, position and segment embeddings, added, normalized and dropped out.
#[derive(Clone, Debug)]
pub(crate) struct Embeddings {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: LayerNorm,
    config: EncoderConfig,
}

impl Embeddings {
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        prefix: &str,
        config: &EncoderConfig,
    ) -> Result<Self> {
        let width = config.hidden_size;
        let mut table = |name: &str, rows| {
            let name = format!("{prefix}embeddings.{name}_embeddings.weight");
            builder.tensor(
                &name,
                &[rows, width],
                Init::Normal(config.initializer_range),
            )
        };
        Ok(Self {
            words: table("word", config.vocab_size)?,
            positions: table("position", config.max_position_embeddings)?,
            types: table("token_type", config.type_vocab_size)?,
            norm: LayerNorm::load(
                builder,
                &format!("{prefix}embeddings.LayerNorm"),
                width,
                config.layer_norm_eps,
            )?,
            config: config.clone(),
        })
    }

    /// The word embedding table `[vocabulary, hidden]`, which a masked-language-model head shares.
    pub(crate) fn words(&self) -> &Tensor {
        &self.words
    }

    /// → `[tokens, hidden]`.
    pub(crate) fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.check(batch)?;
        let first = self.config.first_position() as u32;
        let positions: Vec<u32> = batch
            .position_ids
            .iter()
            .map(|position| position + first)
            .collect();
        let words = ops::gather_rows(&self.words, &batch.ids)?;
        let positions = ops::gather_rows(&self.positions, &positions)?;
        let types = ops::gather_rows(&self.types, &batch.type_ids)?;
        let sum = ((words + types)? + positions)?;
        Ok(ops::dropout(
            &self.norm.forward(&sum)?,
            self.config.hidden_dropout_prob,
            mode,
        )?)
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        let vocab_size = self.config.vocab_size;
        if let Some(&id) = batch.ids.iter().find(|id| **id as usize >= vocab_size) {
            return Err(Error::TokenId { id, vocab_size });
        }
        let limit = self.config.max_tokens();
        let longest = batch
            .cumulative_lengths
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or(0);
        if longest > limit {
            Err(Error::TooLong {
                tokens: longest,
                limit,
            })
        } else {
            Ok(())
        }
    }
}
