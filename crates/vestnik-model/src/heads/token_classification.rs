//! A label for every token.

use candle_core::Tensor;
use vestnik_core::LabelSet;

use crate::builder::Builder;
use crate::heads::Crf;
use crate::heads::prediction::prediction_head;
use crate::heads::transform::Transform;
use crate::layers::Linear;
use crate::models::ClassificationHead;
use crate::{HeadKind, Mode, ModelConfig, Result, ops};

/// Dropout and one affine layer (`classifier`); in ModernBERT a prediction head before them. On top of them there may be a
/// conditional random field.
#[derive(Clone, Debug)]
pub struct TokenClassificationHead {
    transform: Option<Transform>,
    dropout: f64,
    classifier: Linear,
    labels: LabelSet,
    pub(crate) crf: Option<Crf>,
}

impl ClassificationHead for TokenClassificationHead {
    const KIND: HeadKind = HeadKind::TokenClassification;

    fn load(builder: &mut Builder<'_>, config: &ModelConfig, labels: LabelSet) -> Result<Self> {
        let encoder = &config.encoder;
        let (width, deviation) = (encoder.hidden_size, encoder.classifier_deviation());
        Ok(Self {
            transform: prediction_head(builder, encoder)?,
            dropout: encoder.classifier_dropout,
            classifier: Linear::load(builder, "classifier", width, labels.len(), deviation)?,
            crf: Crf::load(builder, config, &labels)?,
            labels,
        })
    }

    fn labels(&self) -> &LabelSet {
        &self.labels
    }
}

impl TokenClassificationHead {
    /// `[tokens, hidden]` → logits `[tokens, labels]`.
    pub(crate) fn forward(&self, hidden_states: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let transformed = match &self.transform {
            Some(transform) => &transform.forward(hidden_states, mode)?,
            None => hidden_states,
        };
        let kept = ops::dropout(transformed, self.dropout, mode)?;
        self.classifier.forward(&kept, mode)
    }
}
