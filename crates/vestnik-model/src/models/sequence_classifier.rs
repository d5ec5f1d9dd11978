//! Labels for a whole text, or for a pair of texts.

use candle_core::Tensor;
use vestnik_text::Batch;

use crate::config::ProblemType;
use crate::heads::SequenceClassificationHead;
use crate::models::Model;
use crate::{Mode, Result};

/// An encoder with a sequence-classification head (`BertForSequenceClassification` and its like).
pub type SequenceClassifier = Model<SequenceClassificationHead>;

impl SequenceClassifier {
    /// Logits of every sequence.
    ///
    /// **Shapes** a packed batch of `sequences` sequences → `[sequences, labels]`, `f32`.
    ///
    /// # Errors
    /// As [`crate::Encoder::forward`].
    pub fn forward(&self, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        let hidden_states = self.encoder.forward(batch, mode)?;
        self.logits(&hidden_states, batch, mode)
    }

    /// Logits of every sequence, given the states of the last layer.
    ///
    /// **Shapes** `[tokens, hidden]` of a packed batch of `sequences` sequences → `[sequences, labels]`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn logits(&self, states: &Tensor, batch: &Batch, mode: Mode<'_>) -> Result<Tensor> {
        self.head.forward(states, batch, mode)
    }

    /// Whether one label holds of a text, or any number of them.
    #[must_use]
    pub fn problem_type(&self) -> ProblemType {
        self.head.problem_type
    }

    /// The same model with another meaning of its outputs, which a fresh head begins with as
    /// [`ProblemType::SingleLabel`].
    #[must_use]
    pub fn with_problem_type(mut self, problem_type: ProblemType) -> Self {
        self.head.problem_type = problem_type;
        self.config.set_problem_type(problem_type);
        self
    }
}
