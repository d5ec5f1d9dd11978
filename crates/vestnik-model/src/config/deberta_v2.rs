//! What only DeBERTa-v2's `config.json` has.

use serde_json::Value;

use super::{Activation, Reader};
use crate::Result;
use crate::ops::RelativePositions;

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
        check_widths(reader, hidden_size)?;
        Ok(Self {
            relative_attention: reader.flag("relative_attention", false)?,
            content_to_position: types.iter().any(|name| name == "c2p"),
            position_to_content: types.iter().any(|name| name == "p2c"),
            max_relative_positions: match positive(reader, "max_relative_positions")? {
                Some(positions) => positions,
                None => reader.count("max_position_embeddings", 512)?,
            },
            position_buckets: position_buckets(reader)?,
            normalize_relative_embeddings: relative_norm(reader)?,
            share_att_key: reader.flag("share_att_key", false)?,
            position_biased_input: reader.flag("position_biased_input", true)?,
            convolution: convolution(reader, hidden_size)?,
            pooler_dropout: reader.probability("pooler_dropout", 0.0)?,
            pooler_hidden_act: reader.activation("pooler_hidden_act", "gelu")?,
            legacy: reader.flag("legacy", true)?,
        })
    }

    /// Kinds of scores that `pos_att_type` speaks of, that of contents included.
    #[must_use]
    pub fn n_kinds(&self) -> usize {
        1 + usize::from(self.content_to_position) + usize::from(self.position_to_content)
    }

    /// Whether any scores come of distances.
    #[must_use]
    pub fn has_position_scores(&self) -> bool {
        self.relative_attention && self.n_kinds() > 1
    }

    /// How distances become rows of the table of their embeddings.
    #[must_use]
    pub fn positions(&self) -> RelativePositions {
        let max_distance = self.max_relative_positions;
        match self.position_buckets {
            Some(span) => RelativePositions::LogBuckets { span, max_distance },
            None => RelativePositions::Clamped { span: max_distance },
        }
    }
}

/// A number that means "none" when it is less than 1.
fn positive(reader: &Reader<'_>, key: &'static str) -> Result<Option<usize>> {
    let number = usize::try_from(reader.integer(key, -1)?).ok();
    Ok(number.filter(|number| *number > 0))
}

/// Widths that the reference lets be set, and then works only with those that follow from the others.
fn check_widths(reader: &Reader<'_>, hidden_size: usize) -> Result<()> {
    let heads = reader.count("num_attention_heads", 24)?.max(1);
    let derived = [
        ("attention_head_size", hidden_size / heads),
        ("pooler_hidden_size", hidden_size),
    ];
    for (key, expected) in derived {
        let found = reader.count(key, expected)?;
        if found != expected {
            return Err(reader.problem(format!(
                "{key} is {found}, expected {expected} with hidden_size {hidden_size} and \
                 num_attention_heads {heads}"
            )));
        }
    }
    Ok(())
}

fn position_buckets(reader: &Reader<'_>) -> Result<Option<usize>> {
    match positive(reader, "position_buckets")? {
        // The reference divides by half of them.
        Some(1) => Err(reader.unsupported("position_buckets", "1", "-1, 2 or more")),
        buckets => Ok(buckets),
    }
}

/// `pos_att_type` as a list, or as names with `|` between them.
fn position_types(reader: &Reader<'_>) -> Result<Vec<String>> {
    let names: Vec<String> = match reader.value("pos_att_type") {
        Some(Value::Array(names)) => names.iter().map(name_of).collect(),
        _ => split(reader.text("pos_att_type")?.unwrap_or_default()),
    };
    only(reader, "pos_att_type", names, "c2p, p2c")
}

/// A string, or what stands in its place, for a message.
fn name_of(value: &Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}

fn relative_norm(reader: &Reader<'_>) -> Result<bool> {
    let names = split(reader.text("norm_rel_ebd")?.unwrap_or("none"));
    let names = only(reader, "norm_rel_ebd", names, "none, layer_norm")?;
    Ok(names.iter().any(|name| name == "layer_norm"))
}

/// Names with `|` between them.
fn split(names: &str) -> Vec<String> {
    let names = names.to_lowercase();
    names
        .split('|')
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Refuses names that are not among `supported`; the reference overlooks them.
fn only(
    reader: &Reader<'_>,
    key: &'static str,
    names: Vec<String>,
    supported: &'static str,
) -> Result<Vec<String>> {
    let known = |name: &str| name.is_empty() || supported.split(", ").any(|known| known == name);
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(reader.unsupported(key, name, supported)),
        None => Ok(names),
    }
}

fn convolution(reader: &Reader<'_>, hidden_size: usize) -> Result<Option<ConvolutionOptions>> {
    let Some(kernel_size) = positive(reader, "conv_kernel_size")? else {
        return Ok(None);
    };
    if kernel_size.is_multiple_of(2) {
        let found = kernel_size.to_string();
        return Err(reader.unsupported("conv_kernel_size", &found, "odd numbers"));
    }
    let groups = reader.count("conv_groups", 1)?;
    if groups == 0 || !hidden_size.is_multiple_of(groups) {
        return Err(reader.problem(format!(
            "conv_groups is {groups}, expected a divisor of hidden_size {hidden_size}"
        )));
    }
    Ok(Some(ConvolutionOptions {
        kernel_size,
        groups,
        activation: reader.activation("conv_act", "tanh")?,
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn read(config: &Value) -> Result<DebertaV2Options> {
        let reader = Reader {
            raw: config.as_object().unwrap(),
            path: Path::new("config.json"),
        };
        DebertaV2Options::read(&reader, 48)
    }

    #[test]
    fn missing_keys_take_the_defaults_of_the_reference() {
        let options = read(&json!({})).unwrap();
        let expected = DebertaV2Options {
            relative_attention: false,
            content_to_position: false,
            position_to_content: false,
            max_relative_positions: 512,
            position_buckets: None,
            normalize_relative_embeddings: false,
            share_att_key: false,
            position_biased_input: true,
            convolution: None,
            pooler_dropout: 0.0,
            pooler_hidden_act: Activation::Gelu,
            legacy: true,
        };
        assert_eq!(options, expected);
        assert_eq!(
            (options.n_kinds(), options.has_position_scores()),
            (1, false)
        );
        let convolution = read(&json!({"conv_kernel_size": 3})).unwrap().convolution;
        let expected = ConvolutionOptions {
            kernel_size: 3,
            groups: 1,
            activation: Activation::Tanh,
        };
        assert_eq!(convolution, Some(expected));
    }

    #[test]
    fn kinds_of_scores_are_a_list_or_one_string() {
        for types in [json!(["p2c", "c2p"]), json!("C2P | p2c")] {
            let options = read(&json!({"pos_att_type": types, "relative_attention": true}));
            let options = options.unwrap();
            assert!(options.content_to_position && options.position_to_content);
            assert!(options.has_position_scores());
        }
        let options = read(&json!({"pos_att_type": "p2c"})).unwrap();
        assert!(options.position_to_content && !options.content_to_position);
        assert!(!options.has_position_scores(), "without relative_attention");
    }

    #[test]
    fn rows_of_distances_follow_buckets_or_the_largest_distance() {
        let positions = |config| read(&config).unwrap().positions();
        assert_eq!(
            positions(json!({"position_buckets": 256, "max_relative_positions": -1})),
            RelativePositions::LogBuckets {
                span: 256,
                max_distance: 512
            }
        );
        assert_eq!(
            positions(json!({"position_buckets": -1, "max_position_embeddings": 40})),
            RelativePositions::Clamped { span: 40 }
        );
        assert_eq!(
            positions(json!({"max_relative_positions": 12})),
            RelativePositions::Clamped { span: 12 }
        );
    }

    #[test]
    fn values_that_would_change_the_computation_are_refused_by_name() {
        let cases = [
            (
                json!({"pos_att_type": ["c2p", "p2p"]}),
                "pos_att_type",
                "p2p",
            ),
            (json!({"pos_att_type": [3]}), "pos_att_type", "3"),
            (
                json!({"norm_rel_ebd": "batch_norm"}),
                "norm_rel_ebd",
                "batch_norm",
            ),
            (json!({"position_buckets": 1}), "position_buckets", "1"),
            (
                json!({"attention_head_size": 5}),
                "attention_head_size",
                "5",
            ),
            (
                json!({"pooler_hidden_size": 24}),
                "pooler_hidden_size",
                "24",
            ),
            (json!({"conv_kernel_size": 4}), "conv_kernel_size", "4"),
            (
                json!({"conv_kernel_size": 3, "conv_groups": 7}),
                "conv_groups",
                "7",
            ),
            (
                json!({"conv_kernel_size": 3, "conv_act": "mish"}),
                "conv_act",
                "mish",
            ),
        ];
        for (config, key, value) in cases {
            let message = read(&config).unwrap_err().to_string();
            let named = message.contains(key) && message.contains(value);
            assert!(named, "{message}");
        }
    }
}
