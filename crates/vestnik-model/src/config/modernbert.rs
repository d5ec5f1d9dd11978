//! What only ModernBERT's `config.json` has.

mod rope;

use serde_json::Value;

use super::{Activation, Reader};
use crate::Result;

/// Options of ModernBERT. Missing keys take the defaults of transformers' `ModernBertConfig`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModernBertOptions {
    /// For each layer whether its tokens see only their neighbours (`layer_types`, or `global_attn_every_n_layers`).
    pub local_layers: Vec<bool>,
    /// The largest distance at which a token of a local layer sees another, on either side: half of `local_attention`.
    pub window: usize,
    /// Base of the rotary angles in global layers.
    pub global_rope_theta: f64,
    /// Base of the rotary angles in local layers.
    pub local_rope_theta: f64,
    /// Whether the affine layers of attention have biases.
    pub attention_bias: bool,
    /// Whether the affine layers of the feed-forward blocks have biases.
    pub mlp_bias: bool,
    /// Whether normalizations have biases.
    pub norm_bias: bool,
    /// Dropout of the embeddings while training, in `0..1`.
    pub embedding_dropout: f64,
    /// Dropout inside the feed-forward blocks while training, in `0..1`.
    pub mlp_dropout: f64,
    /// How a sequence-classification head sees a text.
    pub classifier_pooling: Pooling,
    /// Whether the prediction head's affine layer has a bias.
    pub classifier_bias: bool,
    /// The function of the prediction head.
    pub classifier_activation: Activation,
    /// Whether a masked language model's output has a bias.
    pub decoder_bias: bool,
}

/// How the states of a text's tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The state of the first token.
    First,
    /// The mean of all tokens' states.
    Mean,
}

impl ModernBertOptions {
    /// The window of a layer; `None` where tokens see their whole sequence.
    pub(crate) fn window(&self, layer: usize) -> Option<usize> {
        let is_local = self.local_layers.get(layer).copied();
        is_local?.then_some(self.window)
    }

    pub(super) fn read(reader: &Reader<'_>, n_layers: usize, head_width: usize) -> Result<Self> {
        check_head_width(reader, head_width)?;
        let [global_rope_theta, local_rope_theta] = rope::bases(reader)?;
        Ok(Self {
            local_layers: local_layers(reader, n_layers)?,
            window: match reader.optional_count("sliding_window")? {
                Some(window) => window, // as attention with a window is configured in other models of the reference
                None => reader.count("local_attention", 128)? / 2,
            },
            global_rope_theta,
            local_rope_theta,
            attention_bias: reader.flag("attention_bias", false)?,
            mlp_bias: reader.flag("mlp_bias", false)?,
            norm_bias: reader.flag("norm_bias", false)?,
            embedding_dropout: reader.probability("embedding_dropout", 0.0)?,
            mlp_dropout: reader.probability("mlp_dropout", 0.0)?,
            classifier_pooling: pooling(reader)?,
            classifier_bias: reader.flag("classifier_bias", false)?,
            classifier_activation: reader.activation("classifier_activation", "gelu")?,
            decoder_bias: reader.flag("decoder_bias", true)?,
        })
    }
}

/// Rotary positions turn pairs, and the width of a head follows from the others.
fn check_head_width(reader: &Reader<'_>, head_width: usize) -> Result<()> {
    if !head_width.is_multiple_of(2) {
        let problem = format!("heads of odd width {head_width}, expected an even width");
        return Err(reader.problem(problem));
    }
    match reader.optional_count("head_dim")? {
        Some(other) if other != head_width => {
            let supported = "hidden_size / num_attention_heads";
            Err(reader.unsupported("head_dim", &other.to_string(), supported))
        }
        _ => Ok(()),
    }
}

/// `layer_types`, or every layer local but the first of each `global_attn_every_n_layers`.
fn local_layers(reader: &Reader<'_>, n_layers: usize) -> Result<Vec<bool>> {
    let Some(types) = reader.value("layer_types") else {
        let every = reader.count("global_attn_every_n_layers", 3)?;
        if every == 0 {
            let problem = "global_attn_every_n_layers is 0, expected at least 1".to_owned();
            return Err(reader.problem(problem));
        }
        return Ok((0..n_layers).map(|layer| layer % every != 0).collect());
    };
    match types.as_array() {
        Some(types) if types.len() == n_layers => {
            types.iter().map(|kind| is_local(reader, kind)).collect()
        }
        _ => Err(reader.problem(format!(
            "layer_types is {types}, expected one for each of {n_layers} layers"
        ))),
    }
}

fn is_local(reader: &Reader<'_>, layer_type: &Value) -> Result<bool> {
    match layer_type.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => {
            let supported = "full_attention, sliding_attention";
            Err(reader.unsupported("layer_types", &layer_type.to_string(), supported))
        }
    }
}

fn pooling(reader: &Reader<'_>) -> Result<Pooling> {
    match reader.text("classifier_pooling")? {
        None | Some("cls") => Ok(Pooling::First),
        Some("mean") => Ok(Pooling::Mean),
        Some(other) => Err(reader.unsupported("classifier_pooling", other, "cls, mean")),
    }
}
