//! Labels for texts and for spans of them, from means of token states: the further heads of a multi-task model.

use std::ops::Range;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use vestnik_core::LabelSet;
use vestnik_text::SpanPlace;

use crate::builder::Builder;
use crate::config::{Activation, ProblemType};
use crate::heads::transform::Transform;
use crate::layers::Linear;
use crate::{EncoderConfig, Error, Mode, Result, ops};

/// How the names of the tensors of all these heads begin.
pub(crate) const HEADS: &str = "heads.";

/// What a head reads of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The mean of all tokens of a text, special ones left out: a label of the text.
    Text,
    /// The means of a span's tokens, of its sentence's and of its text's, side by side: a label of the span in its text.
    Span,
}

impl Reads {
    /// Means side by side.
    fn n_means(self) -> usize {
        match self {
            Self::Text => 1,
            Self::Span => 3,
        }
    }
}

/// A head of a multi-task model beside the one for tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadOptions {
    /// Name of the task, such as `topic`: lower-case letters, digits and `_`.
    pub task: String,
    /// What it reads.
    pub reads: Reads,
    /// Names of its outputs.
    pub labels: LabelSet,
    /// Whether one label holds, or any number of them.
    #[serde(default)]
    pub problem_type: ProblemType,
}

/// Means of token states, an affine layer with a tanh after it, dropout, and an affine layer to the labels
/// (`heads.{task}.dense`, `heads.{task}.classifier`), the form of BERT's own classifier (Devlin et al. 2019).
#[derive(Clone, Debug)]
pub struct PooledHead {
    options: HeadOptions,
    transform: Transform,
    dropout: f64,
    classifier: Linear,
}

impl PooledHead {
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        encoder: &EncoderConfig,
        options: &HeadOptions,
    ) -> Result<Self> {
        check_name(&options.task)?;
        let (width, deviation) = (encoder.hidden_size, encoder.initializer_range);
        let name = |part: &str| format!("{HEADS}{}.{part}", options.task);
        let (inputs, outputs) = (options.reads.n_means() * width, options.labels.len());
        Ok(Self {
            options: options.clone(),
            transform: Transform {
                dense: Linear::load(builder, &name("dense"), inputs, width, deviation)?,
                activation: Activation::Tanh,
                norm: None,
            },
            dropout: encoder.hidden_dropout_prob,
            classifier: Linear::load(builder, &name("classifier"), width, outputs, deviation)?,
        })
    }

    /// What it is.
    #[must_use]
    pub fn options(&self) -> &HeadOptions {
        &self.options
    }

    /// `[tokens, hidden]` → logits `[texts, labels]`.
    pub(crate) fn of_texts(
        &self,
        states: &Tensor,
        texts: &[Range<usize>],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.expect(Reads::Text)?;
        self.logits(&ops::range_means(states, texts)?, mode)
    }

    /// `[tokens, hidden]` → logits `[places, labels]`.
    pub(crate) fn of_spans(
        &self,
        states: &Tensor,
        places: &[SpanPlace],
        mode: Mode<'_>,
    ) -> Result<Tensor> {
        self.expect(Reads::Span)?;
        let means = |part: fn(&SpanPlace) -> &Range<usize>| {
            let ranges: Vec<Range<usize>> =
                places.iter().map(|place| part(place).clone()).collect();
            ops::range_means(states, &ranges)
        };
        let spans = means(|place| &place.span)?;
        let (sentences, texts) = (means(|place| &place.sentence)?, means(|place| &place.text)?);
        self.logits(&Tensor::cat(&[spans, sentences, texts], 1)?, mode)
    }

    fn logits(&self, means: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let transformed = self.transform.forward(means, mode)?;
        let kept = ops::dropout(&transformed, self.dropout, mode)?;
        self.classifier.forward(&kept, mode)
    }

    fn expect(&self, reads: Reads) -> Result<()> {
        if self.options.reads == reads {
            return Ok(());
        }
        Err(Error::Argument {
            what: "head",
            expected: format!("one that reads a {reads:?}"),
            got: format!(
                "{}, which reads a {:?}",
                self.options.task, self.options.reads
            ),
        })
    }
}

/// A name becomes part of the names of tensors.
fn check_name(task: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !task.is_empty() && task.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::Argument {
        what: "name of a head's task",
        expected: "lower-case letters, digits and _".to_owned(),
        got: format!("{task:?}"),
    })
}
