//! Where a parameter stands in a model, read off its name.

use crate::Architecture;

/// The part of an encoder that the reference keeps under its prefix and that belongs to the heads.
const POOLER: &str = "bert.pooler.";

/// Where a parameter stands in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Tables of words, positions, segments and distances, with their norms and projections.
    Embeddings,
    /// A layer, counted from the one that sees the embeddings.
    Layer(usize),
    /// Of the encoder, above its last layer.
    Top,
    /// Not of the encoder.
    Head,
}

impl Place {
    /// The place of a parameter with this Hugging Face name (`….layer.N.…`, `….layers.N.…`, `….embeddings.…`), with the
    /// prefix that the encoder's tensors have in a model with a head.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let is_encoders = Architecture::ALL
            .iter()
            .any(|architecture| name.starts_with(architecture.prefix()));
        if !is_encoders || name.starts_with(POOLER) {
            return Self::Head;
        }
        if let Some(layer) = layer(name) {
            return Self::Layer(layer);
        }
        if name.starts_with("deberta.encoder.conv.") {
            // Its output is added to that of the first layer.
            return Self::Layer(0);
        }
        // DeBERTa's embeddings of distances stand in its encoder, and their norm has no name of its own.
        if name.contains("embeddings") || name.starts_with("deberta.encoder.LayerNorm.") {
            Self::Embeddings
        } else {
            Self::Top
        }
    }
}

fn layer(name: &str) -> Option<usize> {
    let mut parts = name.split('.');
    parts.find(|part| matches!(*part, "layer" | "layers"))?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_off_the_names_of_every_architecture() {
        for (name, expected) in [
            ("bert.embeddings.word_embeddings.weight", Place::Embeddings),
            ("electra.embeddings_project.weight", Place::Embeddings),
            ("deberta.encoder.rel_embeddings.weight", Place::Embeddings),
            ("deberta.encoder.LayerNorm.weight", Place::Embeddings),
            ("deberta.encoder.conv.conv.weight", Place::Layer(0)),
            ("model.embeddings.tok_embeddings.weight", Place::Embeddings),
            ("bert.encoder.layer.11.output.dense.bias", Place::Layer(11)),
            (
                "distilbert.transformer.layer.0.ffn.lin1.weight",
                Place::Layer(0),
            ),
            ("model.layers.3.attn.Wqkv.weight", Place::Layer(3)),
            ("model.final_norm.weight", Place::Top),
            ("bert.pooler.dense.weight", Place::Head),
            ("pooler.dense.weight", Place::Head),
            ("cls.predictions.transform.dense.weight", Place::Head),
            ("classifier.weight", Place::Head),
        ] {
            assert_eq!(Place::of(name), expected, "{name}");
        }
    }
}
