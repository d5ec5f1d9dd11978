//! RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020), which are one
//! computation; reference: transformers, `models/{roberta,xlm_roberta,camembert}/modeling_*.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::encoders::BertEncoder;
use crate::{EncoderConfig, Mode, Result};

/// BERT's computation with positions that count from the one after the padding id
/// ([`EncoderConfig::first_position`]), without segments, and with tensors under `roberta.`.
#[derive(Clone, Debug)]
pub struct RobertaEncoder(BertEncoder);

impl RobertaEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        BertEncoder::load(builder, config).map(Self)
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.0.forward(batch, mode)
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        self.0.word_embeddings()
    }
}
