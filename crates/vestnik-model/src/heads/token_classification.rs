//! A label for every token.

use candle_core::Tensor;

use crate::builder::Builder;
use crate::layers::Linear;
use crate::{EncoderConfig, Mode, Result, ops};

/// Dropout and one affine layer (`classifier`).
#[derive(Clone, Debug)]
pub(crate) struct TokenClassificationHead {
    classifier: Linear,
    dropout: f64,
}

impl TokenClassificationHead {
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        config: &EncoderConfig,
        n_labels: usize,
    ) -> Result<Self> {
        let classifier = Linear::load(
            builder,
            "classifier",
            config.hidden_size,
            n_labels,
            config.initializer_range,
        )?;
        Ok(Self {
            classifier,
            dropout: config.classifier_dropout,
        })
    }

    /// `[tokens, hidden]` → logits `[tokens, labels]`.
    pub(crate) fn forward(&self, hidden_states: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        self.classifier
            .forward(&ops::dropout(hidden_states, self.dropout, mode)?)
    }
}
