//! Dropout (Srivastava et al. 2014) with a mask that is a function of its key.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::Mode;
use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::random::DropoutMask;
use crate::tape;

/// Elements of one task, a multiple of the mask's groups of four.
pub(super) const CHUNK: usize = 8192;

/// Sets elements to zero with `probability` and scales the others by `1 / (1 - probability)`; the identity at inference.
///
/// # Errors
/// When the device fails.
pub fn dropout(x: &Tensor, probability: f64, mode: Mode<'_>) -> Result<Tensor> {
    let Mode::Training(state) = mode else {
        return Ok(x.clone());
    };
    if probability <= 0.0 {
        return Ok(x.clone());
    }
    let mask = DropoutMask::new(state.next_key(), probability);
    if cpu::is_cpu_f32(x) {
        return tape::apply1(&x.contiguous()?, Dropout { mask });
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(x) {
        return cuda::dropout_add(x, None, Some(mask));
    }
    let mut factors = vec![1.0f32; x.elem_count()];
    apply(&mask, &mut factors);
    x.mul(&Tensor::from_vec(factors, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

fn apply(mask: &DropoutMask, values: &mut [f32]) {
    values
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(chunk, values)| mask.apply(values, (chunk * CHUNK / 4) as u64));
}

struct Dropout {
    mask: DropoutMask,
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = cpu::slice_of(x, layout)?.to_vec();
        apply(&self.mask, &mut out);
        Ok(cpu::output(out, layout.shape()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        masked(x, grad, &self.mask).map(Some)
    }
}

/// The gradient of what a mask was applied to.
pub(super) fn masked(x: &Tensor, grad: &Tensor, mask: &DropoutMask) -> Result<Tensor> {
    let grad = grad.contiguous()?;
    let mut out = cpu::data_of(&grad).as_slice()?.to_vec();
    apply(mask, &mut out);
    Tensor::from_vec(out, x.shape(), x.device())
}
