//! The feed-forward half of a transformer layer.

use candle_core::Tensor;

use crate::builder::Builder;
use crate::config::Activation;
use crate::layers::{LayerNorm, Linear};
use crate::{EncoderConfig, LoraTarget, Mode, Result, ops};

/// Two affine layers with a function between them, then dropout, the residual and a layer norm (Vaswani et al. 2017).
#[derive(Clone, Debug)]
pub(crate) struct FeedForward {
    inner: Linear,
    activation: Activation,
    outer: Linear,
    norm: LayerNorm,
    dropout: f64,
}

/// Names of its parts in a layer of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedForwardNames {
    pub(crate) inner: &'static str,
    pub(crate) outer: &'static str,
    pub(crate) norm: &'static str,
}

impl FeedForwardNames {
    /// The names in BERT and most of its descendants.
    pub(crate) const BERT: Self = Self {
        inner: "intermediate.dense",
        outer: "output.dense",
        norm: "output.LayerNorm",
    };
}

impl FeedForward {
    /// `layer` is the layer's place in the checkpoint, such as `bert.encoder.layer.0`.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        layer: &str,
        names: FeedForwardNames,
        config: &EncoderConfig,
    ) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let deviation = config.initializer_range;
        let name = |part: &str| format!("{layer}.{part}");
        let mut linear = |part, shape| {
            let target = LoraTarget::FeedForward;
            Linear::load_adapted(builder, &name(part), target, shape, deviation)
        };
        Ok(Self {
            inner: linear(names.inner, [width, inner])?,
            activation: config.hidden_act,
            outer: linear(names.outer, [inner, width])?,
            norm: LayerNorm::load(builder, &name(names.norm), width, config.layer_norm_eps)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let inner = self.activation.forward(&self.inner.forward(x, mode)?)?;
        let outer = self.outer.forward(&inner, mode)?;
        self.norm
            .forward(&ops::dropout_add(&outer, x, self.dropout, mode)?)
    }
}
