//! A label for every token of a text.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::heads::{Crf, TokenClassificationHead};
use crate::models::Model;
use crate::{Mode, Result};

/// An encoder with a token-classification head (`BertForTokenClassification` and its like).
pub type TokenClassifier = Model<TokenClassificationHead>;

impl TokenClassifier {
    /// Logits of every token.
    ///
    /// **Shapes** a packed batch of `tokens` tokens → `[tokens, labels]`, `f32`.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let hidden_states = self.encoder.forward(batch, mode)?;
        self.head.forward(&hidden_states, mode)
    }

    /// The conditional random field over the logits; `None` where each token is labelled by itself.
    #[must_use]
    pub fn crf(&self) -> Option<&Crf> {
        self.head.crf.as_ref()
    }

    /// The same model with a conditional random field: the one that it has, or a fresh one that knows nothing but the
    /// rules of the tags.
    ///
    /// # Errors
    /// [`crate::Error::Labels`] when the labels are no tags.
    pub fn with_crf(mut self) -> Result<Self> {
        if self.head.crf.is_none() {
            let labels = self.labels().clone();
            let crf = Crf::fresh(&mut self.parameters, &self.config, &labels)?;
            self.head.crf = Some(crf);
        }
        Ok(self)
    }

    /// The same model without its conditional random field, if it has one.
    #[must_use]
    pub fn without_crf(mut self) -> Self {
        Crf::remove(&mut self.parameters);
        self.head.crf = None;
        self
    }
}
