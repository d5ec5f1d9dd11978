//! Fine-tuning a token classifier on annotated documents.

mod distillation;
mod evaluate;
mod examples;
mod objective;
mod strata;
#[cfg(test)]
mod tests;

use std::path::Path;

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};
use vestnik_core::{Document, TagSet};
use vestnik_model::{Mode, Parameters, TokenClassifier, losses};
use vestnik_text::{Batch, Collator, Example, Tokenizer};

use crate::config::{DistillationConfig, RunConfig, refused};
use crate::error::{Error, Result};
use crate::event::Measures;
use crate::optimizer::AdamW;
use crate::record::{DataFile, RunRecord};
use crate::run::{OnEvent, Parts, Resumed, Run, Settings, Task};
use crate::sampling::Sampler;
pub use distillation::Teacher;
use distillation::{SoftLabels, Student};
use evaluate::DevSet;
pub use evaluate::{Evaluated, EvaluationOptions, evaluate};
use examples::Examples;
pub use examples::TrainingCorpus;
use objective::Objective;

/// Trains a token classifier on annotated documents.
///
/// The output folder gets `checkpoint/` (to resume), `model/` (the best model with `run.json`) and `log.jsonl`.
#[derive(Debug)]
pub struct Trainer {
    run: Run<NerTask>,
}

/// What a run learns from and is measured on.
#[derive(Debug, Clone, Default)]
pub struct TrainingData {
    /// Documents to learn from.
    pub train: Vec<TrainingCorpus>,
    /// Documents to measure on; with none, the weights of the last step are the result.
    pub dev: Vec<Document>,
    /// The files they came from, for the record.
    pub files: Vec<DataFile>,
    /// The model that `[distillation]` of the run file names.
    pub teacher: Option<Teacher>,
}

impl Trainer {
    /// A run at its first step. Nothing is written yet but what a teacher says, to `teacher/` of the output folder.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for windows longer than the model can read, [`crate::Error::UnknownLabel`] for an entity type that the
    /// model does not have, [`crate::Error::NoExamples`] when there is nothing to learn from, [`crate::Error::Text`] when the tokenizer
    /// refuses a text, [`crate::Error::TeacherLabels`] for a teacher without a tag of the model.
    pub fn new(
        model: TokenClassifier,
        tokenizer: Tokenizer,
        data: TrainingData,
        config: &RunConfig,
        out: &Path,
    ) -> Result<Self> {
        config.check()?;
        let windows = config.windows.options();
        check_length(config, model.config().encoder.max_tokens())?;
        let adaptation = config.adaptation(&model.config().encoder)?;
        let model = model.adapted(&adaptation, config.seed)?;
        let tags = TagSet::from_labels(model.labels())?;
        let examples = Examples::new(&tokenizer, &data.train, &windows, &tags)?;
        let sampler = sampler(&examples, config);
        let total_steps = total_steps(&sampler, config);
        let options = EvaluationOptions::new(windows);
        let optimizer = AdamW::of_model(model.parameters(), config.optimizer.clone())?;
        if config.distillation.is_some() && model.crf().is_some() {
            let expected = "a head without transitions, which gives distributions";
            return Err(refused(
                "model.head",
                &"crf beside [distillation]",
                expected,
            ));
        }
        let student = Student {
            tokenizer: &tokenizer,
            labels: model.labels(),
            outside: tags.outside(),
            examples: &examples,
            windows: &windows,
        };
        let soft = match (&config.distillation, &data.teacher) {
            (Some(settings), Some(teacher)) => Some((
                settings.clone(),
                SoftLabels::new(teacher, &student, &data.train, out)?,
            )),
            _ => None,
        };
        let task = NerTask {
            soft,
            objective: Objective::new(&config.loss, &model, &examples, &tags)?,
            dev: DevSet::new(&tokenizer, data.dev, &options)?,
            collator: Collator::new(tokenizer.special()),
            model,
            tokenizer,
            examples,
        };
        let parts = Parts {
            task,
            settings: settings(config, total_steps, data.files)?,
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

    /// The model as it is now: after [`Trainer::run`] that of the last step, not the best one.
    #[must_use]
    pub fn model(&self) -> &TokenClassifier {
        &self.run.task.model
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

fn sampler(examples: &Examples, config: &RunConfig) -> Sampler {
    let (strata, sampling) = strata::strata(examples, config);
    Sampler {
        strata,
        sampling,
        lengths: examples
            .examples
            .iter()
            .map(|example| example.ids.len() + 2)
            .collect(),
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

/// `(1 - weight) · hard + weight · soft`.
fn mixed(hard: &Tensor, soft: &Tensor, weight: f64) -> Result<Tensor> {
    let mixed = (hard * (1.0 - weight)).and_then(|hard| hard + (soft * weight)?);
    mixed.map_err(Error::tensor("adding up losses"))
}

/// The task of the training loop.
#[derive(Debug)]
struct NerTask {
    model: TokenClassifier,
    tokenizer: Tokenizer,
    examples: Examples,
    objective: Objective,
    dev: DevSet,
    collator: Collator,
    /// The soft labels of a teacher, and how much they count.
    soft: Option<(DistillationConfig, SoftLabels)>,
}

impl Task for NerTask {
    const KIND: &'static str = "train";

    fn parameters(&self) -> &Parameters {
        self.model.parameters()
    }

    fn batch(&self, examples: &[usize], _draw: u64) -> Batch {
        let examples: Vec<Example> = examples
            .iter()
            .map(|&example| self.examples.examples[example].clone())
            .collect();
        self.collator.batch(&examples)
    }

    fn loss(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let logits = self.model.forward(batch, mode)?;
        let hard = self.objective.loss(&logits, batch, &self.examples)?;
        match &self.soft {
            None => Ok(hard),
            Some((settings, soft)) => {
                let rows = soft.of(batch, &self.examples.examples);
                let labels = batch.labels.as_deref().unwrap_or_default();
                let soft = losses::distillation(&logits, &rows, labels, settings.temperature)?;
                mixed(&hard, &soft, settings.weight)
            }
        }
    }

    fn weight(&self, batch: &Batch) -> f64 {
        self.objective.weight(batch)
    }

    fn evaluate(&self) -> Result<Option<Measures>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let evaluated = self.dev.evaluate(&self.model)?;
        Ok(Some(Measures::Ner(evaluate::measures(&evaluated.scores))))
    }

    fn save(&self, folder: &Path, dtype: DType) -> Result<()> {
        self.model.save(folder, dtype)?;
        Ok(self
            .tokenizer
            .save(&folder.join(vestnik_model::TOKENIZER_FILE))?)
    }

    fn name(&self, example: usize) -> String {
        self.examples.name(example)
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.examples.hash(&mut hash);
        self.dev.hash(&mut hash);
        if let Some((_, soft)) = &self.soft {
            hash.update(&soft.digest);
        }
        format!("{:x}", hash.finalize())
    }

    fn unordered_digest(&self) -> String {
        self.examples.unordered_digest()
    }
}
