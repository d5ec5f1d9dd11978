//! Which token stands at a masked place.

use candle_core::Tensor;

use crate::builder::{Builder, Init};
use crate::config::{Activation, ArchitectureOptions};
use crate::heads::prediction::modernbert_prediction_head;
use crate::heads::transform::Transform;
use crate::layers::{LayerNorm, Linear};
use crate::{Architecture, EncoderConfig, Mode, Result, ops};

/// An affine layer, a function and a layer norm, then the product with the word embeddings (or, where they are not tied,
/// with a table of its own) and a bias.
#[derive(Clone, Debug)]
pub struct MaskedLmHead {
    transform: Transform,
    /// Output weights `[vocabulary, embedding]` that are not the word embeddings.
    decoder: Option<Tensor>,
    bias: Tensor,
}

/// Where a checkpoint has the parts of the head.
struct Names {
    dense: &'static str,
    norm: &'static str,
    decoder: &'static str,
    /// The bias while the output weights are tied; else it is the decoder's.
    bias: &'static str,
}

impl MaskedLmHead {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let names = names(config);
        let transform = transform(builder, config, &names)?;
        let tied = config.tie_word_embeddings || is_always_tied(config);
        let decoder_bias = format!("{}.bias", names.decoder);
        let bias = if tied { names.bias } else { &decoder_bias };
        Ok(Self {
            transform,
            decoder: if tied {
                None
            } else {
                Some(builder.tensor(
                    &format!("{}.weight", names.decoder),
                    &[config.vocab_size, config.embedding_size],
                    Init::Normal(config.initializer_range),
                )?)
            },
            bias: builder.bias(bias, config.vocab_size, has_bias(config))?,
        })
    }

    /// `[places, hidden]` and the embedding table `[vocabulary, embedding]` → logits `[places, vocabulary]`.
    pub(crate) fn forward(
        &self,
        hidden_states: &Tensor,
        word_embeddings: &Tensor,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let x = self.transform.forward(hidden_states, mode)?;
        let weights = self.decoder.as_ref().unwrap_or(word_embeddings);
        Ok(ops::linear(&x, weights, &self.bias, mode.precision())?)
    }
}

fn transform(
    builder: &mut Builder<'_>,
    config: &EncoderConfig,
    names: &Names,
) -> Result<Transform> {
    if let ArchitectureOptions::ModernBert(options) = &config.options {
        return modernbert_prediction_head(builder, config, options);
    }
    let (wide, narrow) = (config.hidden_size, config.embedding_size);
    let eps = config.layer_norm_eps;
    Ok(Transform {
        dense: Linear::load(builder, names.dense, wide, narrow, config.initializer_range)?,
        activation: match config.architecture {
            Architecture::Bert | Architecture::DistilBert | Architecture::DebertaV2 => {
                config.hidden_act
            }
            _ => Activation::Gelu, // fixed in the reference
        },
        norm: Some(LayerNorm::load(builder, names.norm, narrow, eps)?),
    })
}

fn names(config: &EncoderConfig) -> Names {
    match (config.architecture, &config.options) {
        (Architecture::Roberta | Architecture::XlmRoberta | Architecture::Camembert, _) => Names {
            dense: "lm_head.dense",
            norm: "lm_head.layer_norm",
            decoder: "lm_head.decoder",
            bias: "lm_head.bias",
        },
        (Architecture::DistilBert, _) => Names {
            dense: "vocab_transform",
            norm: "vocab_layer_norm",
            decoder: "vocab_projector",
            bias: "vocab_projector.bias",
        },
        (Architecture::Electra, _) => Names {
            dense: "generator_predictions.dense",
            norm: "generator_predictions.LayerNorm",
            decoder: "generator_lm_head",
            bias: "generator_lm_head.bias",
        },
        (Architecture::ModernBert, _) => Names {
            dense: "head.dense",
            norm: "head.norm",
            decoder: "decoder",
            bias: "decoder.bias",
        },
        (_, ArchitectureOptions::DebertaV2(options)) if !options.legacy => Names {
            dense: "lm_predictions.lm_head.dense",
            norm: "lm_predictions.lm_head.LayerNorm",
            decoder: "lm_predictions.lm_head.decoder",
            bias: "lm_predictions.lm_head.bias",
        },
        (Architecture::Bert | Architecture::DebertaV2, _) => Names {
            dense: "cls.predictions.transform.dense",
            norm: "cls.predictions.transform.LayerNorm",
            decoder: "cls.predictions.decoder",
            bias: "cls.predictions.bias",
        },
    }
}

/// DeBERTa's own head multiplies by the word embeddings whatever the configuration says.
fn is_always_tied(config: &EncoderConfig) -> bool {
    matches!(&config.options, ArchitectureOptions::DebertaV2(options) if !options.legacy)
}

fn has_bias(config: &EncoderConfig) -> bool {
    match &config.options {
        ArchitectureOptions::ModernBert(options) => options.decoder_bias,
        _ => true,
    }
}
