//! DeBERTa-v2 and v3 (He et al. 2021), mDeBERTa among them; reference: transformers,
//! `models/deberta_v2/modeling_deberta_v2.py`.

mod attention;
mod convolution;
mod relative;

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::config::{ArchitectureOptions, DebertaV2Options};
use crate::insides::part;
use crate::layers::{EmbeddingTables, FeedForward, FeedForwardNames, LayerNorm, Linear};
use crate::{EncoderConfig, Error, LoraTarget, Mode, Result, ops};
use attention::SelfAttention;
use convolution::Convolution;
use relative::{RelativeEmbeddings, RelativeRows};

/// Layers that normalize after each sub-layer; attention sees the content of tokens and the distances between them.
#[derive(Clone, Debug)]
pub struct DebertaV2Encoder {
    embeddings: Embeddings,
    /// None where attention sees no distances.
    relative: Option<RelativeEmbeddings>,
    layers: Vec<Layer>,
    /// Added to the first layer's output.
    convolution: Option<Convolution>,
}

impl DebertaV2Encoder {
    pub(crate) fn load(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Self> {
        let ArchitectureOptions::DebertaV2(options) = &config.options else {
            return Err(Error::Argument {
                what: "options of a DeBERTa-v2 encoder",
                expected: "DebertaV2Options".to_owned(),
                got: format!("{:?}", config.options),
            });
        };
        let layer = |builder: &mut Builder<'_>, layer| {
            let name = format!("deberta.encoder.layer.{layer}");
            Layer::load(builder, &name, config, options)
        };
        Ok(Self {
            embeddings: Embeddings::load(builder, config, options)?,
            relative: RelativeEmbeddings::load(builder, config, options)?,
            layers: (0..config.num_hidden_layers)
                .map(|number| layer(builder, number))
                .collect::<Result<_>>()?,
            convolution: options
                .convolution
                .as_ref()
                .map(|options| Convolution::load(builder, config, options))
                .transpose()?,
        })
    }

    /// A packed batch → hidden states of the last layer `[tokens, hidden]`.
    ///
    /// # Errors
    /// As [`super::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(batch, mode)?;
        let relative = match &self.relative {
            Some(relative) => Some(relative.rows(batch)?),
            None => None,
        };
        let mut states = embedded.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            states = layer.as_part(&states, batch, relative.as_ref(), mode)?;
            if let (0, Some(convolution)) = (index, &self.convolution) {
                states = convolution.as_part(&embedded, &states, batch, mode)?;
            }
        }
        Ok(states)
    }

    pub(crate) fn word_embeddings(&self) -> &Tensor {
        self.embeddings.tables.words()
    }
}

/// Embeddings, brought to the hidden width, normalized and dropped out.
#[derive(Clone, Debug)]
struct Embeddings {
    tables: EmbeddingTables,
    /// None where the tables are as wide as the hidden states.
    projection: Option<Linear>,
    norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    fn load(
        builder: &mut Builder<'_>,
        config: &EncoderConfig,
        options: &DebertaV2Options,
    ) -> Result<Self> {
        let (inputs, width) = (config.embedding_size, config.hidden_size);
        let (deviation, eps) = (config.initializer_range, config.layer_norm_eps);
        let projection = "deberta.embeddings.embed_proj";
        Ok(Self {
            tables: EmbeddingTables::load(builder, config, options.position_biased_input)?,
            projection: (inputs != width)
                .then(|| Linear::load_with(builder, projection, [inputs, width], deviation, false))
                .transpose()?,
            norm: LayerNorm::load(builder, "deberta.embeddings.LayerNorm", width, eps)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// → `[tokens, hidden]`.
    fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let mut sum = self.tables.forward(batch, mode)?;
        if let Some(projection) = &self.projection {
            sum = projection.forward(&sum, mode)?;
        }
        Ok(ops::dropout(&self.norm.forward(&sum)?, self.dropout, mode)?)
    }
}

/// Self-attention and feed-forward, each followed by dropout, the residual and a layer norm.
#[derive(Clone, Debug)]
struct Layer {
    attention: SelfAttention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    dropout: f64,
}

impl Layer {
    fn load(
        builder: &mut Builder<'_>,
        name: &str,
        config: &EncoderConfig,
        options: &DebertaV2Options,
    ) -> Result<Self> {
        let (width, deviation) = (config.hidden_size, config.initializer_range);
        let output = format!("{name}.attention.output.dense");
        let norm = format!("{name}.attention.output.LayerNorm");
        let attention = format!("{name}.attention.self");
        Ok(Self {
            attention: SelfAttention::load(builder, &attention, config, options)?,
            attention_output: Linear::load_adapted(
                builder,
                &output,
                LoraTarget::Output,
                [width, width],
                deviation,
            )?,
            attention_norm: LayerNorm::load(builder, &norm, width, config.layer_norm_eps)?,
            feed_forward: FeedForward::load(builder, name, FeedForwardNames::BERT, config)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// [`Self::forward`], as a part that goes back on its own.
    fn as_part(
        &self,
        x: &Tensor,
        batch: &Batch,
        relative: Option<&RelativeRows>,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let (layer, lengths) = (self.clone(), batch.cumulative_lengths.clone());
        let Some(relative) = relative else {
            return part(&[x], mode, move |inputs, mode| {
                layer.forward(&inputs[0], &lengths, None, mode)
            });
        };
        let (first_row, positions) = (relative.first_row, relative.positions);
        part(&[x, &relative.embeddings], mode, move |inputs, mode| {
            let relative = RelativeRows {
                embeddings: inputs[1].clone(),
                first_row,
                positions,
            };
            layer.forward(&inputs[0], &lengths, Some(&relative), mode)
        })
    }

    /// `[tokens, hidden]` → `[tokens, hidden]`.
    fn forward(
        &self,
        x: &Tensor,
        cumulative_lengths: &[usize],
        relative: Option<&RelativeRows>,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let context = self
            .attention
            .forward(x, cumulative_lengths, relative, mode)?;
        let attended = self.attention_output.forward(&context, mode)?;
        let sum = ops::dropout_add(&attended, x, self.dropout, mode)?;
        let x = self.attention_norm.forward(&sum)?;
        self.feed_forward.forward(&x, mode)
    }
}
