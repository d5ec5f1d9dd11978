//! The whole model behind two calls.

use std::path::Path;

use vestnik_core::{Entity, LabelSet};
use vestnik_model::{Device, HeadKind, ModelDir, TokenClassifier};

use crate::embedded;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, window_options};
use crate::options::Options;
use crate::pipeline::{NerPipeline, Parts, Tagged};

/// Name of the model that is built into the library with the feature `embedded-model`.
pub const EMBEDDED_MODEL_NAME: &str = "vestnik-news";

/// A model that reads articles. `Send + Sync`: share one between threads.
///
/// ```no_run
/// let vestnik = vestnik_infer::Vestnik::embedded()?;
/// for entity in vestnik.analyze("Президент Франции прибыл в Киев.")?.entities {
///     println!("{:?} {}", entity.span, entity.label);
/// }
/// # Ok::<(), vestnik_infer::Error>(())
/// ```
#[derive(Debug)]
pub struct Vestnik {
    name: String,
    ner: NerPipeline,
    metadata: Metadata,
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Analysis {
    /// The named entities in the order of the text, flat but for [`Aggregation::None`](crate::Aggregation::None); spans
    /// are UTF-8 bytes of the text.
    pub entities: Vec<Entity>,
    /// Tokens that were read: all of the text, however long.
    pub tokens: usize,
    /// Windows the text was read in.
    pub windows: usize,
}

impl From<Tagged> for Analysis {
    fn from(tagged: Tagged) -> Self {
        Self {
            entities: tagged.entities,
            tokens: tagged.tokens,
            windows: tagged.windows,
        }
    }
}

impl Vestnik {
    /// Opens the model that is built into this library, with default options.
    ///
    /// # Errors
    /// [`Error::NotEmbedded`] if this build has none (feature `embedded-model`).
    pub fn embedded() -> Result<Self> {
        Self::embedded_with(&Options::default())
    }

    /// Opens the model that is built into this library.
    ///
    /// # Errors
    /// [`Error::NotEmbedded`] if this build has none (feature `embedded-model`), [`Error::Device`] if the device is
    /// not there.
    pub fn embedded_with(options: &Options) -> Result<Self> {
        Self::open(EMBEDDED_MODEL_NAME, &embedded_model()?, options)
    }

    /// Opens a model directory of the Hugging Face layout, with default options.
    ///
    /// # Errors
    /// As [`Vestnik::from_dir_with`].
    pub fn from_dir(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_dir_with(path, &Options::default())
    }

    /// Opens a model directory of the Hugging Face layout: `config.json` with `id2label`, `tokenizer.json`,
    /// `model.safetensors`, and `vestnik.json` if there is one.
    ///
    /// # Errors
    /// A file is missing or not understood, the model has no labels or lacks tensors, tokenizer and model do not
    /// belong together, or the device is not there.
    pub fn from_dir_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        Self::open(&name_of(path), &ModelDir::open(path)?, options)
    }

    fn open(name: &str, dir: &ModelDir, options: &Options) -> Result<Self> {
        dir.expect_head(HeadKind::TokenClassification)?;
        let metadata = dir.settings().map(Metadata::parse).transpose()?;
        let window = window_options(metadata.as_ref(), dir.max_tokens())?;
        dir.named_labels()?;
        let tokenizer = dir.tokenizer()?;
        let device = options.device.open()?;
        let (classifier, _) = TokenClassifier::load_frozen(dir, &device)?;
        let metadata = metadata.unwrap_or_else(|| Metadata::new(window.max_tokens, window.context));
        let parts = Parts {
            classifier,
            tokenizer,
            window,
            device,
            calibration: metadata.calibration.clone().unwrap_or_default(),
        };
        Ok(Self {
            name: name.to_owned(),
            ner: NerPipeline::new(parts, options)?,
            metadata,
        })
    }

    /// Gives the model another name than that of its directory.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The name of the model: that of its directory, if it was given no other.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `vestnik.json` says of the model, or, where there is none, what holds without it.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What the model can do: `ner`.
    #[must_use]
    pub fn tasks(&self) -> &[&'static str] {
        &["ner"]
    }

    /// The labels of entities: the types that the model knows, or its tags with
    /// [`Aggregation::None`](crate::Aggregation::None).
    #[must_use]
    pub fn entity_types(&self) -> &LabelSet {
        self.ner.types()
    }

    /// The device it computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.ner.device()
    }

    /// The named-entity part on its own.
    #[must_use]
    pub fn ner(&self) -> &NerPipeline {
        &self.ner
    }

    /// Reads one text, however long; it may be empty.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn analyze(&self, text: &str) -> Result<Analysis> {
        self.ner.tag(text).map(Analysis::from)
    }

    /// Reads texts; the answer has one element for each, in the same order. Faster than one by one.
    ///
    /// # Errors
    /// As [`NerPipeline::tag_batch`].
    pub fn analyze_batch(&self, texts: &[&str]) -> Result<Vec<Analysis>> {
        let tagged = self.ner.tag_batch(texts)?;
        Ok(tagged.into_iter().map(Analysis::from).collect())
    }
}

/// The files of the model that is built into this library.
///
/// # Errors
/// [`Error::NotEmbedded`] if this build has none (feature `embedded-model`).
pub fn embedded_model() -> Result<ModelDir> {
    let model = embedded::MODEL.ok_or(Error::NotEmbedded)?;
    Ok(ModelDir::embedded(model)?)
}

/// The last part of the directory's path; `.` and `..` are resolved first.
pub(crate) fn name_of(dir: &Path) -> String {
    let resolved = dir.canonicalize();
    resolved.as_deref().unwrap_or(dir).file_name().map_or_else(
        || dir.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
