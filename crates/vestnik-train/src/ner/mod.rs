//! Entities: annotated documents as labelled windows, the loss of their tags, strict scores.

mod distillation;
mod evaluate;
mod examples;
mod objective;
mod tagger;

use std::path::Path;

use candle_core::Tensor;
use sha2::{Digest, Sha256};
use vestnik_core::{Document, LabelSet, TagSet};
use vestnik_model::{Mode, MultiTaskModel, losses};
use vestnik_text::{Batch, Collator, Example, Tokenizer};

use crate::config::{DistillationConfig, RunConfig, refused};
use crate::error::{Error, Result};
use crate::event::NerMeasures;
use crate::sampling::Stratum;
pub use distillation::Teacher;
use distillation::{SoftLabels, Student};
use evaluate::DevSet;
pub(crate) use evaluate::Reading;
#[cfg(test)]
pub(crate) use evaluate::measures;
pub use evaluate::{Evaluated, EvaluationOptions, evaluate};
use examples::Examples;
pub use examples::TrainingCorpus;
use objective::Objective;
use tagger::{TagHead, Tagger};

/// The head for entities in training.
#[derive(Debug)]
pub(crate) struct NerTask {
    labels: LabelSet,
    pub(crate) examples: Examples,
    objective: Objective,
    dev: DevSet,
    /// The soft labels of a teacher, and how much they count.
    pub(crate) soft: Option<(DistillationConfig, SoftLabels)>,
}

/// What the head for entities learns from and is measured on.
#[derive(Debug, Default)]
pub(crate) struct NerData {
    pub(crate) train: Vec<TrainingCorpus>,
    pub(crate) dev: Vec<Document>,
    pub(crate) teacher: Option<Teacher>,
}

impl NerTask {
    pub(crate) fn new(
        model: &MultiTaskModel,
        labels: &LabelSet,
        tokenizer: &Tokenizer,
        data: NerData,
        (config, out): (&RunConfig, &Path),
    ) -> Result<Self> {
        let windows = config.windows.options();
        let tags = TagSet::from_labels(labels)?;
        let examples = Examples::new(tokenizer, &data.train, &windows, &tags)?;
        if config.distillation.is_some() && model.crf().is_some() {
            let expected = "a head without transitions, which gives distributions";
            return Err(refused(
                "model.head",
                &"crf beside [distillation]",
                expected,
            ));
        }
        let student = Student {
            tokenizer,
            labels,
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
        Ok(Self {
            soft,
            objective: Objective::new(&config.loss, model.crf(), &examples, &tags)?,
            dev: DevSet::new(tokenizer, data.dev, &EvaluationOptions::new(windows))?,
            labels: labels.clone(),
            examples,
        })
    }

    /// Tokens of every example, special tokens included.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = usize> {
        let examples = self.examples.examples.iter();
        examples.map(|example| example.ids.len() + 2)
    }

    pub(crate) fn strata(&self) -> &[Stratum] {
        &self.examples.strata
    }

    pub(crate) fn lang(&self, example: usize) -> Option<&str> {
        self.examples.lang(example)
    }

    pub(crate) fn name(&self, example: usize) -> String {
        self.examples.name(example)
    }

    pub(crate) fn batch(&self, collator: &Collator, examples: &[usize]) -> Batch {
        let examples: Vec<Example> = examples
            .iter()
            .map(|&example| self.examples.examples[example].clone())
            .collect();
        collator.batch(&examples)
    }

    pub(crate) fn loss(
        &self,
        model: &MultiTaskModel,
        batch: &Batch,
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        let logits = self.head(model).logits(batch, mode)?;
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

    pub(crate) fn weight(&self, batch: &Batch) -> f64 {
        self.objective.weight(batch)
    }

    /// Strict scores; `None` when there is nothing to measure on.
    pub(crate) fn evaluate(&self, model: &MultiTaskModel) -> Result<Option<NerMeasures>> {
        if self.dev.is_empty() {
            return Ok(None);
        }
        let evaluated = self.dev.evaluate(&self.head(model))?;
        Ok(Some(evaluate::measures(&evaluated.scores)))
    }

    fn head<'a>(&'a self, model: &'a MultiTaskModel) -> TagHead<'a> {
        TagHead {
            model,
            labels: &self.labels,
        }
    }

    pub(crate) fn hash(&self, hash: &mut Sha256) {
        self.examples.hash(hash);
        self.dev.hash(hash);
        if let Some((_, soft)) = &self.soft {
            hash.update(&soft.digest);
        }
    }

    pub(crate) fn unordered_digest(&self) -> String {
        self.examples.unordered_digest()
    }
}

/// `(1 - weight) · hard + weight · soft`.
fn mixed(hard: &Tensor, soft: &Tensor, weight: f64) -> Result<Tensor> {
    let mixed = (hard * (1.0 - weight)).and_then(|hard| hard + (soft * weight)?);
    mixed.map_err(Error::tensor("adding up losses"))
}
