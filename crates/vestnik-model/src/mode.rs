//! Whether a forward pass trains or infers.

use crate::{Precision, TrainingPass};

/// Whether a forward pass trains (dropout is applied) or infers.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// No dropout, matrix products in `f32`.
    Inference,
    /// No dropout, matrix products in this arithmetic.
    InferenceIn(Precision),
    /// Dropout with the randomness of this pass.
    Training(&'a TrainingPass),
}

impl Mode<'_> {
    /// The arithmetic of matrix products.
    pub(crate) fn precision(self) -> Precision {
        match self {
            Self::Inference => Precision::F32,
            Self::InferenceIn(precision) => precision,
            Self::Training(pass) => pass.precision(),
        }
    }
}
