//! Transitions between the tags of neighbouring words, on top of a tagger.

use candle_core::{DType, Device, Tensor, Var};
use vestnik_core::{LabelSet, TagSet};
use vestnik_text::Transitions;

use crate::builder::{Builder, Init};
use crate::losses::{self, CrfScores, CrfTargets};
use crate::{Error, ModelConfig, Parameters, Result};

const TRANSITIONS: &str = "crf.transitions";
const START: &str = "crf.start_transitions";
const END: &str = "crf.end_transitions";

/// The transitions of a linear-chain conditional random field (Lafferty, McCallum & Pereira 2001) whose scores of words
/// are the logits of their first tokens (Huang, Xu & Yu 2015). The names of the tensors are those of `pytorch-crf`.
#[derive(Clone, Debug)]
pub struct Crf {
    /// `[tag, next tag]`.
    transitions: Tensor,
    /// `[tags]`.
    start: Tensor,
    /// `[tags]`.
    end: Tensor,
    tags: TagSet,
}

impl Crf {
    /// The field of a checkpoint; `None` where it has none.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        config: &ModelConfig,
        labels: &LabelSet,
    ) -> Result<Option<Self>> {
        if ![TRANSITIONS, START, END]
            .iter()
            .any(|name| builder.has(name))
        {
            return Ok(None);
        }
        let n = labels.len();
        Ok(Some(Self {
            transitions: builder.tensor(TRANSITIONS, &[n, n], Init::Zeros)?,
            start: builder.tensor(START, &[n], Init::Zeros)?,
            end: builder.tensor(END, &[n], Init::Zeros)?,
            tags: tags(config, labels)?,
        }))
    }

    /// A field that knows nothing but the rules of the tags: every score is 0.
    pub(crate) fn fresh(
        parameters: &mut Parameters,
        config: &ModelConfig,
        labels: &LabelSet,
    ) -> Result<Self> {
        let n = labels.len();
        let device = parameters.device().clone();
        let mut zeros = |name: &str, shape: &[usize]| -> Result<Tensor> {
            let var = Var::zeros(shape, DType::F32, &device)?;
            parameters.insert(name, var.clone());
            Ok(var.as_tensor().clone())
        };
        Ok(Self {
            transitions: zeros(TRANSITIONS, &[n, n])?,
            start: zeros(START, &[n])?,
            end: zeros(END, &[n])?,
            tags: tags(config, labels)?,
        })
    }

    /// Takes the tensors of a field away.
    pub(crate) fn remove(parameters: &mut Parameters) {
        for name in [TRANSITIONS, START, END] {
            parameters.take(name);
        }
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// The scores as they are now, for decoding.
    ///
    /// # Errors
    /// [`Error::Tensor`] when they cannot be read.
    pub fn transitions(&self) -> Result<Transitions> {
        let numbers = |tensor: &Tensor| -> Result<Vec<f32>> {
            let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            Ok(tensor.flatten_all()?.to_vec1()?)
        };
        Ok(Transitions::new(
            &self.tags,
            &numbers(&self.transitions)?,
            &numbers(&self.start)?,
            &numbers(&self.end)?,
        ))
    }

    /// The negative log-likelihood per labelled word: [`losses::crf`] with these scores.
    ///
    /// **Shapes** `logits [tokens, tags]` → scalar.
    ///
    /// # Errors
    /// As [`losses::crf`].
    pub fn loss(&self, logits: &Tensor, targets: CrfTargets<'_>) -> Result<Tensor> {
        let scores = CrfScores {
            transitions: &self.transitions,
            start: &self.start,
            end: &self.end,
        };
        losses::crf(logits, scores, &self.tags, targets)
    }
}

fn tags(config: &ModelConfig, labels: &LabelSet) -> Result<TagSet> {
    TagSet::from_labels(labels).map_err(|error| Error::Labels {
        path: config.path().into(),
        problem: format!("a CRF needs tags ({error})"),
    })
}
