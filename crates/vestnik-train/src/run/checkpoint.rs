//! Checkpoints: weights, moments and position in one folder that is replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::FinishReason;
use crate::files::{self, NewFolder};
use crate::record::{DataFile, RunRecord};
use crate::run::{LOG, Run, State, Task, weights};
use crate::sums;

const FORMAT_VERSION: u32 = 1;
const CHECKPOINT: &str = "checkpoint";
const MODEL: &str = "model";
const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "trainer_state.json";
const RECORD: &str = "run.json";
const CARD: &str = "README.md";

/// Settings that may change between a checkpoint and its resumption: they do not touch what was learnt so far.
const CHANGEABLE: [&str; 12] = [
    "cache",
    "calibrate",
    "checkpoint_every",
    "epochs",
    "evaluate_every",
    "gradient_checkpointing",
    "keep_checkpoints",
    "max_steps",
    "patience",
    "save_dtype",
    "steps",
    "tensorboard",
];

/// `trainer_state.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    format_version: u32,
    kind: String,
    config: serde_json::Value,
    /// The files of the run.
    data: Vec<DataFile>,
    /// Hash of all that was learnt from and measured on, in its order.
    examples: String,
    /// Hash of the frozen weights, which come from the base model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen: Option<String>,
    state: State,
}

/// Whether a folder already holds a checkpoint or a model of a run.
#[must_use]
pub fn holds_run(out: &Path) -> bool {
    !checkpoints(out).is_empty() || files::whole_folder(&out.join(MODEL)).is_some()
}

/// Whether a run began in a folder, be it that a kill fell before its first checkpoint.
#[must_use]
pub fn has_begun(out: &Path) -> bool {
    holds_run(out) || out.join(LOG).is_file()
}

/// The checkpoint with which a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// Updates that it holds; 0 when a kill fell before the first checkpoint.
    pub step: u64,
    /// Newer checkpoints that were passed over and renamed to `<name>.damaged`.
    pub damaged: Vec<DamagedCheckpoint>,
}

/// A checkpoint that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedCheckpoint {
    /// Where it was.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl<T: Task> Run<T> {
    /// Writes `checkpoint/`: f32 weights (as a model folder, unless some are frozen), moments and position. The one
    /// before is kept as `checkpoint-<step>/`, as many as the settings say.
    pub(super) fn save_checkpoint(&mut self) -> Result<()> {
        let saved = Saved {
            format_version: FORMAT_VERSION,
            kind: T::KIND.to_owned(),
            config: self.settings.config.clone(),
            data: self.settings.data.clone(),
            examples: self.examples.clone(),
            frozen: self.frozen.clone(),
            state: self.state.clone(),
        };
        let newest = self.out.join(CHECKPOINT);
        let new = NewFolder::create(&newest)?;
        weights::save(&self.task, new.path())?;
        self.optimizer.save(&new.path().join(MOMENTS))?;
        files::write_json(&new.path().join(STATE), &saved)?;
        sums::write(new.path())?;
        if newest.exists() {
            let older = self.out.join(format!("{CHECKPOINT}-{}", self.saved_step));
            files::remove_folder(&older)?;
            files::rename(&newest, &older)?;
        }
        new.commit()?;
        self.saved_step = self.state.step;
        let kept = checkpoints(&self.out);
        let surplus = kept.iter().skip(self.settings.keep_checkpoints);
        surplus
            .into_iter()
            .try_for_each(|folder| files::remove_folder(folder))
    }

    /// Goes back to the state of the newest checkpoint that is whole; to the first step when a kill fell before the
    /// first checkpoint.
    pub(crate) fn resume(&mut self) -> Result<Resumed> {
        let mut damaged = Vec::new();
        let whole = checkpoints(&self.out).into_iter().find(|folder| {
            let problem = sums::problem(folder);
            damaged.extend(problem.clone().map(|problem| DamagedCheckpoint {
                path: folder.clone(),
                problem,
            }));
            problem.is_none()
        });
        match whole {
            Some(folder) => self.restore(&folder)?,
            None => self.check_unsaved(damaged.first())?,
        }
        for DamagedCheckpoint { path, .. } in &damaged {
            let aside = files::beside(path, "damaged");
            files::remove_folder(&aside)?;
            files::rename(path, &aside)?;
        }
        self.resumed = true;
        Ok(Resumed {
            step: self.state.step,
            damaged,
        })
    }

    /// A run without a whole checkpoint may begin again only when it never had one.
    fn check_unsaved(&self, damaged: Option<&DamagedCheckpoint>) -> Result<()> {
        if let Some(DamagedCheckpoint { path, problem }) = damaged.cloned() {
            return Err(Error::CheckpointDamaged { path, problem });
        }
        if has_begun(&self.out) && !is_finished(&self.out) {
            return Ok(());
        }
        Err(Error::CheckpointMissing {
            path: self.out.clone(),
        })
    }

    fn restore(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join(STATE);
        let saved: Saved = files::read_json(&path)?;
        self.check_fit(&saved, path)?;
        weights::restore(self.task.parameters(), folder)?;
        self.optimizer.load(&folder.join(MOMENTS))?;
        self.state = saved.state;
        self.saved_step = self.state.step;
        self.plan = self.sampler.batches(self.state.epoch);
        Ok(())
    }

    fn check_fit(&self, saved: &Saved, path: PathBuf) -> Result<()> {
        let mismatch = |path, problem: &str| {
            Err(Error::CheckpointMismatch {
                path,
                problem: problem.to_owned(),
            })
        };
        if saved.format_version != FORMAT_VERSION {
            return mismatch(path, "its format has another version");
        }
        if saved.kind != T::KIND {
            return mismatch(path, &format!("it belongs to a run of `{}`", saved.kind));
        }
        let keys = changed_keys(&saved.config, &self.settings.config);
        if !keys.is_empty() {
            return Err(Error::ConfigChanged { keys });
        }
        if saved.examples != self.examples {
            let what = changed_files(&saved.data, &self.settings.data);
            let path = path.parent().map(Path::to_owned).unwrap_or_default();
            return Err(Error::DataChanged { what, path });
        }
        if saved.frozen != self.frozen {
            return mismatch(
                path,
                "the frozen weights of the base model have changed since",
            );
        }
        Ok(())
    }

    /// Writes `model/`: the weights as they are now, with the record of the run; a model card that is there stays.
    pub(super) fn save_model(&self) -> Result<()> {
        let model = self.out.join(MODEL);
        let card = files::whole_folder(&model).map(|folder| folder.join(CARD));
        let card = card.and_then(|card| std::fs::read(card).ok());
        files::replace_folder(&model, |folder| {
            self.task.save(folder, self.settings.save_dtype)?;
            if let Some(card) = &card {
                let path = folder.join(CARD);
                std::fs::write(&path, card).map_err(Error::io("write", &path))?;
            }
            files::write_json(&folder.join(RECORD), &self.record(None))
        })
    }

    /// Puts the record of the finished run beside the weights, which are written now when no evaluation chose any.
    pub(super) fn save_record(&self, reason: FinishReason) -> Result<RunRecord> {
        let record = self.record(Some(reason));
        let model = self.out.join(MODEL);
        if reason == FinishReason::Stopped {
            return Ok(record);
        }
        if self.state.best.is_none() {
            self.save_model()?;
        }
        if let Some(folder) = files::whole_folder(&model) {
            let partial = folder.join("run.json.partial");
            files::write_json(&partial, &record)?;
            std::fs::rename(&partial, folder.join(RECORD))
                .map_err(Error::io("rename", &partial))?;
        }
        Ok(record)
    }

    fn record(&self, finish: Option<FinishReason>) -> RunRecord {
        RunRecord {
            format_version: FORMAT_VERSION,
            kind: T::KIND.to_owned(),
            crate_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: self.settings.seed,
            config: self.settings.config.clone(),
            data: self.settings.data.clone(),
            examples: self.sampler.lengths.len(),
            examples_sha256: self.task.unordered_digest(),
            sampling: self.sampler.sampling.clone(),
            parameters: self.task.parameters().n_values(),
            trainable: self.task.parameters().n_trainable_values(),
            steps: self.state.step,
            epochs: self.state.epoch,
            tokens: self.state.tokens,
            seconds: self.state.seconds,
            finish,
            best: self.state.best.clone(),
            evaluations: self.state.evaluations.clone(),
        }
    }
}

/// The checkpoints of a run, the newest first.
fn checkpoints(out: &Path) -> Vec<PathBuf> {
    let newest = out.join(CHECKPOINT);
    let mut older: Vec<(u64, PathBuf)> = std::fs::read_dir(out)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let step = name.strip_prefix(CHECKPOINT)?.strip_prefix('-')?;
            Some((step.parse().ok()?, path))
        })
        .filter(|(_, path)| path.is_dir())
        .collect();
    older.sort_unstable_by(|a, b| b.cmp(a));
    let older = older.into_iter().map(|(_, path)| path);
    newest
        .is_dir()
        .then_some(newest)
        .into_iter()
        .chain(older)
        .collect()
}

/// Whether the folder holds the model of a run that came to its end.
fn is_finished(out: &Path) -> bool {
    let record = files::whole_folder(&out.join(MODEL))
        .and_then(|folder| files::read_json::<RunRecord>(&folder.join(RECORD)).ok());
    record.is_some_and(|record| record.finish.is_some())
}

/// Names of the files whose bytes differ.
fn changed_files(before: &[DataFile], now: &[DataFile]) -> Vec<String> {
    let is_new = |file: &&DataFile| !before.iter().any(|known| known.sha256 == file.sha256);
    let mut names: Vec<String> = now
        .iter()
        .filter(is_new)
        .map(|file| file.path.display().to_string())
        .collect();
    if names.is_empty() {
        names.push("the tokenizer".to_owned());
    }
    names
}

/// Top-level keys whose values differ, but for those that may.
fn changed_keys(before: &serde_json::Value, now: &serde_json::Value) -> Vec<String> {
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect())
            .unwrap_or_default()
    };
    let mut changed: Vec<String> = keys(before)
        .into_iter()
        .chain(keys(now))
        .filter(|key| before.get(key) != now.get(key) && !CHANGEABLE.contains(&key.as_str()))
        .collect();
    changed.sort_unstable();
    changed.dedup();
    changed
}
