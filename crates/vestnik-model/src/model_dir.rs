//! The files of a model in the Hugging Face layout, in a directory or in memory.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::DType;
use vestnik_text::Tokenizer;

use crate::checkpoint::{self, Checkpoint};
use crate::{Error, ModelConfig, Parameters, Result};

/// Name of the configuration file.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the weights file.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the tokenizer file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the file with what Vestnik adds to the layout.
pub const SETTINGS_FILE: &str = "vestnik.json";

/// The files of a model: `config.json`, `model.safetensors`, `tokenizer.json` and, where there is one, `vestnik.json`.
#[derive(Clone, Debug)]
pub struct ModelDir {
    path: PathBuf,
    config: ModelConfig,
    weights: Cow<'static, [u8]>,
    tokenizer: Option<Cow<'static, [u8]>>,
    settings: Option<Cow<'static, [u8]>>,
}

/// The bytes of a model that is built into a program.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedModel {
    /// What messages call it.
    pub name: &'static str,
    /// `config.json`.
    pub config: &'static [u8],
    /// `model.safetensors`.
    pub weights: &'static [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'static [u8],
    /// `vestnik.json`.
    pub settings: &'static [u8],
}

impl ModelDir {
    /// Reads the files of a directory; the tensors are parsed later, when a model is loaded.
    ///
    /// # Errors
    /// [`Error::File`] when the directory or its `config.json` cannot be read, [`Error::NoWeights`] when there is no
    /// `model.safetensors`, and those of [`ModelConfig::parse`].
    pub fn open(path: &Path) -> Result<Self> {
        let config_path = path.join(CONFIG_FILE);
        let config = std::fs::read(&config_path).map_err(|source| Error::File {
            path: config_path.clone(),
            source,
        })?;
        Ok(Self {
            path: path.into(),
            config: ModelConfig::parse(&config, &config_path)?,
            weights: read_weights(path)?.into(),
            tokenizer: read_optional(&path.join(TOKENIZER_FILE))?.map(Cow::Owned),
            settings: read_optional(&path.join(SETTINGS_FILE))?.map(Cow::Owned),
        })
    }

    /// A model that is built into the program.
    ///
    /// # Errors
    /// Those of [`ModelConfig::parse`].
    pub fn embedded(model: EmbeddedModel) -> Result<Self> {
        let path = PathBuf::from(model.name);
        Ok(Self {
            config: ModelConfig::parse(model.config, &path.join(CONFIG_FILE))?,
            weights: model.weights.into(),
            tokenizer: Some(model.tokenizer.into()),
            settings: Some(model.settings.into()),
            path,
        })
    }

    /// The directory, or the name of an embedded model.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The bytes of `vestnik.json`, where there is one.
    #[must_use]
    pub fn settings(&self) -> Option<&[u8]> {
        self.settings.as_deref()
    }

    /// The bytes of `model.safetensors`.
    #[must_use]
    pub fn weights(&self) -> &[u8] {
        &self.weights
    }

    /// The number type of most of the weights, as the file names it: `f16`, `f32`, …
    ///
    /// # Errors
    /// [`Error::Weights`].
    pub fn weights_dtype(&self) -> Result<String> {
        Ok(self.checkpoint()?.dtype())
    }

    /// The bytes of `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::File`] when there is none.
    pub fn tokenizer_bytes(&self) -> Result<&[u8]> {
        let source = || {
            std::io::Error::new(
                std::io::ErrorKind::NotFound,
                "no such file; a model needs its tokenizer",
            )
        };
        self.tokenizer.as_deref().ok_or_else(|| Error::File {
            path: self.path.join(TOKENIZER_FILE),
            source: source(),
        })
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`Error::File`] when there is none, [`Error::Text`] when it cannot be parsed, [`Error::TokenId`] when it knows
    /// more tokens than the model has embeddings.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::from_bytes(self.tokenizer_bytes()?)?;
        let vocab_size = self.config.encoder.vocab_size;
        match tokenizer.vocab_size().checked_sub(1) {
            Some(last) if last >= vocab_size => Err(Error::TokenId {
                id: last as u32,
                vocab_size,
            }),
            _ => Ok(tokenizer),
        }
    }

    pub(crate) fn checkpoint(&self) -> Result<Checkpoint<'_>> {
        Checkpoint::parse(&self.weights, &self.path.join(WEIGHTS_FILE))
    }
}

fn read_weights(dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(WEIGHTS_FILE);
    if let Some(weights) = read_optional(&path)? {
        return Ok(weights);
    }
    let hint = if dir.join("pytorch_model.bin").exists() {
        ", only pytorch_model.bin, which may run code when it is read; save the model as safetensors"
    } else if dir.join("model.safetensors.index.json").exists() {
        ", only shards, which are not supported yet; save the model as one file"
    } else {
        ""
    };
    Err(Error::NoWeights {
        dir: dir.into(),
        hint,
    })
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: path.into(),
            source,
        }),
    }
}

/// Writes `config.json` and `model.safetensors` into `dir`, which is made when it is not there.
pub(crate) fn write_model(
    dir: &Path,
    config: &ModelConfig,
    parameters: &Parameters,
    dtype: DType,
) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|source| Error::File {
        path: dir.into(),
        source,
    })?;
    write_file(
        &dir.join(WEIGHTS_FILE),
        &checkpoint::serialize(parameters, dtype)?,
    )?;
    write_file(&dir.join(CONFIG_FILE), config.to_json().as_bytes())
}

/// Writes a file beside its place and renames it, so that a reader sees the old one or the new one, never a part.
///
/// # Errors
/// [`Error::File`] when the directory cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .suffix(".partial")
            .tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        let file = file.persist(path).map_err(|error| error.error)?;
        make_readable(&file)
    };
    write().map_err(|source| Error::File {
        path: path.into(),
        source,
    })
}

/// Temporary files begin readable by their owner alone; what is saved is for everyone, as files usually are.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
