//! What a tagger is trained for.

use candle_core::Tensor;
use vestnik_core::TagSet;
use vestnik_model::Crf;
use vestnik_model::losses::{self, CrfTargets, CrossEntropyOptions};
use vestnik_text::Batch;

use crate::config::LossConfig;
use crate::error::Result;
use crate::ner::examples::Examples;

/// The loss of a batch.
#[derive(Debug)]
pub(super) enum Objective {
    /// Each word by itself.
    Words(CrossEntropyOptions),
    /// The words of a text together.
    Texts(Crf),
}

impl Objective {
    /// The loss that belongs to a model.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for settings that the model cannot follow.
    pub(super) fn new(
        config: &LossConfig,
        crf: Option<&Crf>,
        examples: &Examples,
        tags: &TagSet,
    ) -> Result<Self> {
        if let Some(crf) = crf {
            config.check_crf()?;
            return Ok(Self::Texts(crf.clone()));
        }
        let counts = examples.label_counts(tags.len());
        Ok(Self::Words(config.options(&classes(tags), &counts)?))
    }

    /// The mean loss of a batch's words.
    pub(super) fn loss(
        &self,
        logits: &Tensor,
        batch: &Batch,
        examples: &Examples,
    ) -> Result<Tensor> {
        let labels = batch.labels.as_deref().unwrap_or_default();
        let allowed = batch.allowed.as_deref().unwrap_or_default();
        Ok(match self {
            Self::Words(options) => losses::cross_entropy_with(logits, labels, allowed, options)?,
            Self::Texts(crf) => {
                let targets = CrfTargets {
                    labels,
                    allowed,
                    parts: &examples.parts(batch),
                };
                crf.loss(logits, targets)?
            }
        })
    }

    /// What the mean is over: the weights of the batch's words.
    pub(super) fn weight(&self, batch: &Batch) -> f64 {
        let labels = batch.labels.as_deref().unwrap_or_default();
        match self {
            Self::Words(options) => options.total_weight(labels),
            Self::Texts(_) => labels.iter().filter(|label| **label >= 0).count() as f64,
        }
    }
}

/// What a run file calls each tag: the type of its entity, or `O`.
fn classes(tags: &TagSet) -> Vec<&str> {
    let label = |tag: &vestnik_core::Tag| tag.type_id().and_then(|id| tags.types().label(id));
    tags.tags()
        .iter()
        .map(|tag| label(tag).unwrap_or("O"))
        .collect()
}
