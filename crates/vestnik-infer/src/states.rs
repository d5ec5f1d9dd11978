//! The states of tokens: the one place of this crate that runs an encoder.

use vestnik_model::{Encoder, Mode, Tensor};
use vestnik_text::Batch;

use crate::error::Result;

/// An encoder in use; all heads read what it says.
#[derive(Debug)]
pub(crate) struct States {
    encoder: Encoder,
}

impl States {
    pub(crate) fn new(encoder: &Encoder) -> Self {
        Self {
            encoder: encoder.clone(),
        }
    }

    /// The states of the last layer. **Shapes** a packed batch of `tokens` tokens → `[tokens, hidden]`, `f32`.
    pub(crate) fn of(&self, batch: &Batch) -> Result<Tensor> {
        Ok(self.encoder.forward(batch, Mode::Inference)?)
    }
}
