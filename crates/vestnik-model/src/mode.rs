//! Whether a forward pass trains or infers.

use crate::TrainingPass;

/// Whether a forward pass trains (dropout is applied) or infers.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// No dropout.
    Inference,
    /// Dropout with the randomness of this pass.
    Training(&'a TrainingPass),
}
