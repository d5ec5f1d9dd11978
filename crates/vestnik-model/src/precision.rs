//! The arithmetic of matrix products in training.

use serde::{Deserialize, Serialize};

/// The number format that matrix products are computed in. Weights, sums of products, norms, softmax, losses and
/// optimizer are `f32` either way (Micikevicius et al. 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 32-bit floats whose factors the GPU rounds to TensorFloat-32 (11 bits of precision) in affine maps; attention's products are
    /// [`Precision::F32`], and so are all products on the CPU. For inference: run files do not know it.
    #[serde(skip)]
    Tf32,
    /// Factors rounded to 16-bit "brain" floats (8 bits of precision), products summed in `f32`.
    Bf16,
}
