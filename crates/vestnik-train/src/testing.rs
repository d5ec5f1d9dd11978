//! A tiny BERT, its tokenizer and annotated texts for the tests of this crate.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use serde_json::json;
use vestnik_core::{Document, Entity, LabelSet, Span, TagScheme, TagSet};
use vestnik_model::{MaskedLm, ModelDir, TokenClassifier};
use vestnik_text::Tokenizer;

use crate::random::Random;

const HIDDEN: usize = 16;
const INNER: usize = 32;
const POSITIONS: usize = 64;
const WORDS: [&str; 20] = [
    "Anna", "Boris", "Vera", "Sofia", "Kyiv", "Prague", "lives", "works", "in", "near", "met",
    "and", "saw", "the", "old", "river", "again", "today", "quietly", ".",
];
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// One word is one token.
pub(crate) fn tokenizer() -> Tokenizer {
    let pieces = SPECIAL.iter().chain(&WORDS);
    let vocab: HashMap<&str, usize> = pieces.enumerate().map(|(id, &piece)| (piece, id)).collect();
    let added: Vec<_> = SPECIAL
        .iter()
        .enumerate()
        .map(|(id, token)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    });
    Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
}

/// Writes a two-layer BERT with seeded weights; `dropout` is that of all layers.
fn write_encoder(folder: &Path, dropout: f64) {
    let vocab = SPECIAL.len() + WORDS.len();
    let config = json!({
        "model_type": "bert", "vocab_size": vocab, "hidden_size": HIDDEN, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": INNER, "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2, "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut random = Random::derive(1, &[]);
    let mut tensors = HashMap::new();
    let mut add = |name: &str, shape: &[usize]| {
        let draw = |_| (random.unit() as f32 - 0.5) * 0.4;
        let values: Vec<f32> = match name {
            _ if name.ends_with("LayerNorm.weight") => vec![1.0; HIDDEN],
            _ => (0..shape.iter().product()).map(draw).collect(),
        };
        tensors.insert(
            format!("bert.{name}"),
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap(),
        );
    };
    add("embeddings.word_embeddings.weight", &[vocab, HIDDEN]);
    add(
        "embeddings.position_embeddings.weight",
        &[POSITIONS, HIDDEN],
    );
    add("embeddings.token_type_embeddings.weight", &[2, HIDDEN]);
    for part in ["weight", "bias"] {
        add(&format!("embeddings.LayerNorm.{part}"), &[HIDDEN]);
    }
    for layer in 0..2 {
        for (name, out, input) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INNER, HIDDEN),
            ("output.dense", HIDDEN, INNER),
        ] {
            add(
                &format!("encoder.layer.{layer}.{name}.weight"),
                &[out, input],
            );
            add(&format!("encoder.layer.{layer}.{name}.bias"), &[out]);
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            add(&format!("encoder.layer.{layer}.{name}.weight"), &[HIDDEN]);
            add(&format!("encoder.layer.{layer}.{name}.bias"), &[HIDDEN]);
        }
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
}

/// The directory of the tiny encoder, which is there as long as the folder is.
pub(crate) fn encoder(dropout: f64) -> (ModelDir, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write_encoder(folder.path(), dropout);
    (ModelDir::open(folder.path()).unwrap(), folder)
}

/// A tagger with these tags on the tiny encoder.
pub(crate) fn tagger_with(labels: &LabelSet) -> TokenClassifier {
    let folder = tempfile::tempdir().unwrap();
    write_encoder(folder.path(), 0.0);
    let dir = ModelDir::open(folder.path()).unwrap();
    TokenClassifier::with_fresh_head(&dir, labels, 1, &Device::Cpu)
        .unwrap()
        .0
}

/// A tagger for PER and LOC on the tiny encoder.
pub(crate) fn tagger(dropout: f64) -> TokenClassifier {
    let folder = tempfile::tempdir().unwrap();
    write_encoder(folder.path(), dropout);
    let dir = ModelDir::open(folder.path()).unwrap();
    let types = LabelSet::new(["PER", "LOC"]).unwrap();
    let labels = LabelSet::new(TagSet::new(TagScheme::Bio, &types).labels()).unwrap();
    TokenClassifier::with_fresh_head(&dir, &labels, 1, &Device::Cpu)
        .unwrap()
        .0
}

/// A masked language model on the tiny encoder.
pub(crate) fn masked_lm(dropout: f64) -> MaskedLm {
    let folder = tempfile::tempdir().unwrap();
    write_encoder(folder.path(), dropout);
    MaskedLm::load(&ModelDir::open(folder.path()).unwrap(), 1, &Device::Cpu)
        .unwrap()
        .0
}

/// Sentences over the tiny vocabulary, drawn by `seed`, of 4 to 12 words.
pub(crate) fn sentence(seed: u64) -> String {
    let mut random = Random::derive(seed, &[99]);
    let n_words = 4 + random.below(9);
    let words: Vec<&str> = (0..n_words)
        .map(|_| WORDS[random.below(WORDS.len())])
        .collect();
    words.join(" ")
}

/// A document in which names of persons and places are annotated.
pub(crate) fn document(seed: u64) -> Document {
    let text = sentence(seed);
    let mut document = Document::new(format!("d{seed}"), text.clone())
        .with_lang(if seed.is_multiple_of(2) { "en" } else { "cs" });
    let mut start = 0;
    for word in text.split(' ') {
        let place = WORDS.iter().position(|&known| known == word).unwrap();
        let label = match place {
            0..3 => Some("PER"),
            3..6 => Some("LOC"),
            _ => None,
        };
        if let Some(label) = label {
            let span = Span::new(start, start + word.len()).unwrap();
            document.push_entity(Entity::new(span, label)).unwrap();
        }
        start += word.len() + 1;
    }
    document
}

/// All weights of a model, by name.
pub(crate) fn weights(parameters: &vestnik_model::Parameters) -> Vec<(String, Vec<f32>)> {
    values(parameters.iter())
}

/// The weights that learn, by name.
pub(crate) fn trainable(parameters: &vestnik_model::Parameters) -> Vec<(String, Vec<f32>)> {
    values(parameters.trainable())
}

fn values<'a>(tensors: impl Iterator<Item = (&'a str, &'a Var)>) -> Vec<(String, Vec<f32>)> {
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors
        .map(|(name, var)| (name.to_owned(), values(var)))
        .collect()
}
