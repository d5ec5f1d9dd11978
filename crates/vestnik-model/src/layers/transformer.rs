//! Transformer layers that normalize after each sub-layer, as BERT and its descendants do.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::insides::part;
use crate::layers::{FeedForward, FeedForwardNames, LayerNorm, Linear};
use crate::ops::{self, AttentionOptions};
use crate::{EncoderConfig, LoraTarget, Mode, Result};

/// Names of a layer's parts in a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNames {
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) attention_output: &'static str,
    pub(crate) attention_norm: &'static str,
    pub(crate) feed_forward: FeedForwardNames,
}

impl LayerNames {
    /// The names in BERT and most of its descendants.
    pub(crate) const BERT: Self = Self {
        query: "attention.self.query",
        key: "attention.self.key",
        value: "attention.self.value",
        attention_output: "attention.output.dense",
        attention_norm: "attention.output.LayerNorm",
        feed_forward: FeedForwardNames::BERT,
    };
}

/// Layers one after the other.
#[derive(Clone, Debug)]
pub(crate) struct TransformerStack(Vec<TransformerLayer>);

impl TransformerStack {
    /// `name` is the place of the layers in the checkpoint, such as `bert.encoder.layer`; `attention_output_dropout`
    /// is the dropout after each attention sub-layer.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        name: &str,
        names: LayerNames,
        attention_output_dropout: f64,
        config: &EncoderConfig,
    ) -> Result<Self> {
        (0..config.num_hidden_layers)
            .map(|layer| {
                let name = format!("{name}.{layer}");
                TransformerLayer::load(builder, &name, names, attention_output_dropout, config)
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    pub(crate) fn forward(&self, x: Tensor, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.0.iter().try_fold(x, |x, layer| {
            let (layer, lengths) = (layer.clone(), batch.cumulative_lengths.clone());
            part(&[&x], mode, move |inputs, mode| {
                layer.forward(&inputs[0], &lengths, mode)
            })
        })
    }
}

/// Self-attention and feed-forward, each followed by dropout, the residual and a layer norm (Vaswani et al. 2017).
#[derive(Clone, Debug)]
struct TransformerLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    n_heads: usize,
    attention_dropout: f64,
    attention_output_dropout: f64,
}

impl TransformerLayer {
    fn load(
        builder: &mut Builder<'_>,
        layer: &str,
        names: LayerNames,
        attention_output_dropout: f64,
        config: &EncoderConfig,
    ) -> Result<Self> {
        let width = config.hidden_size;
        let mut square = |part: &str, target| {
            let (name, shape) = (format!("{layer}.{part}"), [width, width]);
            Linear::load_adapted(builder, &name, target, shape, config.initializer_range)
        };
        Ok(Self {
            query: square(names.query, LoraTarget::Query)?,
            key: square(names.key, LoraTarget::Key)?,
            value: square(names.value, LoraTarget::Value)?,
            attention_output: square(names.attention_output, LoraTarget::Output)?,
            attention_norm: LayerNorm::load(
                builder,
                &format!("{layer}.{}", names.attention_norm),
                width,
                config.layer_norm_eps,
            )?,
            feed_forward: FeedForward::load(builder, layer, names.feed_forward, config)?,
            n_heads: config.num_attention_heads,
            attention_dropout: config.attention_probs_dropout_prob,
            attention_output_dropout,
        })
    }

    fn forward(&self, x: &Tensor, cumulative_lengths: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let attended = self.attend(x, cumulative_lengths, mode)?;
        let sum = ops::dropout_add(&attended, x, self.attention_output_dropout, mode)?;
        let x = self.attention_norm.forward(&sum)?;
        self.feed_forward.forward(&x, mode)
    }

    fn attend(&self, x: &Tensor, cumulative_lengths: &[usize], mode: Mode<'_>) -> Result<Tensor> {
        let options = AttentionOptions {
            cumulative_lengths,
            n_heads: self.n_heads,
            dropout: self.attention_dropout,
            window: None,
        };
        let (query, key, value) = (
            self.query.forward(x, mode)?,
            self.key.forward(x, mode)?,
            self.value.forward(x, mode)?,
        );
        let context = ops::attention(&query, &key, &value, options, mode)?;
        self.attention_output.forward(&context, mode)
    }
}
