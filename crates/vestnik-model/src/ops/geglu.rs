//! The gated unit GEGLU (Shazeer 2020): `gelu(input) * gate`.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::SimdUnaryOp;
use rten_vecmath::Gelu;

use crate::ops::{cpu, gelu};
use crate::tape;

/// `gelu(input) * gate`, where each row holds first its inputs and then its gates.
///
/// **Shapes** `x [rows, 2 * width]` → `[rows, width]`. On the CPU in `f32` in one pass, forward and backward.
///
/// # Errors
/// When the last dimension is odd.
pub fn geglu(x: &Tensor) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        tape::apply1(&x.contiguous()?, Geglu)
    } else {
        geglu_composed(x)
    }
}

/// [`geglu`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// When the last dimension is odd.
pub fn geglu_composed(x: &Tensor) -> Result<Tensor> {
    let (input, gate) = halves(x)?;
    input.gelu_erf()? * gate
}

/// The first and the second half of every row.
///
/// # Errors
/// When the last dimension is odd.
pub(crate) fn halves(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let width = half(x.dim(D::Minus1)?)?;
    let part = |start| x.narrow(D::Minus1, start, width)?.contiguous();
    Ok((part(0)?, part(width)?))
}

fn half(width: usize) -> Result<usize> {
    if width.is_multiple_of(2) {
        Ok(width / 2)
    } else {
        candle_core::bail!("geglu: rows of odd width {width}")
    }
}

struct Geglu;

impl CustomOp1 for Geglu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let half = half(width)?;
        let mut out = vec![0.0; rows * half];
        out.par_chunks_mut(half)
            .zip(cpu::slice_of(x, layout)?.par_chunks(width))
            .for_each(|(out, row)| {
                let (input, gate) = row.split_at(half);
                out.copy_from_slice(input);
                Gelu {}.map_mut(out);
                out.iter_mut()
                    .zip(gate)
                    .for_each(|(out, gate)| *out *= gate);
            });
        Ok(cpu::output(out, (rows, half)))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let (x_data, grad_data) = (cpu::data_of(x), cpu::data_of(&grad));
        let x_slice = x_data.as_slice()?;
        let mut out = vec![0.0; x_slice.len()];
        out.par_chunks_mut(width)
            .zip(x_slice.par_chunks(width))
            .zip(grad_data.as_slice()?.par_chunks(width / 2))
            .for_each(|((out, row), grad)| backward_row(out, row, grad));
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// `d input = grad * gate * gelu'(input)`, `d gate = grad * gelu(input)`.
fn backward_row(out: &mut [f32], row: &[f32], grad: &[f32]) {
    let (input, gate) = row.split_at(grad.len());
    let (grad_input, grad_gate) = out.split_at_mut(grad.len());
    grad_gate.copy_from_slice(input);
    Gelu {}.map_mut(grad_gate);
    grad_gate
        .iter_mut()
        .zip(grad)
        .for_each(|(out, x)| *out *= x);
    for ((out, grad), gate) in grad_input.iter_mut().zip(grad).zip(gate) {
        *out = grad * gate;
    }
    for (out, input) in grad_input
        .chunks_mut(gelu::CHUNK)
        .zip(input.chunks(gelu::CHUNK))
    {
        gelu::multiply_by_slope(out, input);
    }
}
