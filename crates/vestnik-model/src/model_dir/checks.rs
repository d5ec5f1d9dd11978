//! Whether the files of a model fit each other.

use std::path::Path;

use serde_json::Value;
use vestnik_text::Tokenizer;

use crate::checkpoint::{Weights, lookalike};
use crate::{EncoderConfig, Error, ModelConfig, Result};

/// A model whose weights are so much smaller than `config.json` says is not even begun.
const MAX_MISSING: usize = 8;
/// Nor is it above this number of values; below, the tensors that are missing are named instead.
const SMALL: usize = 100_000_000;

/// Whether there is a directory at all.
pub(super) fn directory(path: &Path) -> Result<()> {
    let found = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "a file, expected a model directory",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "no such model directory",
        Err(source) => {
            return Err(Error::File {
                path: path.into(),
                source,
            });
        }
    };
    Err(Error::NoDirectory {
        path: path.into(),
        found,
    })
}

/// Whether a `config.json` may be JSON at all: a pointer or a web page under its name is told as such.
pub(super) fn is_text(bytes: &[u8], path: &Path) -> Result<()> {
    match lookalike(bytes) {
        Some(what) if !bytes.is_empty() => Err(Error::Config {
            path: path.into(),
            problem: what.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// What [`ModelConfig::parse`] does not look at: `bytes` is the same file.
pub(super) fn config(config: &ModelConfig, bytes: &[u8]) -> Result<()> {
    let raw: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if raw["is_encoder_decoder"] == true {
        return Err(unsupported(
            config,
            "is_encoder_decoder",
            "true",
            "false, an encoder alone",
        ));
    }
    let quantization = &raw["quantization_config"];
    if !quantization.is_null() {
        let method = quantization["quant_method"].as_str().unwrap_or("unknown");
        return Err(unsupported(
            config,
            "quantization_config",
            method,
            "none, weights in f32, f16 or bf16",
        ));
    }
    let (pad, vocab_size) = (config.encoder.pad_token_id, config.encoder.vocab_size);
    if pad >= vocab_size {
        return Err(Error::Config {
            path: config.path().into(),
            problem: format!("pad_token_id is {pad}, outside of the vocabulary of {vocab_size}"),
        });
    }
    Ok(())
}

fn unsupported(
    config: &ModelConfig,
    key: &'static str,
    value: &str,
    supported: &'static str,
) -> Error {
    Error::Unsupported {
        path: config.path().into(),
        key,
        value: value.to_owned(),
        supported,
    }
}

/// Refuses sizes that are far beyond the weights: tensors that are missing are made afresh before they are reported,
/// and these would not fit into memory.
pub(super) fn size(config: &ModelConfig, weights: &Weights) -> Result<()> {
    let (described, found) = (n_values(&config.encoder), weights.n_values());
    if described > SMALL && described / MAX_MISSING > found {
        return Err(Error::Config {
            path: config.path().into(),
            problem: format!(
                "the sizes describe a model of more than {described} numbers, the weights have {found}"
            ),
        });
    }
    Ok(())
}

/// About as many numbers as an encoder has; [`MAX_MISSING`] leaves room for architectures that save some.
fn n_values(config: &EncoderConfig) -> usize {
    let width = config.hidden_size;
    let rows = config
        .vocab_size
        .saturating_add(config.max_position_embeddings);
    let layer = config.intermediate_size.saturating_add(width);
    let layers = config.num_hidden_layers.saturating_mul(layer);
    rows.saturating_add(layers).saturating_mul(width)
}

/// The tokenizer's ids are rows of the embedding table, and it pads with the token that the model takes for padding:
/// RoBERTa counts positions from it, and anywhere else it shows a tokenizer of another model.
pub(super) fn vocabulary(tokenizer: &Tokenizer, config: &ModelConfig, path: &Path) -> Result<()> {
    let (known, rows) = (tokenizer.vocab_size(), config.encoder.vocab_size);
    let (pad, expected) = (
        tokenizer.special().pad as usize,
        config.encoder.pad_token_id,
    );
    let matters = config.encoder.architecture.is_roberta() || config.states("pad_token_id");
    let problem = if known > rows {
        format!(
            "{known} tokens, but the model has embeddings for {rows}; is the tokenizer from another model?"
        )
    } else if pad != expected && matters {
        format!(
            "the padding token has the id {pad}, config.json says pad_token_id {expected}; is the tokenizer from another model?"
        )
    } else {
        return Ok(());
    };
    Err(Error::Tokenizer {
        path: path.into(),
        problem,
    })
}
