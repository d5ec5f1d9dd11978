//! A tagger of a given shape with random weights, and updates of it on random tokens.

use std::collections::HashMap;

use serde_json::json;
use vestnik_core::LabelSet;
use vestnik_model::{
    Adaptation, Device, Mode, ModelDir, Tensor, TokenClassifier, TrainingPass, losses,
};
use vestnik_text::Batch;
use vestnik_train::{AdamW, AdamWConfig, Gradients};

/// Tokens of a sequence.
const LENGTH: usize = 128;
const LABELS: [&str; 3] = ["O", "B-PER", "I-PER"];

/// The size of a BERT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) vocabulary: usize,
}

/// What an update needs.
pub(crate) struct Step {
    model: TokenClassifier,
    optimizer: AdamW,
    batch: Batch,
    labels: Vec<i64>,
    checkpointing: bool,
    number: u64,
}

impl Step {
    /// Updates on batches of `tokens` tokens.
    pub(crate) fn new(
        shape: Shape,
        adaptation: &Adaptation,
        tokens: usize,
        checkpointing: bool,
    ) -> Self {
        let model = tagger(shape).adapted(adaptation, 1).unwrap();
        Self {
            optimizer: AdamW::of_model(model.parameters(), AdamWConfig::default()).unwrap(),
            model,
            batch: batch(tokens, shape.vocabulary),
            labels: (0..tokens as i64).map(|token| token % 3).collect(),
            checkpointing,
            number: 0,
        }
    }

    /// Forward, backward, and the update of the weights.
    pub(crate) fn run(&mut self) {
        let pass = TrainingPass::new(1, self.number).with_lookups();
        let pass = match self.checkpointing {
            true => pass.with_gradient_checkpointing(),
            false => pass,
        };
        let logits = self
            .model
            .forward(&self.batch, Mode::Training(&pass))
            .unwrap();
        let loss = losses::cross_entropy(&logits, &self.labels).unwrap();
        let mut store = pass.backward(&loss).unwrap();
        let (lookups, parameters) = (pass.take_lookups(), self.model.parameters());
        let mut gradients = Gradients::default();
        gradients
            .add(parameters.trainable(), &lookups, &mut store, 1.0)
            .unwrap();
        drop((store, loss, logits));
        self.optimizer.step(&gradients, 1e-4, 1.0).unwrap();
        self.number += 1;
    }
}

fn tagger(shape: Shape) -> TokenClassifier {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "model_type": "bert", "vocab_size": shape.vocabulary, "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.hidden / 64,
        "intermediate_size": 4 * shape.hidden, "max_position_embeddings": LENGTH, "type_vocab_size": 2,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let tensors = encoder(shape);
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    drop(tensors);
    let dir = ModelDir::open(folder.path()).unwrap();
    let labels = LabelSet::new(LABELS).unwrap();
    TokenClassifier::with_fresh_head(&dir, &labels, 1, &Device::Cpu)
        .unwrap()
        .0
}

/// The tensors of the encoder.
fn encoder(shape: Shape) -> HashMap<String, Tensor> {
    let (hidden, inner) = (shape.hidden, 4 * shape.hidden);
    let mut tensors = HashMap::new();
    let mut add = |name: String, shape: &[usize]| {
        tensors.insert(format!("bert.{name}"), tensor(&name, shape));
    };
    let tables = [
        ("word", shape.vocabulary),
        ("position", LENGTH),
        ("token_type", 2),
    ];
    for (table, rows) in tables {
        add(
            format!("embeddings.{table}_embeddings.weight"),
            &[rows, hidden],
        );
    }
    let mut vectors = |layer: &str, width: usize| {
        add(format!("{layer}.weight"), &[width]);
        add(format!("{layer}.bias"), &[width]);
    };
    vectors("embeddings.LayerNorm", hidden);
    for layer in (0..shape.layers).map(|layer| format!("encoder.layer.{layer}")) {
        for norm in ["attention.output.LayerNorm", "output.LayerNorm"] {
            vectors(&format!("{layer}.{norm}"), hidden);
        }
    }
    for layer in (0..shape.layers).map(|layer| format!("encoder.layer.{layer}")) {
        for (part, outputs, inputs) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ] {
            add(format!("{layer}.{part}.weight"), &[outputs, inputs]);
            add(format!("{layer}.{part}.bias"), &[outputs]);
        }
    }
    tensors
}

/// Ones for the scale of a norm, zeros for vectors, small numbers without a pattern for matrices.
fn tensor(name: &str, shape: &[usize]) -> Tensor {
    let value = |index: usize| match shape.len() {
        1 if name.ends_with("weight") => 1.0,
        1 => 0.0,
        _ => 0.04 * ((index.wrapping_mul(2_654_435_761) >> 8) % 1024) as f32 / 1024.0 - 0.02,
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn batch(tokens: usize, vocabulary: usize) -> Batch {
    Batch {
        ids: (0..tokens)
            .map(|token| (token * 7919 % vocabulary) as u32)
            .collect(),
        position_ids: (0..tokens).map(|token| (token % LENGTH) as u32).collect(),
        type_ids: vec![0; tokens],
        cumulative_lengths: (0..=tokens).step_by(LENGTH).collect(),
        origins: (0..tokens / LENGTH).map(|sequence| (sequence, 0)).collect(),
        ..Batch::default()
    }
}
