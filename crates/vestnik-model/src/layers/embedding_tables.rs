//! Tables of word, position and segment embeddings, and what a batch must keep to.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::{Builder, Init};
use crate::{EncoderConfig, Error, Mode, Result, ops};

/// The tables `word_embeddings`, `position_embeddings` and `token_type_embeddings`, as far as the encoder has them.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddingTables {
    words: Tensor,
    positions: Option<Tensor>,
    types: Option<Tensor>,
    config: EncoderConfig,
}

impl EmbeddingTables {
    /// A table of segments is there when [`EncoderConfig::type_vocab_size`] is not 0.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        config: &EncoderConfig,
        has_positions: bool,
    ) -> Result<Self> {
        let prefix = config.architecture.prefix();
        let mut table = |name: &str, rows| {
            builder.tensor(
                &format!("{prefix}embeddings.{name}_embeddings.weight"),
                &[rows, config.embedding_size],
                Init::Normal(config.initializer_range),
            )
        };
        let words = table("word", config.vocab_size)?;
        let positions = has_positions
            .then(|| table("position", config.max_position_embeddings))
            .transpose()?;
        let types = (config.type_vocab_size > 0)
            .then(|| table("token_type", config.type_vocab_size))
            .transpose()?;
        Ok(Self {
            words,
            positions,
            types,
            config: config.clone(),
        })
    }

    /// The word embedding table `[vocabulary, embedding]`, which a masked-language-model head may share.
    pub(crate) fn words(&self) -> &Tensor {
        &self.words
    }

    /// The sum of each token's embeddings, `[tokens, embedding]`.
    pub(crate) fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        check_batch(&self.config, batch)?;
        let mut sum = ops::embed(&self.words, &batch.ids, mode)?;
        if let Some(table) = &self.types {
            sum = (sum + ops::embed(table, &self.type_ids(batch)?, mode)?)?;
        }
        if let Some(table) = &self.positions {
            sum = (sum + ops::embed(table, &self.positions(batch), mode)?)?;
        }
        Ok(sum)
    }

    /// RoBERTa's tokenizers know no segments, whatever its table and a tokenizer's template say; a table with one row has
    /// one segment.
    fn type_ids(&self, batch: &Batch) -> Result<Vec<u32>> {
        if self.config.architecture.is_roberta() || self.config.type_vocab_size == 1 {
            return Ok(vec![0; batch.ids.len()]);
        }
        let n_types = self.config.type_vocab_size;
        match batch.type_ids.iter().find(|id| **id as usize >= n_types) {
            Some(id) => Err(Error::Argument {
                what: "segment of a token",
                expected: format!("below {n_types}, as the model has segments"),
                got: id.to_string(),
            }),
            None => Ok(batch.type_ids.clone()),
        }
    }

    /// RoBERTa counts from the number after the padding id, and gives padding inside a text that id itself
    /// (`create_position_ids_from_input_ids` in the reference).
    fn positions(&self, batch: &Batch) -> Vec<u32> {
        if !self.config.architecture.is_roberta() {
            return batch.position_ids.clone();
        }
        let padding = self.config.pad_token_id as u32;
        let mut positions = Vec::with_capacity(batch.ids.len());
        for tokens in batch.sequences() {
            let mut last = padding;
            positions.extend(batch.ids[tokens].iter().map(|id| {
                if *id == padding {
                    return padding;
                }
                last += 1;
                last
            }));
        }
        positions
    }
}

/// Refuses token ids beyond the vocabulary, and sequences that are longer than the model's positions.
pub(crate) fn check_batch(config: &EncoderConfig, batch: &Batch) -> Result<()> {
    let vocab_size = config.vocab_size;
    if let Some(&id) = batch.ids.iter().find(|id| **id as usize >= vocab_size) {
        return Err(Error::TokenId { id, vocab_size });
    }
    let limit = config.max_tokens();
    match batch.sequences().map(|tokens| tokens.len()).max() {
        Some(tokens) if tokens > limit => Err(Error::TooLong { tokens, limit }),
        _ => Ok(()),
    }
}
