//! Softmax with a gradient.

use candle_core::{D, Result, Tensor};

/// Softmax over `dim`, composed of differentiable operations.
///
/// The maximum is subtracted as a constant: mathematically its gradient is zero.
///
/// # Errors
/// When the dimension does not exist.
pub fn softmax_composed(x: &Tensor, dim: D) -> Result<Tensor> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(dim)?.detach())?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(dim)?)
}

/// Turns gradients of softmax outputs into those of its inputs, row by row: `p * (g - sum(g * p))`.
pub(crate) fn backward_rows(grad: &mut [f32], probabilities: &[f32], width: usize) {
    for (grad, probabilities) in grad
        .chunks_exact_mut(width)
        .zip(probabilities.chunks_exact(width))
    {
        let mut lanes = [0.0f32; 8];
        for (grad, probabilities) in grad.chunks(8).zip(probabilities.chunks(8)) {
            for ((lane, grad), probability) in lanes.iter_mut().zip(grad).zip(probabilities) {
                *lane += grad * probability;
            }
        }
        let projection: f32 = lanes.iter().sum();
        for (grad, probability) in grad.iter_mut().zip(probabilities) {
            *grad = probability * (*grad - projection);
        }
    }
}
