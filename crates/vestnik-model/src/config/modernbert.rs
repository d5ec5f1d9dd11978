//! What only ModernBERT's `config.json` has.

use serde_json::Value;

use super::{Activation, Reader};
use crate::Result;

/// Options of ModernBERT. Missing keys take the defaults of transformers' `ModernBertConfig`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModernBertOptions {
    /// For each layer whether its tokens see only their neighbours.
    pub local_layers: Vec<bool>,
    /// Tokens that a local layer's token sees, half of them on either side (`local_attention`).
    pub local_attention: usize,
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
    pub(super) fn read(reader: &Reader<'_>, n_layers: usize) -> Result<Self> {
        Ok(Self {
            local_layers: local_layers(reader, n_layers)?,
            local_attention: reader.count("local_attention", 128)?,
            global_rope_theta: theta(reader, "full_attention", "global_rope_theta", 160_000.0)?,
            local_rope_theta: theta(reader, "sliding_attention", "local_rope_theta", 10_000.0)?,
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

/// `layer_types`, or every layer local but the first of each `global_attn_every_n_layers`.
fn local_layers(reader: &Reader<'_>, n_layers: usize) -> Result<Vec<bool>> {
    let Some(types) = reader.value("layer_types") else {
        let every = reader.count("global_attn_every_n_layers", 3)?.max(1);
        return Ok((0..n_layers).map(|layer| layer % every != 0).collect());
    };
    let local = |layer_type: &Value| match layer_type.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(reader.unsupported(
            "layer_types",
            &layer_type.to_string(),
            "full_attention, sliding_attention",
        )),
    };
    let types: Vec<bool> = types
        .as_array()
        .into_iter()
        .flatten()
        .map(local)
        .collect::<Result<_>>()?;
    if types.len() == n_layers {
        Ok(types)
    } else {
        Err(reader.problem(format!(
            "layer_types has {} entries for {n_layers} layers",
            types.len()
        )))
    }
}

/// The base of the angles: in `rope_parameters` by layer type (transformers 5), or under a key of its own (4).
fn theta(
    reader: &Reader<'_>,
    layer_type: &str,
    old_key: &'static str,
    default: f64,
) -> Result<f64> {
    if reader.value("rope_scaling").is_some() {
        return Err(reader.unsupported("rope_scaling", "a value", "null"));
    }
    let parameters = reader
        .value("rope_parameters")
        .and_then(|all| all.get(layer_type));
    let get = |key: &str| {
        parameters
            .and_then(|own| own.get(key))
            .filter(|value| !value.is_null())
    };
    if let Some(kind) = get("rope_type").filter(|kind| kind.as_str() != Some("default")) {
        return Err(reader.unsupported("rope_type", &kind.to_string(), "default"));
    }
    match get("rope_theta") {
        Some(theta) => theta
            .as_f64()
            .ok_or_else(|| reader.problem(format!("rope_theta is {theta}, expected a number"))),
        None => reader.number(old_key, default),
    }
}

fn pooling(reader: &Reader<'_>) -> Result<Pooling> {
    match reader.text("classifier_pooling")? {
        None | Some("cls") => Ok(Pooling::First),
        Some("mean") => Ok(Pooling::Mean),
        Some(other) => Err(reader.unsupported("classifier_pooling", other, "cls, mean")),
    }
}
