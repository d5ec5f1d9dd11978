//! Low-rank adaptation: which layers get it, and with what settings.

use serde::{Deserialize, Serialize};

use crate::Place;

/// LoRA (Hu et al. 2021): the weights `W` of an affine layer stay as they are, and `scale · B A` is learnt beside them, with
/// `A [rank, inputs]` and `B [outputs, rank]`.
///
/// Definitions and defaults are those of PEFT (`LoraConfig`): the scale is `alpha / rank`; `A` begins as PyTorch's
/// `kaiming_uniform_(a = √5)` has it, uniform within `±1/√inputs`, `B` as zeros, so that the adapted model begins as the one
/// it adapts; dropout is on the input of `A`. The encoder learns nothing else, unless it is asked for; heads learn whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lora {
    /// Rows of `A` and columns of `B`. Default 8.
    pub rank: usize,
    /// The update is scaled by `alpha / rank`. Default 8.
    pub alpha: f64,
    /// Dropout on the inputs of the updates. Default 0.
    pub dropout: f64,
    /// The layers that are adapted. Default: queries and values.
    pub targets: Vec<LoraTarget>,
    /// Whether the embeddings learn, too ([`Place::Embeddings`]). Default false.
    pub embeddings: bool,
    /// Whether the layer norms of the encoder learn, too. Default false.
    pub norms: bool,
}

/// Affine layers of an encoder's layer that can be adapted, whatever an architecture calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraTarget {
    /// Queries of the attention.
    Query,
    /// Keys of the attention.
    Key,
    /// Values of the attention.
    Value,
    /// The output of the attention.
    Output,
    /// Both layers of the feed-forward block.
    FeedForward,
}

impl LoraTarget {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::Output,
        Self::FeedForward,
    ];
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.0,
            dropout: 0.0,
            targets: vec![LoraTarget::Query, LoraTarget::Value],
            embeddings: false,
            norms: false,
        }
    }
}

impl Lora {
    /// What an update is multiplied by.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Whether the parameter of this name, at its place in the encoder, learns beside the updates.
    pub(crate) fn trains(&self, name: &str, place: Place) -> bool {
        self.embeddings && place == Place::Embeddings || self.norms && is_norm(name)
    }
}

/// `….LayerNorm.weight`, `….sa_layer_norm.bias`, `….mlp_norm.weight`: scale or shift of a layer norm.
fn is_norm(name: &str) -> bool {
    let layer = name.rsplit('.').nth(1);
    layer.is_some_and(|layer| layer.to_lowercase().ends_with("norm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_read_off_the_names_of_every_architecture() {
        for (name, expected) in [
            (
                "bert.encoder.layer.0.attention.output.LayerNorm.weight",
                true,
            ),
            ("distilbert.transformer.layer.0.sa_layer_norm.bias", true),
            ("deberta.encoder.LayerNorm.bias", true),
            ("model.layers.3.mlp_norm.weight", true),
            ("model.final_norm.weight", true),
            ("bert.encoder.layer.0.output.dense.weight", false),
        ] {
            assert_eq!(is_norm(name), expected, "{name}");
        }
    }
}
