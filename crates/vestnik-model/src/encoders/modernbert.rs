//! ModernBERT (Warner et al. 2024), as in mmBERT; reference: transformers, `models/modernbert/modeling_modernbert.py`.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::{Builder, Init};
use crate::config::{Activation, ArchitectureOptions, ModernBertOptions};
use crate::insides::part;
use crate::layers::{LayerNorm, Linear, Site, check_batch};
use crate::ops::{self, AttentionOptions, RotaryAngles};
use crate::{EncoderConfig, Error, LoraTarget, Mode, Result};

/// Layers that normalize before each sub-layer, with rotary positions and gated feed-forward blocks; in most of them
/// a token sees only its neighbours.
#[derive(Clone, Debug)]
pub struct ModernBertEncoder {
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    config: EncoderConfig,
    options: ModernBertOptions,
}

impl ModernBertEncoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let ArchitectureOptions::ModernBert(options) = &config.options else {
            return Err(Error::Argument {
                what: "options of a ModernBERT encoder",
                expected: "ModernBertOptions".to_owned(),
                got: format!("{:?}", config.options),
            });
        };
        let parts = &mut Parts {
            builder,
            config,
            options,
        };
        Ok(Self {
            words: parts.words()?,
            norm: parts.norm("model.embeddings.norm")?,
            layers: (0..config.num_hidden_layers)
                .map(|layer| Layer::load(parts, layer))
                .collect::<Result<_>>()?,
            final_norm: parts.norm("model.final_norm")?,
            config: config.clone(),
            options: options.clone(),
        })
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        check_batch(&self.config, batch)?;
        let words = ops::embed(&self.words, &batch.ids, mode)?;
        let embedded = self.norm.forward(&words)?;
        let embedded = ops::dropout(&embedded, self.options.embedding_dropout, mode)?;
        let [global, local] = self.angles(batch)?;
        let states = self.layers.iter().try_fold(embedded, |x, layer| {
            let angles = if layer.is_local() { &local } else { &global };
            let (layer, lengths) = (layer.clone(), batch.cumulative_lengths.clone());
            let angles = angles.clone();
            part(&[&x], mode, move |inputs, mode| {
                layer.forward(&inputs[0], &lengths, &angles, mode)
            })
        })?;
        self.final_norm.forward(&states)
    }

    /// The rotary angles of global and of local layers.
    fn angles(&self, batch: &Batch) -> Result<[RotaryAngles; 2]> {
        let head_width = self.config.hidden_size / self.config.num_attention_heads;
        let bases = [
            self.options.global_rope_theta,
            self.options.local_rope_theta,
        ];
        let device = self.words.device();
        let angles =
            bases.map(|base| RotaryAngles::new(&batch.position_ids, base, head_width, device));
        let [global, local] = angles;
        Ok([global?, local?])
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        &self.words
    }
}

/// Makes the parts of the encoder, whose biases and first values the configuration decides.
struct Parts<'a, 'b> {
    builder: &'a mut Builder<'b>,
    config: &'a EncoderConfig,
    options: &'a ModernBertOptions,
}

impl Parts<'_, '_> {
    fn words(&mut self) -> Result<Tensor> {
        self.builder.tensor(
            "model.embeddings.tok_embeddings.weight",
            &[self.config.vocab_size, self.config.hidden_size],
            Init::Normal(self.config.initializer_range),
        )
    }

    fn norm(&mut self, name: &str) -> Result<LayerNorm> {
        let (width, eps) = (self.config.hidden_size, self.config.layer_norm_eps);
        LayerNorm::load_with(self.builder, name, width, eps, self.options.norm_bias)
    }

    /// An affine layer that a sub-layer begins with.
    fn first(&mut self, name: &str, shape: [usize; 2], has_bias: bool) -> Result<Linear> {
        let deviation = self.config.initializer_range;
        Linear::load_with(self.builder, name, shape, deviation, has_bias)
    }

    /// An affine layer whose outputs join the residual: fresh weights are smaller, so that the sum over all sub-layers
    /// does not grow with their number.
    fn last(&mut self, name: &str, shape: [usize; 2], has_bias: bool) -> Result<Linear> {
        let sub_layers = 2.0 * self.config.num_hidden_layers as f64;
        let deviation = self.config.initializer_range / sub_layers.sqrt();
        Linear::load_with(self.builder, name, shape, deviation, has_bias)
    }
}

/// Attention and a feed-forward block, each after a layer norm and with a residual.
#[derive(Clone, Debug)]
struct Layer {
    /// The first layer has none: the embeddings are normalized already.
    attention_norm: Option<LayerNorm>,
    attention: Attention,
    feed_forward_norm: LayerNorm,
    feed_forward: FeedForward,
}

impl Layer {
    fn load(parts: &mut Parts<'_, '_>, layer: usize) -> Result<Self> {
        let name = format!("model.layers.{layer}");
        Ok(Self {
            attention_norm: (layer > 0)
                .then(|| parts.norm(&format!("{name}.attn_norm")))
                .transpose()?,
            attention: Attention::load(parts, layer, &format!("{name}.attn"))?,
            feed_forward_norm: parts.norm(&format!("{name}.mlp_norm"))?,
            feed_forward: FeedForward::load(parts, &format!("{name}.mlp"))?,
        })
    }

    fn is_local(&self) -> bool {
        self.attention.window.is_some()
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    fn forward(
        &self,
        x: &Tensor,
        cumulative_lengths: &[usize],
        angles: &RotaryAngles,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let normal = match &self.attention_norm {
            Some(norm) => norm.forward(x)?,
            None => x.clone(),
        };
        let attended = self
            .attention
            .forward(&normal, cumulative_lengths, angles, mode)?;
        let x = ops::add(x, &attended)?;
        let normal = self.feed_forward_norm.forward(&x)?;
        Ok(ops::add(&x, &self.feed_forward.forward(&normal, mode)?)?)
    }
}

/// Self-attention with rotary positions.
#[derive(Clone, Debug)]
struct Attention {
    /// Queries, keys and values: parts of one layer in the checkpoint. One product each, since cutting their common
    /// result apart would copy it, and its gradient.
    qkv: [Linear; 3],
    output: Linear,
    n_heads: usize,
    window: Option<usize>,
    dropout: f64,
}

impl Attention {
    fn load(parts: &mut Parts<'_, '_>, layer: usize, name: &str) -> Result<Self> {
        let (config, options) = (parts.config, parts.options);
        let (width, has_bias) = (config.hidden_size, options.attention_bias);
        let layer_name = format!("{name}.Wqkv");
        let qkv = parts.first(&layer_name, [width, 3 * width], has_bias)?;
        let mut part = |index: usize, part: &str, target| {
            let outputs = index * width..(index + 1) * width;
            let site = Site {
                layer: &layer_name,
                part: Some((part, &outputs)),
                target,
            };
            qkv.outputs(&outputs)?.adapted(parts.builder, site)
        };
        Ok(Self {
            qkv: [
                part(0, "query", LoraTarget::Query)?,
                part(1, "key", LoraTarget::Key)?,
                part(2, "value", LoraTarget::Value)?,
            ],
            output: parts
                .last(&format!("{name}.Wo"), [width, width], has_bias)?
                .adapted(
                    parts.builder,
                    Site::whole(&format!("{name}.Wo"), LoraTarget::Output),
                )?,
            n_heads: config.num_attention_heads,
            window: options.window(layer),
            dropout: config.attention_probs_dropout_prob,
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        cumulative_lengths: &[usize],
        angles: &RotaryAngles,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let [query, key, value] = &self.qkv;
        let query = ops::rotary(&query.forward(x, mode)?, angles, self.n_heads)?;
        let key = ops::rotary(&key.forward(x, mode)?, angles, self.n_heads)?;
        let value = value.forward(x, mode)?;
        let options = AttentionOptions {
            cumulative_lengths,
            n_heads: self.n_heads,
            dropout: self.dropout,
            window: self.window,
        };
        let context = ops::attention(&query, &key, &value, options, mode)?;
        Ok(ops::dropout(
            &self.output.forward(&context, mode)?,
            self.dropout,
            mode,
        )?)
    }
}

/// Two affine layers; the first gives inputs and the gates that they are multiplied by.
#[derive(Clone, Debug)]
struct FeedForward {
    inner: Linear,
    activation: Activation,
    outer: Linear,
    dropout: f64,
}

impl FeedForward {
    fn load(parts: &mut Parts<'_, '_>, name: &str) -> Result<Self> {
        let (config, has_bias) = (parts.config, parts.options.mlp_bias);
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let (first, last) = (format!("{name}.Wi"), format!("{name}.Wo"));
        Ok(Self {
            inner: parts
                .first(&first, [width, 2 * inner], has_bias)?
                .adapted(parts.builder, Site::whole(&first, LoraTarget::FeedForward))?,
            activation: config.hidden_act,
            outer: parts
                .last(&last, [inner, width], has_bias)?
                .adapted(parts.builder, Site::whole(&last, LoraTarget::FeedForward))?,
            dropout: parts.options.mlp_dropout,
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let inner = self.gated(&self.inner.forward(x, mode)?)?;
        let inner = ops::dropout(&inner, self.dropout, mode)?;
        self.outer.forward(&inner, mode)
    }

    fn gated(&self, x: &Tensor) -> Result<Tensor> {
        if self.activation == Activation::Gelu {
            return Ok(ops::geglu(x)?);
        }
        let (input, gate) = ops::halves(x)?;
        Ok((self.activation.forward(&input)? * gate)?)
    }
}
