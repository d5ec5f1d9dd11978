//! Checkpoints: weights, moments and position in one folder that is replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::FinishReason;
use crate::files;
use crate::record::RunRecord;
use crate::run::{Run, State, Task, weights};

const FORMAT_VERSION: u32 = 1;
const CHECKPOINT: &str = "checkpoint";
const MODEL: &str = "model";
const MOMENTS: &str = "optimizer.safetensors";
const STATE: &str = "trainer_state.json";
const RECORD: &str = "run.json";
const CARD: &str = "README.md";

/// Settings that may change between a checkpoint and its resumption: they do not touch what was learnt so far.
const CHANGEABLE: [&str; 9] = [
    "calibrate",
    "checkpoint_every",
    "epochs",
    "evaluate_every",
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
    /// Hash of the examples in their order.
    examples: String,
    /// Hash of the frozen weights, which come from the base model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen: Option<String>,
    state: State,
}

/// Whether a folder already holds a checkpoint or a model of a run.
#[must_use]
pub fn holds_run(out: &Path) -> bool {
    [CHECKPOINT, MODEL]
        .iter()
        .any(|name| files::whole_folder(&out.join(name)).is_some())
}

impl<T: Task> Run<T> {
    /// Writes `checkpoint/`: f32 weights (as a model folder, unless some are frozen), moments and position.
    pub(super) fn save_checkpoint(&self) -> Result<()> {
        let saved = Saved {
            format_version: FORMAT_VERSION,
            kind: T::KIND.to_owned(),
            config: self.settings.config.clone(),
            examples: self.examples.clone(),
            frozen: self.frozen.clone(),
            state: self.state.clone(),
        };
        files::replace_folder(&self.out.join(CHECKPOINT), |folder| {
            weights::save(&self.task, folder)?;
            self.optimizer.save(&folder.join(MOMENTS))?;
            files::write_json(&folder.join(STATE), &saved)
        })
    }

    /// Goes back to the state of the last checkpoint; to the first step when a kill fell before the first checkpoint.
    pub(crate) fn resume(&mut self) -> Result<()> {
        match files::whole_folder(&self.out.join(CHECKPOINT)) {
            Some(folder) => self.restore(&folder)?,
            None if unfinished(&self.out) => {}
            None => {
                return Err(Error::CheckpointMissing {
                    path: self.out.clone(),
                });
            }
        }
        self.resumed = true;
        Ok(())
    }

    fn restore(&mut self, folder: &Path) -> Result<()> {
        let path = folder.join(STATE);
        let saved: Saved = files::read_json(&path)?;
        self.check_fit(&saved, path)?;
        weights::restore(self.task.parameters(), folder)?;
        self.optimizer.load(&folder.join(MOMENTS))?;
        self.state = saved.state;
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
            return mismatch(
                path,
                "the training data or the tokenizer have changed since",
            );
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

/// Whether the folder holds the model of a run that did not come to its end.
fn unfinished(out: &Path) -> bool {
    let record = files::whole_folder(&out.join(MODEL))
        .and_then(|folder| files::read_json::<RunRecord>(&folder.join(RECORD)).ok());
    record.is_some_and(|record| record.finish.is_none())
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
