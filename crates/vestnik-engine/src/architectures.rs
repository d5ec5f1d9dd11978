//! Where the tensors of each architecture lie.

use vestnik_model::{
    Architecture, ArchitectureOptions, DebertaV2Options, EncoderConfig, ModernBertOptions,
};

use crate::arithmetic::Arithmetic;
use crate::convolution::Convolution;
use crate::embeddings::{Embeddings, Names};
use crate::error::{Error, Result};
use crate::finish::GATED;
use crate::layer::{Layer, LayerShape, NormPlace};
use crate::linear::Linear;
use crate::options::EngineOptions;
use crate::relative::{Distances, RelativePositions};
use crate::rotary::Rotary;
use crate::rows::Norm;
use crate::tensors::Tensors;

/// The parts of an encoder.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) embeddings: Embeddings,
    pub(crate) layers: Vec<Layer>,
    /// Beside the first layer.
    pub(crate) convolution: Option<Convolution>,
    pub(crate) final_norm: Option<Norm>,
    pub(crate) shape: LayerShape,
}

/// The parts of an encoder.
pub(crate) fn load(
    options: &EngineOptions,
    config: &EncoderConfig,
    tensors: Tensors<'_>,
) -> Result<Parts> {
    match (config.architecture, &config.options) {
        (Architecture::Bert, _) => bert(options, config, tensors, "bert."),
        (Architecture::Roberta | Architecture::XlmRoberta | Architecture::Camembert, _) => {
            bert(options, config, tensors, "roberta.")
        }
        (Architecture::Electra, _) => bert(options, config, tensors, "electra."),
        (Architecture::DistilBert, _) => distilbert(options, config, tensors),
        (Architecture::ModernBert, ArchitectureOptions::ModernBert(own)) => {
            modernbert(options, config, own, tensors)
        }
        (Architecture::DebertaV2, ArchitectureOptions::DebertaV2(own)) => {
            deberta(options, config, own, tensors)
        }
        (architecture, own) => Err(Error::Argument {
            what: "configuration",
            expected: format!("options of {}", architecture.model_type()),
            got: format!("{own:?}"),
        }),
    }
}

/// Names of a layer's parts.
struct LayerNames {
    attention: [&'static str; 3],
    attention_output: &'static str,
    attention_norm: &'static str,
    inner: &'static str,
    outer: &'static str,
    norm: &'static str,
}

const BERT: LayerNames = LayerNames {
    attention: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    norm: "output.LayerNorm",
};

const DEBERTA: LayerNames = LayerNames {
    attention: [
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
    ],
    ..BERT
};

const DISTILBERT: LayerNames = LayerNames {
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    inner: "ffn.lin1",
    outer: "ffn.lin2",
    norm: "output_layer_norm",
};

fn bert(
    options: &EngineOptions,
    config: &EncoderConfig,
    tensors: Tensors<'_>,
    prefix: &str,
) -> Result<Parts> {
    let is_narrow =
        config.architecture == Architecture::Electra && config.embedding_size != config.hidden_size;
    let names = Names {
        words: "embeddings.word_embeddings.weight",
        norm: "embeddings.LayerNorm",
        projection: is_narrow.then_some("embeddings_project"),
        has_positions: true,
        projects_first: false,
    };
    let layers = format!("{prefix}encoder.layer");
    post_norm(options, config, tensors, (prefix, &names), (&layers, &BERT))
}

fn distilbert(
    options: &EngineOptions,
    config: &EncoderConfig,
    tensors: Tensors<'_>,
) -> Result<Parts> {
    let names = Names {
        words: "embeddings.word_embeddings.weight",
        norm: "embeddings.LayerNorm",
        projection: None,
        has_positions: true,
        projects_first: false,
    };
    let layers = ("distilbert.transformer.layer", &DISTILBERT);
    post_norm(options, config, tensors, ("distilbert.", &names), layers)
}

fn deberta(
    options: &EngineOptions,
    config: &EncoderConfig,
    own: &DebertaV2Options,
    tensors: Tensors<'_>,
) -> Result<Parts> {
    let is_narrow = config.embedding_size != config.hidden_size;
    let embeddings = Names {
        words: "embeddings.word_embeddings.weight",
        norm: "embeddings.LayerNorm",
        projection: is_narrow.then_some("embeddings.embed_proj"),
        has_positions: own.position_biased_input,
        projects_first: true,
    };
    let layers = "deberta.encoder.layer";
    let names = ("deberta.", &embeddings);
    let mut parts = post_norm(options, config, tensors, names, (layers, &DEBERTA))?;
    parts.shape.n_score_kinds = own.n_kinds();
    if own.has_position_scores() {
        parts.shape.distances = Distances::new(config, own);
        let mut table = tensors.read("deberta.encoder.rel_embeddings.weight")?;
        if own.normalize_relative_embeddings {
            let norm = tensors.norm("deberta.encoder.LayerNorm", config.layer_norm_eps)?;
            norm.apply(&mut table, config.hidden_size);
        }
        for (index, layer) in parts.layers.iter_mut().enumerate() {
            let name = format!("{layers}.{index}.attention.self");
            let relative = RelativePositions::load(tensors, &name, &table, own)?;
            layer.relative = Some(relative);
        }
    }
    parts.convolution = own
        .convolution
        .as_ref()
        .map(|own| Convolution::load(parts.shape.arithmetic, config, own, tensors))
        .transpose()?;
    Ok(parts)
}

fn post_norm(
    options: &EngineOptions,
    config: &EncoderConfig,
    tensors: Tensors<'_>,
    (prefix, embeddings): (&str, &Names<'_>),
    (layers, names): (&str, &LayerNames),
) -> Result<Parts> {
    let arithmetic = Arithmetic::new(options);
    let embeddings = Embeddings::load(arithmetic, config, tensors, prefix, embeddings)?;
    let layer = |index: usize| {
        let arithmetic = arithmetic.of_layer(index, options);
        let name = |part: &str| format!("{layers}.{index}.{part}");
        let qkv = names.attention.map(name);
        let norm = |part| tensors.norm(&name(part), config.layer_norm_eps);
        Ok(Layer {
            arithmetic,
            qkv: tensors.linear(arithmetic, &qkv.each_ref().map(String::as_str))?,
            attention_output: tensors.linear(arithmetic, &[&name(names.attention_output)])?,
            attention_norm: Some(norm(names.attention_norm)?),
            inner: tensors.linear(arithmetic, &[&name(names.inner)])?,
            activation: config.hidden_act,
            is_gated: false,
            inner_width: config.intermediate_size,
            outer: tensors.linear(arithmetic, &[&name(names.outer)])?,
            feed_forward_norm: norm(names.norm)?,
            window: None,
            relative: None,
            rotary: None,
        })
    };
    Ok(Parts {
        embeddings,
        layers: in_parallel(config.num_hidden_layers, layer)?,
        convolution: None,
        final_norm: None,
        shape: shape(arithmetic, config, NormPlace::After, vec![]),
    })
}

fn modernbert(
    options: &EngineOptions,
    config: &EncoderConfig,
    own: &ModernBertOptions,
    tensors: Tensors<'_>,
) -> Result<Parts> {
    let names = Names {
        words: "embeddings.tok_embeddings.weight",
        norm: "embeddings.norm",
        projection: None,
        has_positions: false,
        projects_first: false,
    };
    let arithmetic = Arithmetic::new(options);
    let embeddings = Embeddings::load(arithmetic, config, tensors, "model.", &names)?;
    let norm = |name: &str| tensors.norm(name, config.layer_norm_eps);
    let layer = |index: usize| {
        let arithmetic = arithmetic.of_layer(index, options);
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let is_local = own.local_layers.get(index).copied().unwrap_or(false);
        let inner = tensors.affine(&name("mlp.Wi"))?;
        Ok(Layer {
            arithmetic,
            qkv: tensors.linear(arithmetic, &[&name("attn.Wqkv")])?,
            attention_output: tensors.linear(arithmetic, &[&name("attn.Wo")])?,
            attention_norm: (index > 0).then(|| norm(&name("attn_norm"))).transpose()?,
            inner: gated(arithmetic, inner, config.intermediate_size),
            activation: config.hidden_act,
            is_gated: true,
            inner_width: config.intermediate_size,
            outer: tensors.linear(arithmetic, &[&name("mlp.Wo")])?,
            feed_forward_norm: norm(&name("mlp_norm"))?,
            window: is_local.then_some(own.window),
            relative: None,
            rotary: Some(usize::from(is_local)),
        })
    };
    let head_width = config.hidden_size / config.num_attention_heads;
    let bases = [own.global_rope_theta, own.local_rope_theta];
    let rotary = bases.map(|base| Rotary::new(base, head_width, config.max_tokens()));
    Ok(Parts {
        embeddings,
        layers: in_parallel(config.num_hidden_layers, layer)?,
        convolution: None,
        final_norm: Some(norm("model.final_norm")?),
        shape: shape(arithmetic, config, NormPlace::Before, rotary.into()),
    })
}

/// An affine layer whose outputs are `width` inputs and as many gates, in blocks of 16 of each by turns.
fn gated(
    arithmetic: Arithmetic,
    (weight, bias, inputs): (Vec<f32>, Vec<f32>, usize),
    width: usize,
) -> Linear {
    let filled_up = width.next_multiple_of(GATED);
    let mut by_turns = vec![0.0; 2 * filled_up * inputs];
    let mut bias_by_turns = vec![0.0; 2 * filled_up];
    for (output, row) in weight.chunks_exact(inputs).enumerate() {
        let (half, place) = (output / width, output % width);
        let turn = (2 * (place / GATED) + half) * GATED + place % GATED;
        by_turns[turn * inputs..][..inputs].copy_from_slice(row);
        bias_by_turns[turn] = bias[output];
    }
    Linear::new(arithmetic, by_turns, bias_by_turns, inputs)
}

fn shape(
    arithmetic: Arithmetic,
    config: &EncoderConfig,
    norm_place: NormPlace,
    rotary: Vec<Rotary>,
) -> LayerShape {
    LayerShape {
        arithmetic,
        norm_place,
        hidden: config.hidden_size,
        n_heads: config.num_attention_heads,
        rotary,
        distances: Distances::default(),
        n_score_kinds: 1,
    }
}

fn in_parallel(
    n: usize,
    layer: impl Fn(usize) -> Result<Layer> + Send + Sync,
) -> Result<Vec<Layer>> {
    use rayon::prelude::*;
    (0..n).into_par_iter().map(layer).collect()
}
