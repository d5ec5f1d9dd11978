//! Models of any shape with random weights.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use vestnik_model::{Device, EncoderModel, ModelDir};

/// The shape of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) heads: usize,
    pub(crate) head_width: usize,
    pub(crate) inner: usize,
    pub(crate) layers: usize,
}

impl Shape {
    fn hidden(self) -> usize {
        self.heads * self.head_width
    }
}

pub(crate) const VOCABULARY: usize = 50;
pub(crate) const POSITIONS: usize = 300;

/// A BERT whose tensors are scaled so that states stay lively; `outlier` multiplies one feature of every norm.
pub(crate) fn bert(shape: Shape, outlier: f32, seed: u64) -> EncoderModel {
    let (width, inner) = (shape.hidden(), shape.inner);
    let mut tensors = Tensors::new(seed);
    for (name, rows) in [
        ("word", VOCABULARY),
        ("position", POSITIONS),
        ("token_type", 2),
    ] {
        tensors.push(
            &format!("embeddings.{name}_embeddings.weight"),
            &[rows, width],
            1.0,
        );
    }
    tensors.norm("embeddings.LayerNorm", width, outlier);
    for layer in 0..shape.layers {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for part in ["query", "key", "value"] {
            tensors.affine(&name(&format!("attention.self.{part}")), [width, width]);
        }
        tensors.affine(&name("attention.output.dense"), [width, width]);
        tensors.norm(&name("attention.output.LayerNorm"), width, outlier);
        tensors.affine(&name("intermediate.dense"), [inner, width]);
        tensors.affine(&name("output.dense"), [width, inner]);
        tensors.norm(&name("output.LayerNorm"), width, outlier);
    }
    let config = json!({
        "model_type": "bert", "architectures": ["BertModel"], "vocab_size": VOCABULARY,
        "hidden_size": width, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "intermediate_size": inner, "max_position_embeddings": POSITIONS, "hidden_act": "gelu",
    });
    tensors.open(&config)
}

/// A ModernBERT, every other layer of which is local.
pub(crate) fn modernbert(shape: Shape, window: usize, seed: u64) -> EncoderModel {
    let (width, inner) = (shape.hidden(), shape.inner);
    let mut tensors = Tensors::new(seed);
    tensors.push(
        "embeddings.tok_embeddings.weight",
        &[VOCABULARY, width],
        1.0,
    );
    let without_bias = ["embeddings.norm".to_owned(), "final_norm".to_owned()];
    let layer_norms = (0..shape.layers).flat_map(|layer| {
        let first = (layer > 0).then(|| format!("layers.{layer}.attn_norm"));
        first
            .into_iter()
            .chain([format!("layers.{layer}.mlp_norm")])
    });
    for name in without_bias.into_iter().chain(layer_norms) {
        tensors.push(&format!("{name}.weight"), &[width], 1.0);
    }
    for layer in 0..shape.layers {
        for (part, [outputs, inputs]) in [
            ("attn.Wqkv", [3 * width, width]),
            ("attn.Wo", [width, width]),
            ("mlp.Wi", [2 * inner, width]),
            ("mlp.Wo", [width, inner]),
        ] {
            let scale = (inputs as f32).sqrt().recip();
            tensors.push(
                &format!("layers.{layer}.{part}.weight"),
                &[outputs, inputs],
                scale,
            );
        }
    }
    let config = json!({
        "model_type": "modernbert", "architectures": ["ModernBertModel"], "vocab_size": VOCABULARY,
        "hidden_size": width, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "intermediate_size": inner, "max_position_embeddings": POSITIONS, "pad_token_id": 0,
        "local_attention": 2 * window, "global_attn_every_n_layers": 2,
    });
    tensors.open(&config)
}

/// How a DeBERTa sees distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Distances {
    /// Kinds of scores: `c2p`, `p2c`, both with `|` between, or none.
    pub(crate) kinds: &'static str,
    pub(crate) shares_projections: bool,
    /// Buckets on each side; without, one row for each of 20 distances.
    pub(crate) buckets: Option<usize>,
    /// Tokens and groups of channels of the convolution beside the first layer.
    pub(crate) convolution: Option<[usize; 2]>,
}

/// A DeBERTa-v2.
pub(crate) fn deberta(shape: Shape, distances: Distances, seed: u64) -> EncoderModel {
    let (width, inner) = (shape.hidden(), shape.inner);
    let mut tensors = Tensors::new(seed);
    tensors.push(
        "embeddings.word_embeddings.weight",
        &[VOCABULARY, width],
        1.0,
    );
    tensors.norm("embeddings.LayerNorm", width, 1.0);
    let rows = 2 * distances.buckets.unwrap_or(20);
    tensors.push("encoder.rel_embeddings.weight", &[rows, width], 1.0);
    tensors.norm("encoder.LayerNorm", width, 1.0);
    if let Some([kernel, groups]) = distances.convolution {
        let inputs = width / groups;
        let scale = ((inputs * kernel) as f32).sqrt().recip();
        tensors.push("encoder.conv.conv.weight", &[width, inputs, kernel], scale);
        tensors.push("encoder.conv.conv.bias", &[width], 0.3);
        tensors.norm("encoder.conv.LayerNorm", width, 1.0);
    }
    for layer in 0..shape.layers {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        for part in ["query", "key", "value", "pos_key", "pos_query"] {
            tensors.affine(
                &name(&format!("attention.self.{part}_proj")),
                [width, width],
            );
        }
        tensors.affine(&name("attention.output.dense"), [width, width]);
        tensors.norm(&name("attention.output.LayerNorm"), width, 1.0);
        tensors.affine(&name("intermediate.dense"), [inner, width]);
        tensors.affine(&name("output.dense"), [width, inner]);
        tensors.norm(&name("output.LayerNorm"), width, 1.0);
    }
    let mut config = json!({
        "model_type": "deberta-v2", "architectures": ["DebertaV2Model"], "vocab_size": VOCABULARY,
        "hidden_size": width, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "intermediate_size": inner, "max_position_embeddings": POSITIONS, "hidden_act": "gelu",
        "type_vocab_size": 0, "position_biased_input": false, "relative_attention": true,
        "max_relative_positions": if distances.buckets.is_some() { 100 } else { 20 },
        "position_buckets": distances.buckets.map_or(-1, |buckets| buckets as i64),
        "norm_rel_ebd": "layer_norm", "share_att_key": distances.shares_projections,
        "pos_att_type": distances.kinds,
    });
    if let Some([kernel, groups]) = distances.convolution {
        config["conv_kernel_size"] = kernel.into();
        config["conv_groups"] = groups.into();
        config["conv_act"] = "tanh".into();
    }
    tensors.open(&config)
}

struct Tensors {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    state: u64,
}

impl Tensors {
    fn new(seed: u64) -> Self {
        Self {
            tensors: vec![],
            state: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// Between -1 and 1 (SplitMix64, Steele et al. 2014).
    fn number(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn push(&mut self, name: &str, shape: &[usize], scale: f32) {
        let n: usize = shape.iter().product();
        let bytes = (0..n)
            .flat_map(|_| (self.number() * scale).to_le_bytes())
            .collect();
        self.tensors.push((name.to_owned(), shape.to_vec(), bytes));
    }

    fn affine(&mut self, name: &str, [outputs, inputs]: [usize; 2]) {
        self.push(
            &format!("{name}.weight"),
            &[outputs, inputs],
            1.7 / (inputs as f32).sqrt(),
        );
        self.push(&format!("{name}.bias"), &[outputs], 0.3);
    }

    fn norm(&mut self, name: &str, width: usize, outlier: f32) {
        self.push(&format!("{name}.weight"), &[width], 1.0);
        if let Some((_, _, bytes)) = self.tensors.last_mut() {
            bytes[..4].copy_from_slice(&outlier.to_le_bytes());
        }
        self.push(&format!("{name}.bias"), &[width], 0.2);
    }

    fn open(&self, config: &Value) -> EncoderModel {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let views = self.tensors.iter().map(|(name, shape, bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        std::fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
        let dir = ModelDir::open(dir.path()).unwrap();
        EncoderModel::load_frozen(&dir, &Device::Cpu).unwrap().0
    }
}
