//! Operations on a GPU: kernels of our own (`kernels.cu`) around the products of cuBLAS.
//!
//! Everything that lives between operations is `f32`; factors of products are `f32` or bf16 ([`crate::Precision`]), their
//! sums `f32`. A graph node keeps what its backward pass needs. Sums are made in a fixed order: the same input gives the
//! same bits.

mod attention;
mod cross_entropy;
mod dropout;
mod gather;
mod gelu;
mod gemm;
mod launch;
mod layer_norm;
mod linear;
mod optimizer;
mod range_means;
mod setup;
mod values;

pub(super) use attention::attention;
pub(crate) use cross_entropy::cross_entropy_sum;
pub(super) use dropout::dropout_add;
pub(super) use gather::gather_rows;
pub(super) use gelu::gelu;
pub(super) use layer_norm::layer_norm;
pub(super) use linear::linear;
pub use optimizer::{add_scaled, descend, first_moment, second_moment, sums_of_squares};
pub(super) use range_means::range_means;
pub use setup::{GpuDescription, describe, prepare};

use candle_core::{DType, Tensor};

/// True where the operations of this module apply to `tensor`.
pub(crate) fn applies_to(tensor: &Tensor) -> bool {
    tensor.device().is_cuda() && tensor.dtype() == DType::F32
}
