//! The whole model behind two calls.

use std::path::Path;

use vestnik_core::LabelSet;
use vestnik_model::{Device, ModelDir};

use crate::analyses::Analyses;
use crate::analysis::{Analysis, Request};
use crate::builder::Builder;
use crate::dtype::Dtype;
use crate::embedded;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, window_options};
use crate::model::Model;
use crate::options::Options;
use crate::pipeline::NerPipeline;
use crate::portion::Portion;
use crate::task::Task;
use crate::times::Times;
use crate::token::{Token, tokens};

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
    model: Model,
    metadata: Metadata,
    /// Threads of its own, if it has any.
    pool: Option<rayon::ThreadPool>,
}

impl Vestnik {
    /// Says step by step which model to open and how to run it.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn with_pool(mut self, pool: Option<rayon::ThreadPool>) -> Self {
        self.pool = pool;
        self
    }

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
        let metadata = dir.settings().map(Metadata::parse).transpose()?;
        let model = Model::open(dir, metadata.as_ref(), options)?;
        let window = window_options(metadata.as_ref(), dir.max_tokens())?;
        let without = || Metadata::new(window.max_tokens, window.context);
        Ok(Self {
            name: name.to_owned(),
            model,
            metadata: metadata.unwrap_or_else(without),
            pool: None,
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

    /// What is done with texts: all that the model can, or those of [`Options::tasks`](crate::Options).
    #[must_use]
    pub fn tasks(&self) -> &[Task] {
        self.model.tasks()
    }

    /// The labels of entities: the types that the model knows, or its tags with
    /// [`Aggregation::None`](crate::Aggregation::None). `None` where [`Task::Ner`] is not among the tasks.
    #[must_use]
    pub fn entity_types(&self) -> Option<&LabelSet> {
        self.ner().map(NerPipeline::types)
    }

    /// The topics that the model knows. `None` where [`Task::Topic`] is not among the tasks.
    #[must_use]
    pub fn topics(&self) -> Option<&LabelSet> {
        self.model.topics()
    }

    /// The device it computes on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.model.device()
    }

    /// The numbers in which its encoder computes.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.model.dtype()
    }

    /// Tokens of one forward pass: those of the options, or fewer, once the memory of the device did not hold so many.
    #[must_use]
    pub fn batch_tokens(&self) -> usize {
        self.model.batch_tokens()
    }

    /// How long its texts took so far, part by part.
    #[must_use]
    pub fn times(&self) -> Times {
        self.model.times()
    }

    /// The named-entity part on its own. `None` where [`Task::Ner`] is not among the tasks.
    #[must_use]
    pub fn ner(&self) -> Option<&NerPipeline> {
        self.model.ner()
    }

    /// The tokens of a text with the special tokens around it.
    ///
    /// # Errors
    /// [`Error::Text`] if the tokenizer fails.
    pub fn tokens(&self, text: &str) -> Result<Vec<Token>> {
        tokens(self.model.tokenizer(), text)
    }

    /// Reads one text, however long; it may be empty.
    ///
    /// # Errors
    /// As [`Vestnik::analyze_requests`].
    pub fn analyze(&self, text: &str) -> Result<Analysis> {
        Ok(self.analyze_batch(&[text])?.swap_remove(0))
    }

    /// How many texts of a stream are worth reading at once on the device of the model.
    #[must_use]
    pub fn portion(&self) -> Portion {
        Portion::of(self.device())
    }

    /// Reads texts; the answer has one element for each, in the same order. Faster than one by one.
    ///
    /// # Errors
    /// As [`Vestnik::analyze_requests`].
    pub fn analyze_batch(&self, texts: &[&str]) -> Result<Vec<Analysis>> {
        let requests: Vec<Request<'_>> = texts.iter().copied().map(Request::from).collect();
        self.analyze_requests(&requests)
    }

    /// Reads a stream of texts, however many: gives each text with what it says, in their order, and holds only a batch of
    /// them in memory.
    ///
    /// ```no_run
    /// let vestnik = vestnik_infer::Vestnik::embedded()?;
    /// for (line, analysis) in vestnik.analyze_iter(std::io::stdin().lines().map_while(Result::ok)) {
    ///     println!("{} names in {line}", analysis?.entities.len());
    /// }
    /// # Ok::<(), vestnik_infer::Error>(())
    /// ```
    pub fn analyze_iter<I>(&self, texts: I) -> Analyses<'_, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Analyses::new(self, texts.into_iter())
    }

    /// Reads texts with targets, towards which the stance of the text is asked; the answer has one element for each, in
    /// the same order.
    ///
    /// The encoder reads each text once, in windows if it is long; all tasks share what it says. Results do not depend on
    /// the other texts.
    ///
    /// # Errors
    /// [`Error::Target`] for a target that is no part of its text, [`Error::TimeLimit`] for a text that takes longer than the
    /// options allow, [`Error::Text`] if the tokenizer fails, [`Error::Model`] or [`Error::Tensor`] if the model does.
    pub fn analyze_requests(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        requests.iter().try_for_each(Request::check)?;
        match &self.pool {
            Some(pool) => pool.install(|| self.model.analyze(requests)),
            None => self.model.analyze(requests),
        }
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
