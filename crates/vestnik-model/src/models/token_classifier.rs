//! A label for every token of a text.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::heads::TokenClassificationHead;
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
}
