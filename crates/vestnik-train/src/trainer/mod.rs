//! Fine-tuning a model on annotated documents and labelled texts.

mod task;
#[cfg(test)]
mod tests;

use std::path::Path;

use vestnik_core::Document;
use vestnik_model::MultiTaskModel;
use vestnik_text::Tokenizer;

use crate::config::{RunConfig, refused};
use crate::error::Result;
use crate::events::Events;
use crate::labelled::LabelledCorpus;
use crate::ner::{Teacher, TrainingCorpus};
use crate::optimizer::AdamW;
use crate::record::{DataFile, RunRecord};
use crate::run::{OnEvent, Parts, Resumed, Run, Settings};
use crate::sampling::Sampler;
use crate::strata::strata;
pub(crate) use task::TrainingTask;

/// Trains a model: its head for entities on annotated documents, its further heads on labelled texts, all in one run.
///
/// The output folder gets `checkpoint/` (to resume), `model/` (the best model with `run.json`) and `log.jsonl`.
#[derive(Debug)]
pub struct Trainer {
    run: Run<TrainingTask>,
}

/// What a run learns from and is measured on.
#[derive(Debug, Clone, Default)]
pub struct TrainingData {
    /// Documents with entities to learn from.
    pub train: Vec<TrainingCorpus>,
    /// Documents with entities to measure on; with nothing to measure on, the weights of the last step are the result.
    pub dev: Vec<Document>,
    /// Texts for the further heads to learn from, in the order of the run file.
    pub texts: Vec<LabelledCorpus>,
    /// Texts to measure the further heads on.
    pub dev_texts: Vec<LabelledCorpus>,
    /// The files they came from, for the record.
    pub files: Vec<DataFile>,
    /// The model that `[distillation]` of the run file names.
    pub teacher: Option<Teacher>,
}

impl Trainer {
    /// A run at its first step. Nothing is written yet but what a teacher says, to `teacher/` of the output folder.
    ///
    /// The model has the heads that the run file names, in their order; without any it may be a plain tagger.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for windows longer than the model can read, [`crate::Error::UnknownLabel`] for a label that the
    /// model does not have, [`crate::Error::NoExamples`] when there is nothing to learn from, [`crate::Error::Text`] when the tokenizer
    /// refuses a text, [`crate::Error::TeacherLabels`] for a teacher without a tag of the model, [`crate::Error::NoHead`] for data of a
    /// task that the model has no head for.
    pub fn new(
        model: impl Into<MultiTaskModel>,
        tokenizer: Tokenizer,
        data: TrainingData,
        config: &RunConfig,
        out: &Path,
    ) -> Result<Self> {
        config.check()?;
        let model = model.into();
        check_length(config, model.config().encoder.max_tokens())?;
        let adaptation = config.adaptation(&model.config().encoder)?;
        let model = model.adapted(&adaptation, config.seed)?;
        let optimizer = AdamW::of_model(model.parameters(), config.optimizer.clone())?;
        let files = data.files.clone();
        let task = TrainingTask::new(model, tokenizer, data, config, out)?;
        let sampler = sampler(&task, config);
        let total_steps = total_steps(&sampler, config);
        let parts = Parts {
            task,
            settings: settings(config, total_steps, files)?,
            sampler,
            schedule: config
                .schedule
                .schedule(config.optimizer.learning_rate, total_steps),
            optimizer,
        };
        Ok(Self {
            run: Run::new(parts, out)?,
        })
    }

    /// Goes back to the newest checkpoint in the output folder that is as it was written; to the first step when a kill
    /// fell before the first checkpoint.
    ///
    /// # Errors
    /// [`crate::Error::CheckpointMissing`], [`crate::Error::CheckpointMismatch`], [`crate::Error::CheckpointDamaged`],
    /// [`crate::Error::DataChanged`] or [`crate::Error::ConfigChanged`].
    pub fn resume(&mut self) -> Result<Resumed> {
        self.run.resume()
    }

    /// Makes all updates that are left, telling every event.
    ///
    /// # Errors
    /// [`crate::Error::OutputExists`] when the folder holds a run that was not resumed, [`crate::Error::NotFinite`] when the loss or the
    /// gradient explodes, [`crate::Error::Io`] when a file cannot be written.
    pub fn run(&mut self, on_event: &mut OnEvent<'_>) -> Result<RunRecord> {
        self.run.run(on_event)
    }

    /// Makes all updates that are left on a thread of its own, and gives their events as an iterator.
    ///
    /// # Errors
    /// [`crate::Error::Thread`] if the thread cannot be started; what goes wrong in the run comes from [`Events::finish`].
    pub fn events(mut self) -> Result<Events> {
        Events::start(move |on_event| self.run(on_event))
    }

    /// The model as it is now: after [`Trainer::run`] that of the last step, not the best one.
    #[must_use]
    pub fn model(&self) -> &MultiTaskModel {
        self.run.task.model()
    }
}

fn check_length(config: &RunConfig, max_tokens: usize) -> Result<()> {
    if config.windows.max_tokens + 2 <= max_tokens {
        return Ok(());
    }
    let most = max_tokens.saturating_sub(2);
    let expected = format!("at most {most}, what the model reads less two special tokens");
    Err(refused(
        "windows.max_tokens",
        &config.windows.max_tokens,
        expected,
    ))
}

fn settings(config: &RunConfig, total_steps: u64, data: Vec<DataFile>) -> Result<Settings> {
    Ok(Settings {
        seed: config.seed,
        accumulate: config.batch.accumulate,
        total_steps,
        evaluate_every: config.evaluate_every,
        checkpoint_every: config.checkpoint_every,
        keep_checkpoints: config.keep_checkpoints,
        patience: config.patience,
        precision: config.precision,
        gradient_checkpointing: config.gradient_checkpointing,
        save_dtype: config.save_dtype.into(),
        tensorboard: config.tensorboard,
        config: crate::config::to_json(config)?,
        data,
    })
}

fn sampler(task: &TrainingTask, config: &RunConfig) -> Sampler {
    let (strata, sampling) = strata(task, config);
    Sampler {
        strata,
        sampling,
        lengths: task.lengths(),
        tasks: task.ranges(),
        max_tokens: config.batch.max_tokens,
        seed: config.seed,
    }
}

/// Updates of all epochs: the number of batches differs a little between epochs, so each is planned.
fn total_steps(sampler: &Sampler, config: &RunConfig) -> u64 {
    let steps = |epoch| {
        sampler
            .batches(epoch)
            .len()
            .div_ceil(config.batch.accumulate) as u64
    };
    let all = (0..config.epochs).map(steps).sum();
    config.max_steps.map_or(all, |most| all.min(most))
}
