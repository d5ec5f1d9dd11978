//! What only DeBERTa-v2's `config.json` has.

use super::{Activation, Reader};
use crate::Result;

/// Options of DeBERTa-v2 and v3. Missing keys take the defaults of transformers' `DebertaV2Config`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DebertaV2Options {
    /// Whether attention scores depend on the distance of two tokens.
    pub relative_attention: bool,
    /// Content-to-position scores (`c2p` in `pos_att_type`).
    pub content_to_position: bool,
    /// Position-to-content scores (`p2c` in `pos_att_type`).
    pub position_to_content: bool,
    /// The largest distance; the number of positions when the key is less than 1.
    pub max_relative_positions: usize,
    /// Buckets of distances, logarithmic beyond half of them; none when the key is less than 1.
    pub position_buckets: Option<usize>,
    /// Whether the embeddings of distances are normalized (`layer_norm` in `norm_rel_ebd`).
    pub normalize_relative_embeddings: bool,
    /// Whether distances go through the projections of queries and keys instead of projections of their own.
    pub share_att_key: bool,
    /// Whether embeddings of absolute positions are added to those of words.
    pub position_biased_input: bool,
    /// Columns of each attention head; `hidden_size / num_attention_heads` by default.
    pub attention_head_size: usize,
    /// The convolution beside the first layer.
    pub convolution: Option<ConvolutionOptions>,
    /// Dropout before the pooler of a sequence-classification head while training, in `0..1`.
    pub pooler_dropout: f64,
    /// The function of that pooler.
    pub pooler_hidden_act: Activation,
    /// Whether a masked language model has the head that BERT has; else DeBERTa's own.
    pub legacy: bool,
}

/// The convolution beside DeBERTa-v2's first layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConvolutionOptions {
    /// Tokens that one result sees; odd.
    pub kernel_size: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// The function after it.
    pub activation: Activation,
}

impl DebertaV2Options {
    pub(super) fn read(reader: &Reader<'_>, hidden_size: usize) -> Result<Self> {
        let types = position_types(reader)?;
        let max_relative_positions = reader.integer("max_relative_positions", -1)?;
        let heads = reader.count("num_attention_heads", 24)?.max(1);
        Ok(Self {
            relative_attention: reader.flag("relative_attention", false)?,
            content_to_position: types.iter().any(|name| name == "c2p"),
            position_to_content: types.iter().any(|name| name == "p2c"),
            max_relative_positions: match usize::try_from(max_relative_positions) {
                Ok(positions) if positions > 0 => positions,
                _ => reader.count("max_position_embeddings", 512)?,
            },
            position_buckets: usize::try_from(reader.integer("position_buckets", -1)?)
                .ok()
                .filter(|buckets| *buckets > 0),
            normalize_relative_embeddings: reader.text("norm_rel_ebd")?.is_some_and(|names| {
                names
                    .to_lowercase()
                    .split('|')
                    .any(|name| name.trim() == "layer_norm")
            }),
            share_att_key: reader.flag("share_att_key", false)?,
            position_biased_input: reader.flag("position_biased_input", true)?,
            attention_head_size: reader.count("attention_head_size", hidden_size / heads)?,
            convolution: convolution(reader)?,
            pooler_dropout: reader.probability("pooler_dropout", 0.0)?,
            pooler_hidden_act: reader.activation("pooler_hidden_act", "gelu")?,
            legacy: reader.flag("legacy", true)?,
        })
    }
}

/// `pos_att_type` as a list, or as names with `|` between them.
fn position_types(reader: &Reader<'_>) -> Result<Vec<String>> {
    let names: Vec<String> = match reader.value("pos_att_type") {
        Some(serde_json::Value::Array(names)) => names
            .iter()
            .map(|name| name.as_str().unwrap_or_default().to_owned())
            .collect(),
        _ => match reader.text("pos_att_type")? {
            Some(names) => names
                .to_lowercase()
                .split('|')
                .map(|name| name.trim().to_owned())
                .collect(),
            None => vec![],
        },
    };
    match names
        .iter()
        .find(|name| !matches!(name.as_str(), "c2p" | "p2c" | ""))
    {
        Some(name) => Err(reader.unsupported("pos_att_type", name, "c2p, p2c")),
        None => Ok(names),
    }
}

fn convolution(reader: &Reader<'_>) -> Result<Option<ConvolutionOptions>> {
    let kernel_size = reader.count("conv_kernel_size", 0)?;
    if kernel_size == 0 {
        return Ok(None);
    }
    if kernel_size.is_multiple_of(2) {
        return Err(reader.unsupported(
            "conv_kernel_size",
            &kernel_size.to_string(),
            "an odd number",
        ));
    }
    Ok(Some(ConvolutionOptions {
        kernel_size,
        groups: reader.count("conv_groups", 1)?,
        activation: reader.activation("conv_act", "tanh")?,
    }))
}
