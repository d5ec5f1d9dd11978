//! `--model DIR|ID` and how to run it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use vestnik_data::sha256_file;
use vestnik_infer::{
    Aggregation, DeviceChoice, Dtype, EMBEDDED_MODEL_NAME, Error, Options, Replicas, Task,
    TextFeatures, Vestnik, ZeroShot,
};
use vestnik_model::{Device, HeadKind, ModelDir};
use vestnik_serve::Engine;

use crate::failure::{Mistake, one_line};
use crate::hub::{self, HubModel};
use crate::{device, threads};

/// Arguments about the model that commands share.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// Model directory, name of the built-in model (the default), or ORG/NAME[@REVISION] on the Hugging Face hub
    #[arg(long, value_name = "DIR|ID")]
    model: Option<String>,
    #[command(flatten)]
    compute: ComputeArgs,
}

/// Arguments about how models compute.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ComputeArgs {
    /// Device: auto, cpu, cuda or cuda:N; for `tag` also several that share the work, separated by commas
    #[arg(
        long,
        default_value = "auto",
        value_delimiter = ',',
        value_name = "DEVICE"
    )]
    device: Vec<DeviceChoice>,
    /// Numbers to compute in: f32, int8 (CPU), tf32 or bf16 (GPU) [default: f32]
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<Dtype>,
    /// Tokens of one forward pass [default: 4096, on a GPU 32768]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    batch_tokens: Option<usize>,
    /// Threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = threads::parse_threads)]
    threads: Option<usize>,
    /// The most time that one text may take, where the command has such an option.
    #[arg(skip)]
    text_time: Option<Duration>,
}

/// Arguments about how scores become entities.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct EntityArgs {
    /// How scores of tokens become entities: viterbi (the best valid sequence of tags over words), or as the pipeline of
    /// transformers does: none, simple, first, average, max
    #[arg(long, default_value_t, value_name = "HOW")]
    aggregation: Aggregation,
    /// Least score of an entity, 0 to 1, in place of those that the model was calibrated with; 0 keeps all
    #[arg(long, value_name = "X", value_parser = parse_score)]
    min_score: Option<f64>,
}

/// What to do with texts, beside the details of entities.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskOptions {
    /// All that the model can, if not told.
    pub(crate) tasks: Option<Vec<Task>>,
    pub(crate) min_topic_score: Option<f64>,
}

impl TaskOptions {
    /// Entities alone.
    pub(crate) fn ner() -> Self {
        Self {
            tasks: Some(vec![Task::Ner]),
            ..Self::default()
        }
    }
}

/// Reads a score on the command line.
pub(crate) fn parse_score(text: &str) -> Result<f64, String> {
    let score = text
        .parse()
        .ok()
        .filter(|score| (0.0..=1.0).contains(score));
    score.ok_or_else(|| "a number from 0 to 1".to_owned())
}

impl ComputeArgs {
    /// The same arguments for a model, the built-in one without a name.
    pub(crate) fn with_model(&self, model: Option<String>) -> ModelArgs {
        ModelArgs {
            model,
            compute: self.clone(),
        }
    }

    /// Tokens of one forward pass, if they were asked for.
    pub(crate) fn batch_tokens(&self) -> Option<usize> {
        self.batch_tokens
    }

    /// The one device.
    ///
    /// # Errors
    /// Several were named.
    fn device(&self) -> Result<DeviceChoice> {
        match self.device.as_slice() {
            [device] => Ok(*device),
            devices => Err(Mistake::new(format!(
                "{} devices were named, expected one",
                devices.len()
            ))
            .hint("`vestnik tag` alone shares its work among several")
            .into()),
        }
    }

    fn options(&self, device: DeviceChoice) -> Options {
        let mut options = Options::default().with_device(device);
        options.dtype = self.dtype;
        options.text_time = self.text_time;
        match self.batch_tokens {
            Some(tokens) => options.with_batch_tokens(tokens),
            None => options,
        }
    }
}

impl ModelArgs {
    /// Opens the model directory, or the model built into the program without one or by its name.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// There is no such directory, it is no complete model, this program has no model in it, or the device is not
    /// there.
    pub(crate) fn open(&self, entities: &EntityArgs, tasks: &TaskOptions) -> Result<Vestnik> {
        threads::set(self.compute.threads)?;
        self.open_on(self.compute.device()?, entities, tasks)
    }

    /// [`ModelArgs::open`] on each device that was named.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn open_replicas(
        &self,
        entities: &EntityArgs,
        tasks: &TaskOptions,
    ) -> Result<Replicas> {
        threads::set(self.compute.threads)?;
        let devices = self.compute.device.iter();
        let mut opened = devices.map(|device| self.open_on(*device, entities, tasks));
        // clap's default is one device.
        let first = opened.next().transpose()?.context("no device was named")?;
        Ok(Replicas::new(first, opened.collect::<Result<_>>()?))
    }

    fn open_on(
        &self,
        device: DeviceChoice,
        entities: &EntityArgs,
        tasks: &TaskOptions,
    ) -> Result<Vestnik> {
        let options = self.compute.options(device);
        let mut options = options.with_aggregation(entities.aggregation);
        options.min_score = entities.min_score;
        options.min_topic_score = tasks.min_topic_score;
        options.tasks.clone_from(&tasks.tasks);
        let vestnik = match self.model.as_deref() {
            Some(path) if Path::new(path).exists() => {
                Vestnik::from_dir_with(path, &options).map_err(with_hint)?
            }
            None | Some(EMBEDDED_MODEL_NAME) => {
                Vestnik::embedded_with(&options).map_err(with_hint)?
            }
            Some(name) => open_hub_model(&from_hub(name)?, &options)?,
        };
        Ok(vestnik)
    }

    /// Opens a model of natural language inference.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// None was named, it is no such model, or the device is not there.
    pub(crate) fn open_zero_shot(&self) -> Result<ZeroShot> {
        threads::set(self.compute.threads)?;
        let Some(name) = self.model.as_deref() else {
            return Err(Mistake::new("no model was named")
                .hint("--model takes a classifier of natural language inference: a directory or a name on the hub")
                .into());
        };
        if Path::new(name).exists() {
            return Ok(ZeroShot::from_dir(name, &self.options()?)?);
        }
        let model = from_hub(name)?;
        Ok(ZeroShot::from_dir(&model.path, &self.options()?)?.with_name(&model.name))
    }

    /// Opens the encoder of a model, for features.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// As [`ModelArgs::open`].
    pub(crate) fn open_features(&self) -> Result<TextFeatures> {
        threads::set(self.compute.threads)?;
        let options = self.options()?;
        Ok(match self.model.as_deref() {
            Some(path) if Path::new(path).exists() => TextFeatures::from_dir(path, &options)?,
            None | Some(EMBEDDED_MODEL_NAME) => {
                TextFeatures::embedded(&options).map_err(with_hint)?
            }
            Some(name) => {
                let model = from_hub(name)?;
                TextFeatures::from_dir(&model.path, &options)?.with_name(&model.name)
            }
        })
    }

    /// Opens the files of the model, and the device.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// As [`ModelArgs::open`].
    pub(crate) fn open_directory(&self) -> Result<(ModelDir, Device)> {
        threads::set(self.compute.threads)?;
        let dir = directory(self.model.as_deref())?;
        Ok((dir, self.compute.device()?.open()?))
    }

    /// What the model is called: its directory, or its name.
    pub(crate) fn name(&self) -> String {
        let name = self.model.as_deref().unwrap_or(EMBEDDED_MODEL_NAME);
        let folder = Path::new(name).canonicalize();
        let last = folder.as_deref().ok().and_then(Path::file_name);
        last.map_or_else(
            || name.to_owned(),
            |last| last.to_string_lossy().into_owned(),
        )
    }

    /// Opens a model of natural language inference as such, and any other one as what reads articles.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// As [`ModelArgs::open`] and [`ModelArgs::open_zero_shot`].
    pub(crate) fn open_engine(&self, entities: &EntityArgs, tasks: &TaskOptions) -> Result<Engine> {
        let directory = directory(self.model.as_deref())?;
        Ok(if says_what_follows(&directory)? {
            Engine::from(self.open_zero_shot()?)
        } else {
            Engine::from(self.open(entities, tasks)?)
        })
    }

    /// The same arguments with a limit for the time that one text may take.
    pub(crate) fn with_text_time(mut self, limit: Option<Duration>) -> Self {
        self.compute.text_time = limit;
        self
    }

    /// The same arguments for another model.
    pub(crate) fn named(&self, model: &str) -> Self {
        Self {
            model: Some(model.to_owned()),
            ..self.clone()
        }
    }

    /// The directory of the model, if it was named by one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        let path = Path::new(self.model.as_deref()?);
        path.is_dir().then_some(path)
    }

    /// The directory with the files of the model, that in the cache of the hub included; `None` for the model that is
    /// built into the program.
    pub(crate) fn directory(&self) -> Result<Option<PathBuf>> {
        match (self.folder(), self.model.as_deref()) {
            (Some(folder), _) => Ok(Some(folder.to_owned())),
            (None, None | Some(EMBEDDED_MODEL_NAME)) => Ok(None),
            (None, Some(name)) => Ok(Some(from_hub(name)?.path)),
        }
    }

    /// What decides about results: the model, by its name and a hash of its files.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn identity(&self, name: &str) -> Result<BTreeMap<String, Value>> {
        let sha256 = match self.directory()? {
            Some(directory) => hash_of_files(&directory)?,
            None => vestnik_infer::embedded_sha256()
                .unwrap_or_default()
                .to_owned(),
        };
        let values = [("model", name.into()), ("model sha256", sha256.into())];
        Ok(values.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Says on standard error where a model computes.
    pub(crate) fn tell_device(&self, device: &Device) {
        let choice = self.compute.device.first().copied();
        device::tell(choice.unwrap_or_default(), device);
    }

    /// Says on standard error where the same model computes on several devices.
    pub(crate) fn tell_devices(&self, replicas: &Replicas) {
        for (choice, vestnik) in self.compute.device.iter().zip(replicas.iter()) {
            device::tell(*choice, vestnik.device());
        }
    }

    fn options(&self) -> Result<Options> {
        Ok(self.compute.options(self.compute.device()?))
    }
}

/// Whether a model is one of natural language inference: a classifier with an output for what follows.
fn says_what_follows(directory: &ModelDir) -> Result<bool> {
    if directory.config().head() != Some(HeadKind::SequenceClassification) {
        return Ok(false);
    }
    let labels = directory.config().labels()?;
    Ok(labels
        .iter()
        .any(|label| label.to_lowercase().starts_with("entail")))
}

/// A hash of the files that a model is made of.
fn hash_of_files(directory: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let names = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = names.collect::<Result<_>>()?;
    files.sort();
    let of_model = |path: &&PathBuf| {
        let extension = path.extension().unwrap_or_default();
        path.is_file() && (extension == "json" || extension == "safetensors")
    };
    for path in files.iter().filter(of_model) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(format!("{}  {name}\n", sha256_file(path)?));
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// The files of the model directory `model`, or of the model built into the program without one or by its name.
///
/// # Errors
/// As [`ModelArgs::open`].
pub(crate) fn directory(model: Option<&str>) -> Result<ModelDir> {
    match model {
        Some(path) if Path::new(path).exists() => Ok(ModelDir::open(Path::new(path))?),
        None | Some(EMBEDDED_MODEL_NAME) => vestnik_infer::embedded_model().map_err(with_hint),
        Some(name) => Ok(ModelDir::open(&from_hub(name)?.path)?),
    }
}

/// The files of the model that a run begins with: a directory, seen from the folder of the run file, or a name on the
/// hub.
///
/// # Errors
/// There is neither, or the directory is no complete model.
pub(crate) fn base(path: &Path, in_run_file: &Path) -> Result<ModelDir> {
    let found = match in_run_file.to_str() {
        Some(name) if !path.exists() => hub::find(name)?,
        _ => None,
    };
    Ok(ModelDir::open(
        found.as_ref().map_or(path, |model| &model.path),
    )?)
}

/// The model that a name means which is neither a directory nor the built-in model.
fn from_hub(name: &str) -> Result<HubModel> {
    let no_directory =
        || Mistake::new(format!("{name}: no such model directory")).hint(hub::what_names_a_model());
    hub::find(name)?.ok_or_else(|| no_directory().into())
}

/// In a snapshot the folder's name is a commit hash: the model keeps its name on the hub.
fn open_hub_model(model: &HubModel, options: &Options) -> Result<Vestnik> {
    let vestnik = Vestnik::from_dir_with(&model.path, options).map_err(with_hint)?;
    Ok(vestnik.with_name(&model.name))
}

/// A program without a model in it needs one to be named; labels that make no scheme can still be grouped.
fn with_hint(error: Error) -> anyhow::Error {
    match error {
        Error::NotEmbedded => Mistake::new(error.to_string())
            .hint("name a model directory")
            .into(),
        Error::MissingTask { task, known } => {
            let known: Vec<&str> = known.iter().map(|task| task.as_str()).collect();
            Mistake::new(format!("the model has no head for the task \"{task}\""))
                .hint(format!("it has: {}", known.join(", ")))
                .into()
        }
        error @ Error::Labels { .. } => Mistake::new(one_line(&error.into()))
            .hint("--aggregation simple takes any labels")
            .into(),
        error => error.into(),
    }
}
