//! Opening a model step by step.

use std::path::PathBuf;

use vestnik_text::Aggregation;

use crate::device::DeviceChoice;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::task::Task;
use crate::vestnik::Vestnik;

/// Says which model to open and how to run it; made by [`Vestnik::builder`].
///
/// ```no_run
/// use vestnik_infer::{DeviceChoice, Task, Vestnik};
///
/// let vestnik = Vestnik::builder()
///     .dir("my-model")
///     .device(DeviceChoice::Cpu)
///     .tasks([Task::Ner])
///     .threads(2)
///     .open()?;
/// # Ok::<(), vestnik_infer::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    dir: Option<PathBuf>,
    #[cfg(feature = "hub")]
    hub: Option<String>,
    name: Option<String>,
    options: Options,
    threads: Option<usize>,
}

impl Builder {
    /// The model directory. Default: the model that is built into this library.
    pub fn dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.dir = Some(path.into());
        self
    }

    /// A model by its name on the Hugging Face hub, in place of a directory: [`Vestnik::from_hub`].
    #[cfg(feature = "hub")]
    pub fn hub(mut self, name: impl Into<String>) -> Self {
        self.hub = Some(name.into());
        self
    }

    /// Another name than that of the directory.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// All options at once; those that were set before are forgotten.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The device. Default: [`DeviceChoice::Auto`].
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.options.device = device;
        self
    }

    /// The numbers in which products are computed. Default: [`Dtype::F32`].
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.options.dtype = Some(dtype);
        self
    }

    /// Tokens of one forward pass. Default: 4096.
    pub fn batch_tokens(mut self, batch_tokens: usize) -> Self {
        self.options.batch_tokens = Some(batch_tokens);
        self
    }

    /// How scores of tokens become entities. Default: [`Aggregation::Viterbi`].
    pub fn aggregation(mut self, aggregation: Aggregation) -> Self {
        self.options.aggregation = aggregation;
        self
    }

    /// The least score of an entity, 0 to 1. Default: that of the model.
    pub fn min_score(mut self, min_score: f64) -> Self {
        self.options.min_score = Some(min_score);
        self
    }

    /// The least score of a topic, 0 to 1. Default: that of the model.
    pub fn min_topic_score(mut self, min_topic_score: f64) -> Self {
        self.options.min_topic_score = Some(min_topic_score);
        self
    }

    /// What to do. Default: all that the model can.
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = Task>) -> Self {
        self.options.tasks = Some(tasks.into_iter().collect());
        self
    }

    /// Threads of its own that the model computes on. Default: those of rayon's global pool, which a program shares.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Opens the model.
    ///
    /// # Errors
    /// As [`Vestnik::from_dir_with`], [`Vestnik::embedded_with`] or `Vestnik::from_hub`; [`Error::Threads`] if the threads cannot be started.
    pub fn open(self) -> Result<Vestnik> {
        let pool = self.threads.map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().map_err(|source| Error::Threads { source })
        });
        let pool = pool.transpose()?;
        let vestnik = self.open_model()?.with_pool(pool);
        Ok(match self.name {
            Some(name) => vestnik.with_name(name),
            None => vestnik,
        })
    }

    fn open_model(&self) -> Result<Vestnik> {
        #[cfg(feature = "hub")]
        if let Some(name) = &self.hub {
            return Vestnik::from_hub_with(&vestnik_hub::Hub::from_env()?, name, &self.options);
        }
        match &self.dir {
            Some(path) => Vestnik::from_dir_with(path, &self.options),
            None => Vestnik::embedded_with(&self.options),
        }
    }
}
