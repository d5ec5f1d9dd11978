//! Several heads on one encoder.

use std::ops::Range;

use candle_core::{Device, Tensor};
use vestnik_core::LabelSet;
use vestnik_text::{Batch, SpanPlace};

use crate::builder::{Builder, Purpose};
use crate::heads::HEADS;
use crate::models::classifier::OUTPUT;
use crate::models::{ClassificationHead, Model};
use crate::{
    Adaptation, Crf, Encoder, EncoderPart, Error, HeadKind, HeadOptions, LoadReport, Mode,
    ModelConfig, ModelDir, PooledHead, Result, TokenClassificationHead, TokenClassifier,
};

/// An encoder with a head for tokens, or without one, and any number of heads for texts and spans, all fed by one forward
/// pass.
///
/// In a checkpoint the encoder and the head for tokens have the names that they have without the others, so that the
/// directory is a token classifier (without a head for tokens a bare encoder) to whoever knows no more; the further heads
/// are `heads.{task}.*`.
pub type MultiTaskModel = Model<TaskHeads>;

/// The heads of a [`MultiTaskModel`].
#[derive(Clone, Debug)]
pub struct TaskHeads {
    tokens: Option<TokenClassificationHead>,
    pooled: Vec<PooledHead>,
}

impl From<TokenClassifier> for MultiTaskModel {
    fn from(tagger: TokenClassifier) -> Self {
        Self {
            config: tagger.config,
            encoder: tagger.encoder,
            head: TaskHeads {
                tokens: Some(tagger.head),
                pooled: Vec::new(),
            },
            parameters: tagger.parameters,
        }
    }
}

impl MultiTaskModel {
    /// Loads a trained model; every tensor must be there. A directory that names its class as a bare encoder has no head for
    /// tokens.
    ///
    /// # Errors
    /// Those of [`crate::TokenClassifier::load`], and [`Error::Argument`] for a name of a task that cannot be one, or that occurs twice.
    pub fn load(
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        Self::load_for(Purpose::Training, dir, heads, device)
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
        Self::load_for(Purpose::Inference, dir, heads, device)
    }

    /// The heads, and the encoder as it is best had on the device.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_parts(
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
    ) -> Result<(EncoderPart, TaskHeads)> {
        EncoderPart::load(dir, device, |purpose| {
            Self::load_for(purpose, dir, heads, device)
        })
    }

    fn load_for(
        purpose: Purpose,
        dir: &ModelDir,
        heads: &[HeadOptions],
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let labels = if is_bare_encoder(dir) && !heads.is_empty() {
            None
        } else {
            dir.expect_head(HeadKind::TokenClassification)?;
            Some(dir.config().labels()?)
        };
        let checkpoint = dir.checkpoint();
        let builder = Builder::new(Some(&checkpoint), dir.prefix(), 0, device);
        let (model, report) = Self::build(
            builder.purpose(purpose),
            dir.config().clone(),
            labels,
            heads,
        )?;
        dir.require(&report, |_| true)?;
        Ok((model, report))
    }

    /// Puts fresh heads on a pretrained encoder: one for tokens with `labels` if there are any, and those of `heads`; their
    /// first values follow from `seed`. Heads in the checkpoint are left aside.
    ///
    /// # Errors
    /// As [`Self::load`], but only the encoder's tensors must be there.
    pub fn with_fresh_heads<'a>(
        dir: &ModelDir,
        labels: impl Into<Option<&'a LabelSet>>,
        heads: &[HeadOptions],
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport)> {
        let labels = labels.into();
        let config = match labels {
            Some(labels) => dir
                .config()
                .with_labels(labels, HeadKind::TokenClassification),
            None => dir.config().without_head(),
        };
        let checkpoint = dir.checkpoint();
        let prefix = dir.prefix();
        let builder =
            Builder::new(Some(&checkpoint), prefix, seed, device).fresh_heads(&[OUTPUT, HEADS]);
        let (model, report) = Self::build(builder, config, labels.cloned(), heads)?;
        dir.require(&report, |name| name.starts_with(prefix))?;
        Ok((model, report))
    }

    /// Takes the values of heads from a checkpoint that has heads of the same names, labels and inputs.
    ///
    /// # Errors
    /// [`Error::Argument`] for a task that the model does not have, [`Error::MissingTensors`] or [`Error::TensorShape`] when the
    /// checkpoint has no such head.
    pub fn take_heads(&self, dir: &ModelDir, tasks: &[&str]) -> Result<()> {
        let checkpoint = dir.checkpoint();
        for task in tasks {
            self.head.pooled(task)?;
            let prefix = format!("{HEADS}{task}.");
            let vars = self.parameters.iter();
            for (name, var) in vars.filter(|(name, _)| name.starts_with(&prefix)) {
                let read = checkpoint.read(name, var.dims(), var.device())?;
                let tensor = read.ok_or_else(|| Error::MissingTensors {
                    path: dir.path().into(),
                    names: vec![name.to_owned()],
                    unused: Vec::new(),
                })?;
                var.set(&tensor)?;
            }
        }
        Ok(())
    }

    /// The same model, of which `adaptation` says what learns. It keeps its tensors.
    ///
    /// # Errors
    /// Those of the device.
    pub fn adapted(self, adaptation: &Adaptation, seed: u64) -> Result<Self> {
        let builder = Builder::over(&self.parameters, adaptation, seed);
        let heads: Vec<HeadOptions> = self.pooled_heads().cloned().collect();
        let labels = self.labels().cloned();
        Ok(Self::build(builder, self.config, labels, &heads)?.0)
    }

    fn build(
        mut builder: Builder<'_>,
        config: ModelConfig,
        labels: Option<LabelSet>,
        heads: &[HeadOptions],
    ) -> Result<(Self, LoadReport)> {
        check_names(heads)?;
        let encoder = Encoder::load(&mut builder, &config.encoder)?;
        let tokens = labels
            .map(|labels| TokenClassificationHead::load(&mut builder, &config, labels))
            .transpose()?;
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

    /// Names of the outputs of the head for tokens; `None` without such a head.
    #[must_use]
    pub fn labels(&self) -> Option<&LabelSet> {
        self.head.labels()
    }

    /// As [`TaskHeads::crf`].
    #[must_use]
    pub fn crf(&self) -> Option<&Crf> {
        self.head.crf()
    }

    /// The further heads, in their order.
    pub fn pooled_heads(&self) -> impl Iterator<Item = &HeadOptions> {
        self.head.pooled_heads()
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

    /// As [`TaskHeads::token_logits`].
    ///
    /// # Errors
    /// As [`TaskHeads::token_logits`].
    pub fn token_logits(&self, states: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.head.token_logits(states, mode)
    }

    /// As [`TaskHeads::text_logits`].
    ///
    /// # Errors
    /// As [`TaskHeads::text_logits`].
    pub fn text_logits(
        &self,
        task: &str,
        states: &Tensor,
        texts: &[Range<usize>],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.head.text_logits(task, states, texts, mode)
    }

    /// As [`TaskHeads::span_logits`].
    ///
    /// # Errors
    /// As [`TaskHeads::span_logits`].
    pub fn span_logits(
        &self,
        task: &str,
        states: &Tensor,
        places: &[SpanPlace],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.head.span_logits(task, states, places, mode)
    }
}

impl TaskHeads {
    /// Names of the outputs of the head for tokens; `None` without such a head.
    #[must_use]
    pub fn labels(&self) -> Option<&LabelSet> {
        self.tokens.as_ref().map(ClassificationHead::labels)
    }

    /// The conditional random field over the logits of tokens; `None` where each token is labelled by itself.
    #[must_use]
    pub fn crf(&self) -> Option<&Crf> {
        self.tokens.as_ref()?.crf.as_ref()
    }

    /// The further heads, in their order.
    pub fn pooled_heads(&self) -> impl Iterator<Item = &HeadOptions> {
        self.pooled.iter().map(PooledHead::options)
    }

    /// Logits of tokens. **Shapes** `[tokens, hidden]` → `[tokens, labels]`.
    ///
    /// # Errors
    /// [`Error::Argument`] without a head for tokens.
    pub fn token_logits(&self, states: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        match &self.tokens {
            Some(head) => head.forward(states, mode),
            None => Err(Error::Argument {
                what: "model",
                expected: "one with a head for tokens".to_owned(),
                got: "one without".to_owned(),
            }),
        }
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
        let mut heads = self.pooled.iter();
        heads
            .find(|head| head.options().task == task)
            .ok_or_else(|| Error::Argument {
                what: "task",
                expected: known(self.pooled_heads()),
                got: format!("{task:?}"),
            })
    }
}

impl TokenClassifier {
    /// The same model with fresh heads beside the one for tokens, whose first values follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name of a task that cannot be one, or that occurs twice.
    pub fn with_heads(self, heads: &[HeadOptions], seed: u64) -> Result<MultiTaskModel> {
        let builder = Builder::over(&self.parameters, &Adaptation::default(), seed);
        let labels = self.labels().clone();
        Ok(MultiTaskModel::build(builder, self.config, Some(labels), heads)?.0)
    }
}

/// Whether a directory names its class, and that is an encoder without a head.
fn is_bare_encoder(dir: &ModelDir) -> bool {
    let config = dir.config();
    let bare = config.encoder.architecture.class_name(None);
    config.class_names().contains(&bare.as_str())
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
