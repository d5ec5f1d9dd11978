//! The files of a model in the Hugging Face layout, in a directory or in memory.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::DType;
use vestnik_core::LabelSet;
use vestnik_text::Tokenizer;

use crate::checkpoint::{self, Checkpoint, Weights};
use crate::{Error, ModelConfig, Parameters, Result};

mod checks;
mod hints;
mod tokenizer_settings;

pub(crate) use hints::{no_config, no_weights};
use tokenizer_settings::TokenizerSettings;

/// Name of the configuration file.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the weights file.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the index of a model whose weights are in several files.
pub const WEIGHTS_INDEX_FILE: &str = "model.safetensors.index.json";
/// Name of the tokenizer file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the file with what Vestnik adds to the layout.
pub const SETTINGS_FILE: &str = "vestnik.json";

/// The files of a model: `config.json`, `model.safetensors` (or its shards with their index), `tokenizer.json` and,
/// where there is one, `vestnik.json`. Clones share what is open.
#[derive(Clone, Debug)]
pub struct ModelDir {
    path: PathBuf,
    config: ModelConfig,
    weights: Arc<Weights>,
    tokenizer: Option<Cow<'static, [u8]>>,
    tokenizer_settings: TokenizerSettings,
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
    /// Opens the files of a directory; the numbers of the tensors are read later, when a model is loaded.
    ///
    /// As in transformers, `model.safetensors` is preferred to shards when both are there.
    ///
    /// # Errors
    /// [`Error::NoDirectory`], [`Error::NoConfig`] and [`Error::NoWeights`] when something is missing, [`Error::File`]
    /// when a file cannot be read, [`Error::Weights`] for a weights file that is truncated or none, or an index that does
    /// not fit its shards, [`Error::Config`], [`Error::Unsupported`], and [`Error::Tokenizer`] for a broken
    /// `tokenizer_config.json`.
    pub fn open(path: &Path) -> Result<Self> {
        checks::directory(path)?;
        let config_path = path.join(CONFIG_FILE);
        let bytes = read_optional(&config_path)?.ok_or_else(|| hints::no_config(path))?;
        checks::is_text(&bytes, &config_path)?;
        let config = ModelConfig::parse(&bytes, &config_path)?;
        checks::config(&config, &bytes)?;
        let weights = open_weights(path)?;
        checks::size(&config, &weights)?;
        Ok(Self {
            path: path.into(),
            config,
            weights: Arc::new(weights),
            tokenizer: read_optional(&path.join(TOKENIZER_FILE))?.map(Cow::Owned),
            tokenizer_settings: TokenizerSettings::read(path)?,
            settings: read_optional(&path.join(SETTINGS_FILE))?.map(Cow::Owned),
        })
    }

    /// A model that is built into the program.
    ///
    /// # Errors
    /// Those of [`ModelConfig::parse`], and [`Error::Weights`].
    pub fn embedded(model: EmbeddedModel) -> Result<Self> {
        let path = PathBuf::from(model.name);
        Ok(Self {
            config: ModelConfig::parse(model.config, &path.join(CONFIG_FILE))?,
            weights: Arc::new(Weights::from_bytes(&path, model.weights)?),
            tokenizer: Some(model.tokenizer.into()),
            tokenizer_settings: TokenizerSettings::default(),
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

    /// The number type of most of the weights, as the file names it: `f16`, `f32`, …
    #[must_use]
    pub fn weights_dtype(&self) -> String {
        self.weights.dtype()
    }

    /// The longest sequence in tokens, special tokens included: what the position table holds, or less where
    /// `model_max_length` of `tokenizer_config.json` says so.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        let positions = self.config.encoder.max_tokens();
        let limit = self.tokenizer_settings.max_length;
        limit.map_or(positions, |limit| limit.min(positions))
    }

    /// The names of the outputs, refused when they are only placeholders ([`has_placeholder_labels`]): what such a
    /// model finds would be nameless.
    ///
    /// # Errors
    /// [`Error::Labels`] and [`Error::PlaceholderLabels`].
    pub fn named_labels(&self) -> Result<LabelSet> {
        let labels = self.config.labels()?;
        if has_placeholder_labels(&labels) {
            return Err(Error::PlaceholderLabels {
                path: self.config.path().into(),
                labels: labels.iter().take(3).map(str::to_owned).collect(),
            });
        }
        Ok(labels)
    }

    /// The bytes of `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when there is none, with how to make it from the files that are there.
    pub fn tokenizer_bytes(&self) -> Result<&[u8]> {
        let bytes = self.tokenizer.as_deref();
        bytes.ok_or_else(|| hints::no_tokenizer(&self.path))
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when there is none, when it knows more tokens than the model has embeddings, or when its
    /// special tokens are not those of `config.json`, `tokenizer_config.json` or `special_tokens_map.json`;
    /// [`Error::TokenizerFile`] when it cannot be parsed.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.path.join(TOKENIZER_FILE);
        let bytes = self.tokenizer_bytes()?;
        if let Some(what) = checkpoint::lookalike(bytes) {
            let problem = what.to_owned();
            return Err(Error::Tokenizer { path, problem });
        }
        let tokenizer = Tokenizer::from_bytes(bytes).map_err(|source| Error::TokenizerFile {
            path: path.clone(),
            source,
        })?;
        checks::vocabulary(&tokenizer, &self.config, &path)?;
        self.tokenizer_settings.check(&tokenizer)?;
        Ok(tokenizer)
    }

    pub(crate) fn weights(&self) -> Arc<Weights> {
        self.weights.clone()
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint<'_> {
        Checkpoint::new(&self.weights)
    }
}

/// Whether labels are the defaults of transformers, `LABEL_0`, `LABEL_1`, …: nobody named the outputs.
#[must_use]
pub fn has_placeholder_labels(labels: &LabelSet) -> bool {
    let mut numbered = labels.iter().enumerate();
    numbered.all(|(id, label)| label.strip_prefix("LABEL_") == Some(id.to_string().as_str()))
}

fn open_weights(dir: &Path) -> Result<Weights> {
    let (single, index) = (dir.join(WEIGHTS_FILE), dir.join(WEIGHTS_INDEX_FILE));
    if single.exists() {
        Weights::open(&single)
    } else if index.exists() {
        Weights::open_shards(&index)
    } else {
        Err(hints::no_weights(dir))
    }
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
    let config = config.with_dtype(dtype);
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
        // Not through `file` itself, whose errors name the temporary file.
        file.as_file_mut().write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        make_readable(path)
    };
    write().map_err(|source| Error::File {
        path: path.into(),
        source,
    })
}

/// Fills a directory beside `target` and renames it, so that it is there whole or not at all.
///
/// # Errors
/// [`Error::File`] when the directory cannot be made, and those of `fill`.
pub fn make_directory<E: From<Error>>(
    target: &Path,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    // The kind of error alone: the system's message names the temporary directory.
    let cannot_write = |source: std::io::Error| Error::File {
        path: target.into(),
        source: source.kind().into(),
    };
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let beside = tempfile::tempdir_in(parent).map_err(cannot_write)?;
    let partial = beside.path().join("model");
    std::fs::create_dir(&partial).map_err(cannot_write)?;
    fill(&partial)?;
    std::fs::rename(&partial, target).map_err(cannot_write)?;
    Ok(())
}

/// Temporary files begin readable by their owner alone; what is saved is for everyone, as files usually are.
#[cfg(unix)]
pub(crate) fn make_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(crate) fn make_readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
