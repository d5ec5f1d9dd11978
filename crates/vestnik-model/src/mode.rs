//! Whether a forward pass trains or infers.

use crate::{Precision, TrainingPass};

/// Whether a forward pass trains (dropout is applied) or infers.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// No dropout.
    Inference,
    /// Dropout with the randomness of this pass.
    Training(&'a TrainingPass),
}

impl Mode<'_> {
    /// The arithmetic of matrix products: that of the pass in training, `f32` in inference.
    pub(crate) fn precision(self) -> Precision {
        match self {
            Self::Inference => Precision::F32,
            Self::Training(pass) => pass.precision(),
        }
    }
}
