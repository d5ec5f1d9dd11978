//! What `vestnik train` and `vestnik pretrain` share: the run file, the output folder, and how a run is followed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use vestnik_data::sha256_file;
use vestnik_infer::DeviceChoice;
use vestnik_model::Device;
use vestnik_train::{
    DamagedCheckpoint, DataFile, Error, EvaluationEvent, Event, FinishReason, Measures, Resumed,
    RunRecord, Share, StartEvent, StepEvent,
};

use crate::failure::{Mistake, one_line};
use crate::output::note;
use crate::progress::{self, Progress, ProgressMode};
use crate::{device, threads};

/// Arguments of a training run.
#[derive(Debug, clap::Args)]
#[group(id = "run")]
pub(crate) struct Args {
    /// The run file; paths in it are relative to its folder. (With `train --reproduce`: a finished run)
    #[arg(value_name = "RUN.toml")]
    pub(crate) run_file: PathBuf,
    /// Folder for checkpoint, model and log [default: the run file without .toml]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Go on from the last checkpoint
    #[arg(long)]
    pub(crate) resume: bool,
    /// Override a setting of the run file, e.g. optimizer.learning_rate=1e-4
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Device: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_name = "DEVICE")]
    device: DeviceChoice,
    /// Threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = threads::parse_threads)]
    threads: Option<usize>,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

/// A run that is about to begin: the run file has been read, the output folder checked, the device opened.
pub(crate) struct Setup<C> {
    pub(crate) config: C,
    pub(crate) device: Device,
    pub(crate) out: PathBuf,
    pub(crate) choice: DeviceChoice,
    resume: bool,
    folder: PathBuf,
    progress: ProgressMode,
}

/// Where a run begins and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// What the paths of the run file are relative to.
    pub(crate) folder: PathBuf,
    /// The output folder.
    pub(crate) out: PathBuf,
    /// Whether to go on with the run that is there.
    pub(crate) resume: bool,
}

impl Args {
    /// Reads the run file with `parse` and prepares everything around it.
    ///
    /// # Errors
    /// The run file is missing or wrong, the output folder holds a run (or, to resume, none), the device is not there.
    pub(crate) fn prepare<C>(
        &self,
        parse: impl FnOnce(&str, &[String]) -> vestnik_train::Result<C>,
    ) -> Result<Setup<C>> {
        let config = self.read(parse, &[])?;
        let place = Place {
            folder: self.folder(),
            out: self.default_output(""),
            resume: self.resume,
        };
        self.set_up(config, place)
    }

    /// Reads the run file with `parse`, with `more` overrides after those of the command line.
    ///
    /// # Errors
    /// The run file is missing or wrong.
    pub(crate) fn read<C>(
        &self,
        parse: impl FnOnce(&str, &[String]) -> vestnik_train::Result<C>,
        more: &[String],
    ) -> Result<C> {
        let path = &self.run_file;
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the run file {}", path.display()))?;
        let set = [&self.set, more].concat();
        parse(&text, &set).map_err(|error| explain(error, path, &text))
    }

    /// The folder of the run file.
    pub(crate) fn folder(&self) -> PathBuf {
        let parent = self.run_file.parent();
        parent.map(Path::to_owned).unwrap_or_default()
    }

    /// The folder that was named, or that of the run file's name without `.toml` and with `suffix`.
    pub(crate) fn default_output(&self, suffix: &str) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let mut name = self.run_file.with_extension("").into_os_string();
            name.push(suffix);
            name.into()
        })
    }

    /// Prepares everything around a run.
    ///
    /// # Errors
    /// The output folder holds a run (or, to resume, none), the device is not there.
    pub(crate) fn set_up<C>(&self, config: C, place: Place) -> Result<Setup<C>> {
        let Place {
            folder,
            out,
            resume,
        } = place;
        check_output(&out, &self.run_file, resume)?;
        threads::set(self.threads)?;
        let device = self.device.open()?;
        Ok(Setup {
            config,
            choice: self.device,
            device,
            out,
            resume,
            folder,
            progress: self.progress,
        })
    }
}

/// Names the file, the line and the reason of a run file that cannot be read.
fn explain(error: Error, path: &Path, text: &str) -> anyhow::Error {
    let path = path.display();
    let Error::RunFile { source } = &error else {
        return anyhow::Error::from(error).context(format!("{path}"));
    };
    let reason = source.message();
    // With overrides the error has no place in the file.
    match source.span().and_then(|span| text.get(..span.start)) {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            Mistake::new(format!("{path}:{line}: {reason}")).into()
        }
        None => Mistake::new(format!("{path}: {reason}")).into(),
    }
}

fn check_output(out: &Path, run_file: &Path, resume: bool) -> Result<()> {
    let shown = out.display();
    if out == run_file || out.is_file() {
        return Err(Mistake::new(format!("{shown} is a file"))
            .hint("name a folder with -o")
            .into());
    }
    if resume && !vestnik_train::has_begun(out) {
        return Err(Mistake::new(format!("{shown} holds no run to resume")).into());
    }
    if !resume && vestnik_train::holds_run(out) {
        return Err(Mistake::new(format!("{shown} already holds a run"))
            .hint("--resume goes on with it, -o names another folder")
            .into());
    }
    check_writable(out)
}

/// Tries to write where the run will, before anything takes time; leaves nothing behind.
fn check_writable(out: &Path) -> Result<()> {
    let there = out.ancestors().find(|folder| folder.exists());
    let folder = match there {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(error) => Err(
            Mistake::new(format!("cannot write to {}: {error}", folder.display()))
                .hint("name a folder with -o")
                .into(),
        ),
    }
}

impl<C> Setup<C> {
    /// A path of the run file as seen from here.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The account of a data file for the record of the run, under the path that the run file gives.
    pub(crate) fn data_file(&self, path: &Path, records: usize) -> Result<DataFile> {
        Ok(DataFile {
            path: path.to_owned(),
            sha256: sha256_file(&self.path(path))?,
            records,
            spans_sha256: None,
        })
    }

    /// The name of the run: that of its folder.
    pub(crate) fn name(&self) -> String {
        let name = self.out.file_name().unwrap_or(self.out.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Says where the report is.
    pub(crate) fn tell_report(&self) {
        let report = self.out.join("report.html");
        note(&format!("the report is in {}", report.display()));
    }

    /// Goes back to a checkpoint with `resume` where that was asked for, and says which one when it is not the newest.
    pub(crate) fn go_back(
        &self,
        resume: impl FnOnce() -> vestnik_train::Result<Resumed>,
    ) -> Result<()> {
        if !self.resume {
            return Ok(());
        }
        let resumed = resume().map_err(|error| self.with_hint(error))?;
        for DamagedCheckpoint { path, problem } in &resumed.damaged {
            note(&format!(
                "{} is damaged: {problem}; going on from update {}",
                path.display(),
                resumed.step
            ));
        }
        Ok(())
    }

    /// The error with what to do about it.
    pub(crate) fn with_hint(&self, error: Error) -> anyhow::Error {
        let hint = match &error {
            Error::NotFinite { .. } => {
                "a smaller optimizer.learning_rate or optimizer.max_grad_norm, or a longer schedule.warmup, may help; \
                 begin anew with -o, since settings of a run stay"
            }
            Error::UnknownLabel { .. } => {
                "name it in model.labels of the run file; vestnik data stats shows the labels of a file"
            }
            Error::DataChanged { .. } | Error::ConfigChanged { .. } => {
                "put back what changed, or begin anew with -o"
            }
            Error::CheckpointDamaged { .. } => "begin anew with -o",
            Error::Io { .. } | Error::Model(_) if vestnik_train::holds_run(&self.out) => {
                "what was saved before is whole: --resume goes on from it"
            }
            _ => return error.into(),
        };
        let line = one_line(&error.into());
        Mistake::new(line).hint(hint).into()
    }

    /// Follows the run that `run` makes, on standard error; tells the device first.
    pub(crate) fn follow(
        &self,
        run: impl FnOnce(&mut dyn FnMut(&Event) -> ControlFlow<()>) -> vestnik_train::Result<RunRecord>,
    ) -> Result<RunRecord> {
        device::tell(self.choice, &self.device);
        let mut follower = Follower {
            mode: self.progress,
            progress: Progress::new(ProgressMode::None, None),
        };
        let record = run(&mut |event| {
            follower.show(event);
            ControlFlow::Continue(())
        });
        drop(follower);
        let record = record.map_err(|error| self.with_hint(error))?;
        note(&format!(
            "the model is in {}",
            self.out.join("model").display()
        ));
        Ok(record)
    }
}

/// Shows the events of a run.
struct Follower {
    mode: ProgressMode,
    /// Silent until the run tells how many updates it has.
    progress: Progress,
}

impl Follower {
    fn show(&mut self, event: &Event) {
        match event {
            Event::Start(start) => self.start(start),
            Event::Step(step) => self.progress.update(step.step, || measures(step)),
            Event::Evaluation(evaluation) => self.progress.event(&told(evaluation), event),
            Event::Finish { step, reason } => {
                let line = format!("finished after {step} updates{}", why(*reason));
                self.progress.event(&line, event);
            }
            _ => {}
        }
    }

    fn start(&mut self, start: &StartEvent) {
        self.progress = Progress::new(self.mode, Some(start.total_steps)).starting_at(start.step);
        let line = format!(
            "{} examples, {} million weights, updates {} to {}",
            start.examples,
            millions(start),
            start.step + 1,
            start.total_steps
        );
        let shares = [
            told_shares("corpora", &start.sampling.corpora),
            told_shares("languages", &start.sampling.languages),
        ];
        let lines: Vec<String> = std::iter::once(line)
            .chain(shares.into_iter().flatten())
            .collect();
        self.progress
            .event(&lines.join("\n"), &Event::Start(start.clone()));
    }
}

fn why(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Patience => ": it did not get better any more",
        FinishReason::Stopped => ": stopped, --resume goes on",
        _ => "",
    }
}

/// The weights of the model, and those of them that learn, unless all do.
fn millions(start: &StartEvent) -> String {
    let all = start.parameters as f64 / 1e6;
    if start.trainable == start.parameters {
        return format!("{all:.1}");
    }
    format!("{:.2} of {all:.1}", start.trainable as f64 / 1e6)
}

/// Most corpora or languages that are shown.
const SHARES_SHOWN: usize = 12;

/// What each of several corpora or languages gets of an epoch, as a line.
fn told_shares(what: &str, shares: &[Share]) -> Option<String> {
    if shares.len() < 2 {
        return None;
    }
    let told = |share: &Share| {
        format!(
            "{} {:.1} % ({} drawn from {})",
            share.name,
            share.share * 100.0,
            share.per_epoch.round(),
            share.examples
        )
    };
    let told: Vec<String> = shares.iter().take(SHARES_SHOWN).map(told).collect();
    let rest = match shares.len() - told.len() {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    Some(format!("{what} of an epoch: {}{rest}", told.join(", ")))
}

/// What is shown of an update.
fn measures(step: &StepEvent) -> progress::Measures {
    vec![
        ("step", Value::from(step.step)),
        ("loss", rounded(step.loss, 1e4)),
        ("lr", Value::from(significant(step.lr))),
        ("grad_norm", rounded(step.grad_norm, 1e3)),
        (
            "tokens_per_s",
            Value::from(step.tokens_per_second.round() as u64),
        ),
        ("epoch", Value::from(step.epoch)),
        ("total_steps", Value::from(step.total_steps)),
    ]
}

fn rounded(value: f64, unit: f64) -> Value {
    Value::from((value * unit).round() / unit)
}

/// Three significant digits, for rates that span orders of magnitude.
fn significant(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// An evaluation as a line.
fn told(evaluation: &EvaluationEvent) -> String {
    let best = if evaluation.is_best {
        ", the best so far"
    } else {
        ""
    };
    let measures = match &evaluation.measures {
        Measures::Ner(ner) => {
            let langs: Vec<String> = ner
                .per_lang
                .iter()
                .map(|(lang, f1)| format!("{lang} {f1:.3}"))
                .collect();
            format!("F1 {:.4} ({})", ner.f1, langs.join(", "))
        }
        Measures::MultiTask(tasks) => {
            let entities = tasks.ner.iter().map(|ner| ("ner", ner.f1));
            let heads = tasks.heads.iter();
            let scores: Vec<String> = entities
                .chain(heads.map(|(task, head)| (task.as_str(), head.score)))
                .map(|(task, score)| format!("{task} {score:.3}"))
                .collect();
            format!("score {:.4} ({})", tasks.score, scores.join(", "))
        }
        Measures::MaskedLm(masked) => {
            format!("loss {:.4}, accuracy {:.4}", masked.loss, masked.accuracy)
        }
        _ => "measured".to_owned(),
    };
    format!("after {} updates: {measures}{best}", evaluation.step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestnik_train::RunConfig;

    fn failure(text: &str, set: &[&str]) -> String {
        let set: Vec<String> = set.iter().map(|&entry| entry.to_owned()).collect();
        let error = RunConfig::parse(text, &set).unwrap_err();
        crate::failure::render(&explain(error, Path::new("run.toml"), text))
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let message = failure("seed = 1\nepoch = 2\n", &[]);
        assert!(
            message.starts_with("error: run.toml:2: unknown field `epoch`"),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }

    #[test]
    fn a_wrong_override_is_named() {
        let message = failure("", &["seed"]);
        assert!(
            message.starts_with("error: run.toml: override `seed`"),
            "{message}"
        );
    }

    #[test]
    fn rates_keep_three_digits() {
        assert_eq!(significant(0.000_123_456), 0.000_123);
        assert_eq!(significant(0.0), 0.0);
    }
}
