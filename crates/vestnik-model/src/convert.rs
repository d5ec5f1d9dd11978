//! Making a model directory with one `model.safetensors` from other weights files: PyTorch's `pytorch_model.bin`, shards,
//! or safetensors in another number type.

use std::path::{Path, PathBuf};

use candle_core::DType;
use serde_json::{Value, json};

use crate::checkpoint::Floats;
use crate::model_dir::make_directory;
use crate::{CONFIG_FILE, Error, Result, SETTINGS_FILE, TOKENIZER_FILE, WEIGHTS_FILE, write_file};

mod entry;
mod source;
mod strided;
mod torch_file;
mod write;

use source::Source;

/// Files that are taken over as they are, where they are there.
const COMPANIONS: [&str; 17] = [
    TOKENIZER_FILE,
    SETTINGS_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "tokenizer.model",
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
];

/// What a conversion did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Tensors that were written.
    pub n_tensors: usize,
    /// Tensors that were left out because they hold no floating-point numbers, such as `position_ids`.
    pub dropped: Vec<String>,
    /// Tensors that were left out because they are the same numbers in memory as another one, with its name: tied
    /// weights, which are tied again on loading.
    pub tied: Vec<(String, String)>,
}

/// Writes the model at `from` as a new model directory `to`: `config.json`, the tokenizer's files, `vestnik.json` and
/// the model card as they are, and the weights as one `model.safetensors` in `dtype` (`f32`, `f16` or `bf16`; `None`
/// keeps the type of each tensor, but `f64` becomes `f32`).
///
/// `from` is a model directory or a weights file in it: `model.safetensors`, `pytorch_model.bin`, or the index of
/// either's shards. A PyTorch file is read as data; nothing in it is run. `to` appears whole or not at all.
///
/// # Errors
/// [`Error::Exists`] when there is something at `to`; [`Error::Pickle`] for a PyTorch file that holds more than weights;
/// [`Error::Weights`] for a file that is truncated, in the format before PyTorch 1.6, or otherwise not understood;
/// [`Error::NotFinite`] and [`Error::OutOfRange`] for numbers that cannot be kept; [`Error::NoConfig`],
/// [`Error::NoWeights`] and [`Error::File`].
pub fn convert(from: &Path, to: &Path, dtype: Option<DType>) -> Result<Converted> {
    let target = dtype.map(floats_of).transpose()?;
    if to.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: to.into() });
    }
    let (dir, weights) = locate(from)?;
    let mut config = read_config(&dir)?;
    let source = Source::open(&weights)?;
    let (entries, mut converted) = source.entries(tied(&config))?;
    // Files in f64 become f32.
    let wide = entries.iter().any(|entry| entry.floats == Floats::F64);
    if let Some(dtype) = dtype.or(wide.then_some(DType::F32)) {
        set_dtype(&mut config, dtype);
    }
    converted.n_tensors = entries.len();
    make_directory(to, |partial| {
        write::weights(entries, target, &partial.join(WEIGHTS_FILE))?;
        copy_companions(&dir, partial)?;
        let config = format!("{config:#}\n");
        write_file(&partial.join(CONFIG_FILE), config.as_bytes())
    })?;
    Ok(converted)
}

fn floats_of(dtype: DType) -> Result<Floats> {
    match dtype {
        DType::F32 => Ok(Floats::F32),
        DType::F16 => Ok(Floats::F16),
        DType::BF16 => Ok(Floats::Bf16),
        other => Err(Error::Argument {
            what: "number type of weights",
            expected: "f32, f16 or bf16".to_owned(),
            got: other.as_str().to_owned(),
        }),
    }
}

/// The model directory and the weights file that are meant by `from`.
fn locate(from: &Path) -> Result<(PathBuf, PathBuf)> {
    if from.is_dir() {
        return Ok((from.into(), source::find(from)?));
    }
    if let Err(source) = from.metadata() {
        return Err(Error::File {
            path: from.into(),
            source,
        });
    }
    let dir = match from.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => PathBuf::from("."),
    };
    Ok((dir, from.into()))
}

fn read_config(dir: &Path) -> Result<Value> {
    let path = dir.join(CONFIG_FILE);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(crate::model_dir::no_config(dir));
        }
        read => read.map_err(|source| file_error(&path, source))?,
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map_err(|error| Error::Config {
        path: path.clone(),
        problem: format!("not valid JSON: {error}"),
    })
}

/// Says in `config.json` which number type the weights have: `dtype` in transformers 5, `torch_dtype` before.
fn set_dtype(config: &mut Value, dtype: DType) {
    let Some(config) = config.as_object_mut() else {
        return;
    };
    let key = if config.contains_key("torch_dtype") {
        "torch_dtype"
    } else {
        "dtype"
    };
    config.insert(key.to_owned(), json!(crate::config::dtype_name(dtype)));
}

/// Whether tensors that share their numbers are tied again on loading: the default of transformers.
fn tied(config: &Value) -> bool {
    config["tie_word_embeddings"] != false
}

fn copy_companions(from: &Path, to: &Path) -> Result<()> {
    for name in COMPANIONS {
        let path = from.join(name);
        if path.is_file() {
            let bytes = std::fs::read(&path).map_err(|source| file_error(&path, source))?;
            write_file(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.into(),
        source,
    }
}
