//! Labels for a whole sequence.

use std::ops::Range;

use candle_core::Tensor;
use vestnik_core::LabelSet;
use vestnik_text::Batch;

use crate::builder::Builder;
use crate::config::{Activation, ArchitectureOptions, Pooling, ProblemType};
use crate::heads::prediction::prediction_head;
use crate::heads::transform::Transform;
use crate::layers::Linear;
use crate::models::ClassificationHead;
use crate::{Architecture, EncoderConfig, HeadKind, Mode, ModelConfig, Result, ops};

/// One state per sequence, an affine layer with a function after it, dropout, and an affine layer to the labels. The
/// architectures differ in names, function and dropout alone.
#[derive(Clone, Debug)]
pub struct SequenceClassificationHead {
    pooling: Pooling,
    dropout_before: f64,
    transform: Transform,
    dropout_after: f64,
    classifier: Linear,
    labels: LabelSet,
    pub(crate) problem_type: ProblemType,
}

impl ClassificationHead for SequenceClassificationHead {
    const KIND: HeadKind = HeadKind::SequenceClassification;

    fn load(builder: &mut Builder<'_>, config: &ModelConfig, labels: LabelSet) -> Result<Self> {
        let problem_type = config.problem_type()?;
        let encoder = &config.encoder;
        let (width, deviation) = (encoder.hidden_size, encoder.classifier_deviation());
        let output = output_name(encoder.architecture);
        Ok(Self {
            pooling: pooling(encoder),
            dropout_before: dropout_before(encoder),
            transform: transform(builder, encoder)?,
            dropout_after: encoder.sequence_classifier_dropout,
            classifier: Linear::load(builder, output, width, labels.len(), deviation)?,
            labels,
            problem_type,
        })
    }

    fn labels(&self) -> &LabelSet {
        &self.labels
    }
}

impl SequenceClassificationHead {
    /// Names of the outputs.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Whether one label holds of a text, or any number of them.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        self.problem_type
    }

    /// Logits of every sequence, given the states of the last layer.
    ///
    /// **Shapes** `[tokens, hidden]` of a packed batch of `sequences` sequences → `[sequences, labels]`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn forward(&self, hidden_states: &Tensor, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let pooled = match self.pooling {
            Pooling::First => {
                let firsts: Vec<u32> = batch
                    .sequences()
                    .map(|tokens| tokens.start as u32)
                    .collect();
                ops::gather_rows(hidden_states, &firsts)?
            }
            Pooling::Mean => {
                let sequences: Vec<Range<usize>> = batch.sequences().collect();
                ops::range_means(hidden_states, &sequences)?
            }
        };
        let pooled = ops::dropout(&pooled, self.dropout_before, mode)?;
        let transformed = self.transform.forward(&pooled, mode)?;
        let transformed = ops::dropout(&transformed, self.dropout_after, mode)?;
        self.classifier.forward(&transformed, mode)
    }
}

fn transform(builder: &mut Builder<'_>, config: &EncoderConfig) -> Result<Transform> {
    if let Some(transform) = prediction_head(builder, config)? {
        return Ok(transform);
    }
    let (name, activation) = match (config.architecture, &config.options) {
        (Architecture::DistilBert, _) => ("pre_classifier", Activation::Relu),
        (Architecture::Electra, _) => ("classifier.dense", Activation::Gelu),
        (_, ArchitectureOptions::DebertaV2(options)) => ("pooler.dense", options.pooler_hidden_act),
        (architecture, _) if architecture.is_roberta() => ("classifier.dense", Activation::Tanh),
        _ => ("bert.pooler.dense", Activation::Tanh),
    };
    let (width, deviation) = (config.hidden_size, config.initializer_range);
    Ok(Transform {
        dense: Linear::load(builder, name, width, width, deviation)?,
        activation,
        norm: None,
    })
}

fn output_name(architecture: Architecture) -> &'static str {
    if architecture.is_roberta() || architecture == Architecture::Electra {
        "classifier.out_proj"
    } else {
        "classifier"
    }
}

fn pooling(config: &EncoderConfig) -> Pooling {
    match &config.options {
        ArchitectureOptions::ModernBert(options) => options.classifier_pooling,
        _ => Pooling::First,
    }
}

fn dropout_before(config: &EncoderConfig) -> f64 {
    match &config.options {
        ArchitectureOptions::DebertaV2(options) => options.pooler_dropout,
        _ if output_name(config.architecture) == "classifier.out_proj" => {
            config.sequence_classifier_dropout
        }
        _ => 0.0,
    }
}
