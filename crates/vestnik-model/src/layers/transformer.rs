//! A transformer layer that normalizes after each sub-layer, as BERT and its descendants do.

use candle_core::Tensor;

use crate::builder::Builder;
use crate::layers::{LayerNorm, Linear};
use crate::ops::{self, AttentionOptions};
use crate::{EncoderConfig, Mode, Result};

/// Self-attention and feed-forward, each followed by dropout, the residual and a layer norm (Vaswani et al. 2017).
#[derive(Clone, Debug)]
pub(crate) struct TransformerLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    n_heads: usize,
    hidden_dropout: f64,
    attention_dropout: f64,
}

impl TransformerLayer {
    /// `name` is the layer's place in the checkpoint, such as `bert.encoder.layer.0`.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        name: &str,
        config: &EncoderConfig,
    ) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let mut linear = |part: &str, inputs, outputs| {
            Linear::load(
                builder,
                &format!("{name}.{part}"),
                inputs,
                outputs,
                config.initializer_range,
            )
        };
        let query = linear("attention.self.query", width, width)?;
        let key = linear("attention.self.key", width, width)?;
        let value = linear("attention.self.value", width, width)?;
        let attention_output = linear("attention.output.dense", width, width)?;
        let intermediate = linear("intermediate.dense", width, inner)?;
        let output = linear("output.dense", inner, width)?;
        let mut norm = |part: &str| {
            LayerNorm::load(
                builder,
                &format!("{name}.{part}"),
                width,
                config.layer_norm_eps,
            )
        };
        Ok(Self {
            query,
            key,
            value,
            attention_output,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate,
            output,
            output_norm: norm("output.LayerNorm")?,
            n_heads: config.num_attention_heads,
            hidden_dropout: config.hidden_dropout_prob,
            attention_dropout: config.attention_probs_dropout_prob,
        })
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        cumulative_lengths: &[usize],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let attended = self.attend(x, cumulative_lengths, mode)?;
        let x = self.attention_norm.forward(&(attended + x)?)?;
        let inner = ops::gelu(&self.intermediate.forward(&x)?)?;
        let inner = ops::dropout(&self.output.forward(&inner)?, self.hidden_dropout, mode)?;
        self.output_norm.forward(&(inner + x)?)
    }

    fn attend(&self, x: &Tensor, cumulative_lengths: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let options = AttentionOptions {
            cumulative_lengths,
            n_heads: self.n_heads,
            dropout: self.attention_dropout,
        };
        let (query, key, value) = (
            self.query.forward(x)?,
            self.key.forward(x)?,
            self.value.forward(x)?,
        );
        let context = ops::attention(&query, &key, &value, options, mode)?;
        Ok(ops::dropout(
            &self.attention_output.forward(&context)?,
            self.hidden_dropout,
            mode,
        )?)
    }
}
