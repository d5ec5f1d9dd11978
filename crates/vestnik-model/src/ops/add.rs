//! Sums of which one side may be frozen, and one may be dropped from.

use std::borrow::Cow;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::Mode;
use crate::ops::dropout::{CHUNK, masked};
use crate::ops::random::DropoutMask;
use crate::ops::{self, cpu};
use crate::tape;

/// `a + b`, differentiable in both. candle's own sum computes the gradient of a side that is not tracked, too; this one
/// does not, on the CPU in `f32`.
///
/// **Shapes** both alike.
///
/// # Errors
/// When the shapes differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    dropout_add(a, b, 0.0, Mode::Inference)
}

/// `dropout(x) + residual` ([`ops::dropout`]).
///
/// # Errors
/// When the shapes differ, or the device fails.
pub fn dropout_add(
    x: &Tensor,
    residual: &Tensor,
    probability: f64,
    mode: Mode<'_>,
) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        let mask = mask(probability, mode);
        return tape::apply2(
            &x.contiguous()?,
            &residual.contiguous()?,
            DropoutAdd { mask },
        );
    }
    #[cfg(feature = "cuda")]
    if ops::cuda::applies_to(x) {
        return ops::cuda::dropout_add(x, Some(residual), mask(probability, mode));
    }
    ops::dropout(x, probability, mode)? + residual
}

/// What is dropped in this mode.
fn mask(probability: f64, mode: Mode<'_>) -> Option<DropoutMask> {
    match mode {
        Mode::Training(pass) if probability > 0.0 => {
            Some(DropoutMask::new(pass.next_key(), probability))
        }
        _ => None,
    }
}

struct DropoutAdd {
    mask: Option<DropoutMask>,
}

impl DropoutAdd {
    fn add(&self, x: &[f32], out: &mut [f32], first_group: u64) {
        let mut x = Cow::Borrowed(x);
        if let Some(mask) = self.mask {
            mask.apply(x.to_mut(), first_group);
        }
        out.iter_mut().zip(&*x).for_each(|(out, x)| *out += x);
    }
}

impl CustomOp2 for DropoutAdd {
    fn name(&self) -> &'static str {
        "dropout_add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if x_layout.shape() != residual_layout.shape() {
            candle_core::bail!("dropout_add: {x_layout:?} and {residual_layout:?} differ in shape");
        }
        let mut out = cpu::slice_of(residual, residual_layout)?.to_vec();
        let x = cpu::slice_of(x, x_layout)?.par_chunks(CHUNK);
        out.par_chunks_mut(CHUNK)
            .zip(x)
            .enumerate()
            .for_each(|(chunk, (out, x))| self.add(x, out, (chunk * CHUNK / 4) as u64));
        Ok(cpu::output(out, x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad_x = match self.mask {
            _ if !x.track_op() => None,
            Some(mask) => Some(masked(x, grad, &mask)?),
            None => Some(grad.clone()),
        };
        Ok((grad_x, residual.track_op().then(|| grad.clone())))
    }
}
