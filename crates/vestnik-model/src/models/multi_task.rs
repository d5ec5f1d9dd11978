//! Several heads on one encoder.

use std::ops::Range;

use candle_core::{Device, Tensor};
use vestnik_core::LabelSet;
use vestnik_text::{Batch, SpanPlace};

use crate::builder::Builder;
use crate::heads::HEADS;
use crate::models::classifier::OUTPUT;
use crate::models::{ClassificationHead, Model};
use crate::{
    Adaptation, Crf, Encoder, Error, HeadKind, HeadOptions, LoadReport, Mode, ModelConfig,
    ModelDir, PooledHead, Result, TokenClassificationHead,
};

/// An encoder with a head for tokens and any number of heads for texts and spans, all fed by one forward pass.
///
/// In a checkpoint the encoder and the head for tokens have the names that they have without the others, so that the
/// directory is a token classifier to whoever knows no more; the further heads are `heads.{task}.*`.
pub type MultiTaskModel = Model<TaskHeads>;

/// The heads of a [`MultiTaskModel`].
#[derive(Clone, Debug)]
pub struct TaskHeads {
    tokens: TokenClassificationHead,
    pooled: Vec<PooledHead>,
}

impl MultiTaskModel {
    /// Loads a trained model; every tensor must be there.
    ///
    /// # Errors
    /// Those of [`crate::TokenClassifier::load`], and [`Error::Argument`] for a name of a task that cannot be one, or that occurs twice.
    pub fn load(
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        Self::load_all(dir, heads, device, true)
    }

    /// [`Self::load`] for inference alone: no gradients can be had, and a forward pass keeps no activations.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_frozen(
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        Self::load_all(dir, heads, device, false)
    }

    fn load_all(
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
        learns: bool,
    ) -> Result<(Self, LoadReport)> {
        dir.expect_head(HeadKind::TokenClassification)?;
        let labels = dir.config().labels()?;
        let checkpoint = dir.checkpoint()?;
        let builder = Builder::new(Some(&checkpoint), dir.prefix(), 0, device);
        let builder = if learns { builder } else { builder.frozen() };
        let (model, report) = Self::build(builder, dir.config().clone(), labels, heads)?;
        dir.require(&report, |_| true)?;
        Ok((model, report))
    }

    /// Puts fresh heads on a pretrained encoder: one for tokens with `labels`, and those of `heads`; their first values
    /// follow from `seed`. Heads in the checkpoint are left aside.
    ///
    /// # Errors
    /// As [`Self::load`], but only the encoder's tensors must be there.
    pub fn with_fresh_heads(
        dir: &ModelDir,
        labels: &LabelSet,
        heads: &[HeadOptions],
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let config = dir
            .config()
            .with_labels(labels, HeadKind::TokenClassification);
        let checkpoint = dir.checkpoint()?;
        let prefix = dir.prefix();
        let builder =
            Builder::new(Some(&checkpoint), prefix, seed, device).fresh_heads(&[OUTPUT, HEADS]);
        let (model, report) = Self::build(builder, config, labels.clone(), heads)?;
        dir.require(&report, |name| name.starts_with(prefix))?;
        Ok((model, report))
    }

    /// The same model, of which `adaptation` says what learns. It keeps its tensors.
    ///
    /// # Errors
    /// Those of the device.
    pub fn adapted(self, adaptation: &Adaptation, seed: u64) -> Result<Self> {
        let builder = Builder::over(&self.parameters, adaptation, seed);
        let heads: Vec<HeadOptions> = self.pooled_heads().cloned().collect();
        let labels = self.labels().clone();
        Ok(Self::build(builder, self.config, labels, &heads)?.0)
    }

    fn build(
        mut builder: Builder<'_>,
        config: ModelConfig,
        labels: LabelSet,
        heads: &[HeadOptions],
    ) -> Result<(Self, LoadReport)> {
        check_names(heads)?;
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let tokens = TokenClassificationHead::load(&mut builder, &config, labels)?;
        let pooled = heads
            .iter()
            .map(|head| PooledHead::load(&mut builder, &config.encoder, head))
            .collect::<Result<_>>()?;
        let (parameters, report) = builder.finish();
        let model = Self {
            config,
            encoder,
            head: TaskHeads { tokens, pooled },
            parameters,
        };
        Ok((model, report))
    }

    /// Names of the outputs of the head for tokens.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        self.head.tokens.labels()
    }

    /// The conditional random field over the logits of tokens; `None` where each token is labelled by itself.
    #[must_use]
    pub fn crf(&self) -> Option<&Crf> {
        self.head.tokens.crf.as_ref()
    }

    /// The further heads, in their order.
    pub fn pooled_heads(&self) -> impl Iterator<Item = &HeadOptions> {
        self.head.pooled.iter().map(PooledHead::options)
    }

    /// The states of the last layer, which all heads read.
    ///
    /// **Shapes** a packed batch of `tokens` tokens → `[tokens, hidden]`, `f32`.
    ///
    /// # Errors
    /// As [`Encoder::forward`].
    pub fn states(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.encoder.forward(batch, mode)
    }

    /// Logits of tokens. **Shapes** `[tokens, hidden]` → `[tokens, labels]`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn token_logits(&self, states: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.head.tokens.forward(states, mode)
    }

    /// Logits of texts, given the tokens of each. A long article may be one text although it was read in several windows:
    /// `states` then holds each token as the window gave it that owns it.
    ///
    /// **Shapes** `[tokens, hidden]`, `texts` ranges of tokens → `[texts, labels of the task]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a task that the model does not have, or one that reads spans; [`Error::Tensor`] for no text at all,
    /// or one that is empty or beyond the tokens.
    pub fn text_logits(
        &self,
        task: &str,
        states: &Tensor,
        texts: &[Range<usize>],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.pooled(task)?.of_texts(states, texts, mode)
    }

    /// Logits of spans. **Shapes** `[tokens, hidden]`, `places` places → `[places, labels of the task]`.
    ///
    /// # Errors
    /// As [`Self::text_logits`], for places.
    pub fn span_logits(
        &self,
        task: &str,
        states: &Tensor,
        places: &[SpanPlace],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.pooled(task)?.of_spans(states, places, mode)
    }

    fn pooled(&self, task: &str) -> Result<&PooledHead> {
        let mut heads = self.head.pooled.iter();
        heads
            .find(|head| head.options().task == task)
            .ok_or_else(|| Error::Argument {
                what: "task",
                expected: known(self.pooled_heads()),
                got: format!("{task:?}"),
            })
    }
}

fn known<'a>(heads: impl Iterator<Item = &'a HeadOptions>) -> String {
    let names: Vec<&str> = heads.map(|head| head.task.as_str()).collect();
    format!("one of {names:?}")
}

fn check_names(heads: &[HeadOptions]) -> Result<()> {
    let twice = |(index, head): (usize, &HeadOptions)| {
        let mut before = heads[..index].iter();
        before
            .any(|other| other.task == head.task)
            .then(|| head.task.clone())
    };
    match heads.iter().enumerate().find_map(twice) {
        None => Ok(()),
        Some(task) => Err(Error::Argument {
            what: "heads",
            expected: "each task once".to_owned(),
            got: format!("{task:?} twice"),
        }),
    }
}
