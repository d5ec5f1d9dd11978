//! The encoders, one architecture per file.

mod bert;
mod xlm_roberta;

use candle_core::Tensor;
use vestnik_text::Batch;

pub use bert::BertEncoder;
pub use xlm_roberta::XlmRobertaEncoder;

use crate::builder::Builder;
use crate::{Architecture, EncoderConfig, Mode, Result};

/// A transformer encoder: tokens in, hidden states out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Encoder {
    /// BERT.
    Bert(BertEncoder),
    /// XLM-RoBERTa.
    XlmRoberta(XlmRobertaEncoder),
}

impl Encoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        match config.architecture {
            Architecture::Bert => BertEncoder::load(builder, config).map(Self::Bert),
            Architecture::XlmRoberta => {
                XlmRobertaEncoder::load(builder, config).map(Self::XlmRoberta)
            }
        }
    }

    /// The hidden states of the last layer.
    ///
    /// **Shapes** a packed batch of `tokens` tokens → `[tokens, hidden]`, `f32`.
    ///
    /// # Errors
    /// [`crate::Error::TooLong`] for a sequence beyond the position table, [`crate::Error::TokenId`] for an id beyond
    /// the vocabulary.
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        match self {
            Self::Bert(encoder) => encoder.forward(batch, mode),
            Self::XlmRoberta(encoder) => encoder.forward(batch, mode),
        }
    }

    /// The word embedding table `[vocabulary, hidden]`.
    pub(crate) fn word_embeddings(&self) -> &Tensor {
        match self {
            Self::Bert(encoder) => encoder.word_embeddings(),
            Self::XlmRoberta(encoder) => encoder.word_embeddings(),
        }
    }
}
