//! Which token stands at a masked place.

use candle_core::Tensor;

use crate::builder::{Builder, Init};
use crate::layers::{LayerNorm, Linear};
use crate::{Architecture, EncoderConfig, Result, ops};

/// Affine layer, GELU and layer norm, then the product with the word embeddings (tied) and a bias.
#[derive(Clone, Debug)]
pub(crate) struct MaskedLmHead {
    dense: Linear,
    norm: LayerNorm,
    bias: Tensor,
}

impl MaskedLmHead {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let (dense, norm, bias) = match config.architecture {
            Architecture::Bert => (
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                "cls.predictions.bias",
            ),
            Architecture::XlmRoberta => ("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),
        };
        let width = config.hidden_size;
        Ok(Self {
            dense: Linear::load(builder, dense, width, width, config.initializer_range)?,
            norm: LayerNorm::load(builder, norm, width, config.layer_norm_eps)?,
            bias: builder.tensor(bias, &[config.vocab_size], Init::Zeros)?,
        })
    }

    /// `[places, hidden]` and the embedding table `[vocabulary, hidden]` → logits `[places, vocabulary]`.
    pub(crate) fn forward(
        &self,
        hidden_states: &Tensor,
        word_embeddings: &Tensor,
    ) -> Result<Tensor> {
        let x = self
            .norm
            .forward(&ops::gelu(&self.dense.forward(hidden_states)?)?)?;
        Ok(ops::linear(&x, word_embeddings, &self.bias)?)
    }
}
