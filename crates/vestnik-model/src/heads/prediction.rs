//! What all of ModernBERT's heads begin with.

use crate::builder::Builder;
use crate::config::{ArchitectureOptions, ModernBertOptions};
use crate::heads::transform::Transform;
use crate::layers::{LayerNorm, Linear};
use crate::{EncoderConfig, Result};

/// `ModernBertPredictionHead` of the reference, for ModernBERT; the other architectures have nothing like it.
pub(crate) fn prediction_head(
    builder: &mut Builder<'_>,
    config: &EncoderConfig,
) -> Result<Option<Transform>> {
    match &config.options {
        ArchitectureOptions::ModernBert(options) => {
            modernbert_prediction_head(builder, config, options).map(Some)
        }
        _ => Ok(None),
    }
}

pub(crate) fn modernbert_prediction_head(
    builder: &mut Builder<'_>,
    config: &EncoderConfig,
    options: &ModernBertOptions,
) -> Result<Transform> {
    let width = config.hidden_size;
    let (has_bias, eps) = (options.norm_bias, config.layer_norm_eps);
    let sub_layers = 2.0 * config.num_hidden_layers as f64;
    Ok(Transform {
        dense: Linear::load_with(
            builder,
            "head.dense",
            [width, width],
            config.initializer_range / sub_layers.sqrt(),
            options.classifier_bias,
        )?,
        activation: options.classifier_activation,
        norm: Some(LayerNorm::load_with(
            builder,
            "head.norm",
            width,
            eps,
            has_bias,
        )?),
    })
}
