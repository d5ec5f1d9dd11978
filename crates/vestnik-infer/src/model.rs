//! The kinds of models that read articles.

use vestnik_core::LabelSet;
use vestnik_model::{Device, HeadKind, ModelDir};
use vestnik_text::Tokenizer;

use crate::analysis::{Analysis, Request};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::metadata::{Metadata, window_options};
use crate::multi_task::MultiTask;
use crate::options::Options;
use crate::pair_stance::PairStance;
use crate::pipeline::NerPipeline;
use crate::sequence_topics::SequenceTopics;
use crate::stance_scores::stances;
use crate::task::{Task, chosen};
use crate::times::Times;
use crate::topic_scores::TopicScores;

/// A model of one of the kinds.
#[derive(Debug)]
pub(crate) enum Model {
    /// A head for tokens, and any of the others.
    MultiTask(Box<MultiTask>),
    /// A classifier of texts.
    Topics(Box<SequenceTopics>),
    /// A classifier of pairs of a text and a target.
    Stance(Box<PairStance>),
}

impl Model {
    pub(crate) fn open(
        dir: &ModelDir,
        metadata: Option<&Metadata>,
        options: &Options,
    ) -> Result<Self> {
        match dir.config().head() {
            Some(HeadKind::SequenceClassification) => Self::open_sequence(dir, metadata, options),
            _ => Self::open_multi_task(dir, metadata, options),
        }
    }

    fn open_multi_task(
        dir: &ModelDir,
        metadata: Option<&Metadata>,
        options: &Options,
    ) -> Result<Self> {
        let has_heads = metadata.is_some_and(|metadata| !metadata.heads.is_empty());
        let is_bare = dir.config().head().is_none() && has_heads;
        if !is_bare {
            dir.expect_head(HeadKind::TokenClassification)?;
            dir.named_labels()?;
        }
        let window = window_options(metadata, dir.max_tokens())?;
        let device = options.device.open()?;
        let model = MultiTask::open(dir, metadata, window, device, options)?;
        Ok(Self::MultiTask(Box::new(model)))
    }

    /// A classifier whose labels are stances is one of stance, unless only topics are asked of it.
    fn open_sequence(
        dir: &ModelDir,
        metadata: Option<&Metadata>,
        options: &Options,
    ) -> Result<Self> {
        dir.named_labels()?;
        let labels = dir.config().labels()?;
        let is_stance = reads_pairs(&labels, options.tasks.as_deref())?;
        let device = options.device.open()?;
        if is_stance {
            let model = PairStance::open(dir, device, options)?;
            return Ok(Self::Stance(Box::new(model)));
        }
        let mut window = window_options(metadata, dir.max_tokens())?;
        if metadata.is_none() {
            // What a window says is not said of single tokens, so that there is nothing to be central in.
            window.context = 0;
        }
        let model = SequenceTopics::open(dir, window, device, options)?;
        Ok(Self::Topics(Box::new(model)))
    }

    pub(crate) fn tasks(&self) -> &[Task] {
        match self {
            Self::MultiTask(model) => model.tasks(),
            Self::Topics(_) => &[Task::Topic],
            Self::Stance(_) => &[Task::Stance],
        }
    }

    pub(crate) fn ner(&self) -> Option<&NerPipeline> {
        match self {
            Self::MultiTask(model) => model.ner(),
            Self::Topics(_) | Self::Stance(_) => None,
        }
    }

    pub(crate) fn topics(&self) -> Option<&LabelSet> {
        let scores = match self {
            Self::MultiTask(model) => model.topics(),
            Self::Topics(model) => Some(model.topics()),
            Self::Stance(_) => None,
        };
        scores.map(TopicScores::labels)
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        match self {
            Self::MultiTask(model) => model.tokenizer(),
            Self::Topics(model) => model.tokenizer(),
            Self::Stance(model) => model.tokenizer(),
        }
    }

    pub(crate) fn device(&self) -> &Device {
        match self {
            Self::MultiTask(model) => model.device(),
            Self::Topics(model) => model.device(),
            Self::Stance(model) => model.device(),
        }
    }

    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::MultiTask(model) => model.reader().dtype(),
            Self::Topics(model) => model.reader().dtype(),
            Self::Stance(model) => model.dtype(),
        }
    }

    /// Tokens of one forward pass.
    pub(crate) fn batch_tokens(&self) -> usize {
        match self {
            Self::MultiTask(model) => model.reader().batch_tokens(),
            Self::Topics(model) => model.reader().batch_tokens(),
            Self::Stance(model) => model.batch_tokens(),
        }
    }

    pub(crate) fn times(&self) -> Times {
        match self {
            Self::MultiTask(model) => model.reader().times(),
            Self::Topics(model) => model.reader().times(),
            Self::Stance(model) => model.times(),
        }
    }

    pub(crate) fn analyze(&self, requests: &[Request<'_>]) -> Result<Vec<Analysis>> {
        match self {
            Self::MultiTask(model) => model.analyze(requests),
            Self::Topics(model) => model.analyze(requests),
            Self::Stance(model) => model.analyze(requests),
        }
    }
}

/// Whether a classifier with these labels is to be one of stance.
///
/// # Errors
/// [`Error::MissingTask`] and [`Error::StanceLabels`] where it cannot do what is asked; of topics and stance it can do one.
fn reads_pairs(labels: &LabelSet, asked: Option<&[Task]>) -> Result<bool> {
    let can = stances(labels).is_some();
    let Some(asked) = asked else {
        return Ok(can);
    };
    if asked.contains(&Task::Stance) {
        if !can {
            return Err(Error::StanceLabels {
                labels: labels.iter().map(str::to_owned).collect(),
            });
        }
        chosen(Some(asked), &[Task::Stance])?;
        return Ok(true);
    }
    let known = [Task::Topic, Task::Stance];
    chosen(Some(asked), if can { &known } else { &known[..1] })?;
    Ok(false)
}
