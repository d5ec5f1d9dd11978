//! Sums of which one side may be frozen.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::ops::cpu;

/// Elements of one task.
const CHUNK: usize = 16 * 1024;

/// `a + b`, differentiable in both. candle's own sum computes the gradient of a side that is not tracked, too; this one
/// does not, on the CPU in `f32`.
///
/// **Shapes** both alike.
///
/// # Errors
/// When the shapes differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (learns, constant) = match (a.track_op(), b.track_op()) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        _ => return a + b,
    };
    if !cpu::is_cpu_f32(a) {
        return a + b;
    }
    if a.shape() != b.shape() {
        candle_core::bail!("add: {:?} and {:?}", a.shape(), b.shape());
    }
    let constant = constant.contiguous()?;
    learns.contiguous()?.apply_op1(AddConstant { constant })
}

struct AddConstant {
    constant: Tensor,
}

impl CustomOp1 for AddConstant {
    fn name(&self) -> &'static str {
        "add_constant"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let constant = cpu::data_of(&self.constant);
        let mut out = cpu::slice_of(x, layout)?.to_vec();
        out.par_chunks_mut(CHUNK)
            .zip(constant.as_slice()?.par_chunks(CHUNK))
            .for_each(|(out, constant)| {
                out.iter_mut().zip(constant).for_each(|(out, x)| *out += x);
            });
        Ok(cpu::output(out, layout.shape()))
    }

    fn bwd(&self, _x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}
