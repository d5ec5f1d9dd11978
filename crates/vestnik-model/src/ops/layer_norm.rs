//! Layer normalization (Ba, Kiros & Hinton 2016): each row to zero mean and unit variance, then scaled and shifted.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::tape;

/// Rows of one task. Fixed, so that partial sums add up in the same order on any number of threads.
const ROWS: usize = 64;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension, differentiable in all three.
///
/// **Shapes** `x [rows, width]`, `weight [width]`, `bias [width]` → `[rows, width]`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        let operation = LayerNorm { eps: eps as f32 };
        return tape::apply3([&x.contiguous()?, weight, bias], operation);
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(x) {
        return cuda::layer_norm(x, weight, bias, eps);
    }
    layer_norm_composed(x, weight, bias, eps)
}

/// [`layer_norm`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn layer_norm_composed(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred
        .broadcast_div(&(variance + eps)?.sqrt()?)?
        .broadcast_mul(weight)?
        .broadcast_add(bias)
}

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// Mean and reciprocal standard deviation of a row, in two passes: one pass loses digits to outlier channels.
    fn statistics(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = lane_sum(row, |x| x) / n;
        let variance = lane_sum(row, |x| (x - mean) * (x - mean)) / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

/// Sum of `f(x)` in eight interleaved lanes: vectorizable, and always in the same order.
fn lane_sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = row.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|&x| f(x)).sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let width = x_layout.shape().dims2()?.1;
        let weight = cpu::slice_of(weight, weight_layout)?;
        let bias = cpu::slice_of(bias, bias_layout)?;
        if weight.len() != width || bias.len() != width {
            candle_core::bail!(
                "layer_norm: width {width}, weight {}, bias {}",
                weight.len(),
                bias.len()
            );
        }
        let mut out = cpu::slice_of(x, x_layout)?.to_vec();
        out.par_chunks_mut(ROWS * width).for_each(|rows| {
            for row in rows.chunks_exact_mut(width) {
                let (mean, scale) = self.statistics(row);
                for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                    *x = (*x - mean) * scale * weight + bias;
                }
            }
        });
        Ok(cpu::output(out, x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let (x_data, weight_data, grad_data) =
            (cpu::data_of(x), cpu::data_of(weight), cpu::data_of(&grad));
        let (x_slice, weight_slice, mut grad_x) = (
            x_data.as_slice()?,
            weight_data.as_slice()?,
            grad_data.as_slice()?.to_vec(),
        );
        // Frozen tensors are not tracked: their gradients would be thrown away.
        let needs = Needs {
            x: x.track_op(),
            sums: weight.track_op() || bias.track_op(),
        };
        let partial_sums: Vec<Sums> = grad_x
            .par_chunks_mut(ROWS * width)
            .zip(x_slice.par_chunks(ROWS * width))
            .map(|(grad, x)| self.backward_rows(grad, x, weight_slice, needs))
            .collect();
        let sums = partial_sums.into_iter().fold(Sums::new(width), Sums::add);
        let gradient = |tensor: &Tensor, values: Vec<f32>| {
            tensor
                .track_op()
                .then(|| Tensor::from_vec(values, tensor.shape(), tensor.device()))
                .transpose()
        };
        Ok((
            gradient(x, grad_x)?,
            gradient(weight, sums.weight)?,
            gradient(bias, sums.bias)?,
        ))
    }
}

/// Which gradients are asked for.
#[derive(Clone, Copy)]
struct Needs {
    x: bool,
    /// Those of weight or bias.
    sums: bool,
}

/// Gradients of weight and bias.
struct Sums {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Sums {
    fn new(width: usize) -> Self {
        Self {
            weight: vec![0.0; width],
            bias: vec![0.0; width],
        }
    }

    /// Adds what one row gives, from the gradient of its output and its normalized input.
    fn take(&mut self, grad: &[f32], normal: &[f32]) {
        let sums = self.weight.iter_mut().zip(&mut self.bias);
        for (((sum_w, sum_b), grad), normal) in sums.zip(grad).zip(normal) {
            *sum_w += grad * normal;
            *sum_b += grad;
        }
    }

    fn add(mut self, other: Self) -> Self {
        self.weight
            .iter_mut()
            .zip(other.weight)
            .for_each(|(sum, x)| *sum += x);
        self.bias
            .iter_mut()
            .zip(other.bias)
            .for_each(|(sum, x)| *sum += x);
        self
    }
}

impl LayerNorm {
    /// Turns the rows of `grad` from the output's gradient into the input's, and sums those of weight and bias.
    fn backward_rows(&self, grad: &mut [f32], x: &[f32], weight: &[f32], needs: Needs) -> Sums {
        let width = weight.len();
        let mut sums = Sums::new(width);
        let mut normal = vec![0.0; width];
        for (grad, x) in grad.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, scale) = self.statistics(x);
            for (normal, x) in normal.iter_mut().zip(x) {
                *normal = (x - mean) * scale;
            }
            if needs.sums {
                sums.take(grad, &normal);
            }
            if needs.x {
                backward_row(grad, &normal, weight, scale);
            }
        }
        sums
    }
}

/// `dx = scale * (g - mean(g) - normal * mean(g * normal))` with `g = grad * weight`.
fn backward_row(grad: &mut [f32], normal: &[f32], weight: &[f32], scale: f32) {
    let n = grad.len() as f32;
    for (grad, weight) in grad.iter_mut().zip(weight) {
        *grad *= weight;
    }
    let mean = lane_sum(grad, |g| g) / n;
    let mut lanes = [0.0f32; 8];
    for (grad, normal) in grad.chunks(8).zip(normal.chunks(8)) {
        for ((lane, grad), normal) in lanes.iter_mut().zip(grad).zip(normal) {
            *lane += grad * normal;
        }
    }
    let projection = lanes.iter().sum::<f32>() / n;
    for (grad, normal) in grad.iter_mut().zip(normal) {
        *grad = scale * (*grad - mean - normal * projection);
    }
}
