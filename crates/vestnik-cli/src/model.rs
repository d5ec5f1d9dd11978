//! `--model DIR|ID` and how to run it.

use std::path::Path;

use anyhow::Result;
use vestnik_infer::{Aggregation, DeviceChoice, EMBEDDED_MODEL_NAME, Error, Options, Vestnik};
use vestnik_model::ModelDir;

use crate::failure::{Mistake, one_line};
use crate::{device, threads};

/// Arguments about the model that commands share.
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    /// Model directory, or the name of the model built into the program (the default)
    #[arg(long, value_name = "DIR|ID")]
    model: Option<String>,
    /// Device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Tokens of one forward pass [default: 4096]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    batch_tokens: Option<usize>,
    /// Threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = threads::parse_count)]
    threads: Option<usize>,
}

impl ModelArgs {
    /// Opens the model directory, or the model built into the program without one or by its name; `aggregation` says how
    /// scores become entities.
    ///
    /// To be called before anything else uses the thread pool.
    ///
    /// # Errors
    /// There is no such directory, it is no complete model, this program has no model in it, or the device is not
    /// there.
    pub(crate) fn open(&self, aggregation: Aggregation) -> Result<Vestnik> {
        threads::set(self.threads)?;
        let options = self.options().with_aggregation(aggregation);
        let vestnik = match self.model.as_deref() {
            Some(path) if Path::new(path).is_dir() => {
                Vestnik::from_dir_with(path, &options).map_err(with_hint)?
            }
            None | Some(EMBEDDED_MODEL_NAME) => {
                Vestnik::embedded_with(&options).map_err(with_hint)?
            }
            Some(path) => return Err(no_directory(path)),
        };
        Ok(vestnik)
    }

    /// Says on standard error where `vestnik` computes.
    pub(crate) fn tell_device(&self, vestnik: &Vestnik) {
        device::tell(self.device, vestnik.device());
    }

    fn options(&self) -> Options {
        let options = Options::default().with_device(self.device);
        match self.batch_tokens {
            Some(tokens) => options.with_batch_tokens(tokens),
            None => options,
        }
    }
}

/// The files of the model directory `model`, or of the model built into the program without one or by its name.
///
/// # Errors
/// As [`ModelArgs::open`].
pub(crate) fn directory(model: Option<&str>) -> Result<ModelDir> {
    match model {
        Some(path) if Path::new(path).is_dir() => Ok(ModelDir::open(Path::new(path))?),
        None | Some(EMBEDDED_MODEL_NAME) => vestnik_infer::embedded_model().map_err(with_hint),
        Some(path) => Err(no_directory(path)),
    }
}

fn no_directory(path: &str) -> anyhow::Error {
    Mistake::new(format!("{path}: no such model directory")).into()
}

/// A program without a model in it needs one to be named; labels that make no scheme can still be grouped.
fn with_hint(error: Error) -> anyhow::Error {
    match error {
        Error::NotEmbedded => Mistake::new(error.to_string())
            .hint("name a model directory")
            .into(),
        error @ Error::Labels { .. } => Mistake::new(one_line(&error.into()))
            .hint("--aggregation simple takes any labels")
            .into(),
        error => error.into(),
    }
}

/// A task that the model has no head for is refused before anything is read.
pub(crate) fn refuse_unknown_tasks(tasks: &[String]) -> Result<()> {
    match tasks.iter().find(|task| *task != "ner") {
        None => Ok(()),
        Some(task) => Err(
            Mistake::new(format!("the model has no head for the task {task:?}"))
                .hint("it has: ner")
                .into(),
        ),
    }
}
