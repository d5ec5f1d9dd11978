//! The encoders, one computation per file.

mod bert;
mod deberta_v2;
mod distilbert;
mod electra;
mod modernbert;
mod roberta;

use candle_core::Tensor;
use vestnik_text::Batch;

pub use bert::BertEncoder;
pub use deberta_v2::DebertaV2Encoder;
pub use distilbert::DistilBertEncoder;
pub use electra::ElectraEncoder;
pub use modernbert::ModernBertEncoder;
pub use roberta::RobertaEncoder;

use crate::builder::Builder;
use crate::{Architecture, EncoderConfig, Mode, Result};

/// A transformer encoder: tokens in, hidden states out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Encoder {
    /// BERT.
    Bert(BertEncoder),
    /// RoBERTa, XLM-RoBERTa, CamemBERT.
    Roberta(RobertaEncoder),
    /// DistilBERT.
    DistilBert(DistilBertEncoder),
    /// ELECTRA.
    Electra(ElectraEncoder),
    /// DeBERTa-v2 and v3.
    DebertaV2(DebertaV2Encoder),
    /// ModernBERT.
    ModernBert(ModernBertEncoder),
}

impl Encoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        match config.architecture {
            Architecture::Bert => BertEncoder::load(builder, config).map(Self::Bert),
            Architecture::Roberta | Architecture::XlmRoberta | Architecture::Camembert => {
                RobertaEncoder::load(builder, config).map(Self::Roberta)
            }
            Architecture::DistilBert => {
                DistilBertEncoder::load(builder, config).map(Self::DistilBert)
            }
            Architecture::Electra => ElectraEncoder::load(builder, config).map(Self::Electra),
            Architecture::DebertaV2 => DebertaV2Encoder::load(builder, config).map(Self::DebertaV2),
            Architecture::ModernBert => {
                ModernBertEncoder::load(builder, config).map(Self::ModernBert)
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
            Self::Roberta(encoder) => encoder.forward(batch, mode),
            Self::DistilBert(encoder) => encoder.forward(batch, mode),
            Self::Electra(encoder) => encoder.forward(batch, mode),
            Self::DebertaV2(encoder) => encoder.forward(batch, mode),
            Self::ModernBert(encoder) => encoder.forward(batch, mode),
        }
    }

    /// The word embedding table `[vocabulary, embedding]`.
    pub(crate) fn word_embeddings(&self) -> &Tensor {
        match self {
            Self::Bert(encoder) => encoder.word_embeddings(),
            Self::Roberta(encoder) => encoder.word_embeddings(),
            Self::DistilBert(encoder) => encoder.word_embeddings(),
            Self::Electra(encoder) => encoder.word_embeddings(),
            Self::DebertaV2(encoder) => encoder.word_embeddings(),
            Self::ModernBert(encoder) => encoder.word_embeddings(),
        }
    }
}
