//! The Gaussian error linear unit in its exact form (Hendrycks & Gimpel 2016): `x Φ(x)`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::SimdUnaryOp;
use rten_vecmath::{Erf, Exp, Gelu as VectorGelu};

use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::tape;

/// Elements that one task treats: small enough for the first-level cache.
pub(crate) const CHUNK: usize = 2048;

/// `x Φ(x)` with the error function, element by element.
///
/// # Errors
/// When the device fails.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        return tape::apply1(&x.contiguous()?, Gelu);
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(x) {
        return cuda::gelu(x);
    }
    x.gelu_erf()
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = cpu::slice_of(x, layout)?.to_vec();
        out.par_chunks_mut(CHUNK)
            .for_each(|chunk| VectorGelu {}.map_mut(chunk));
        Ok(cpu::output(out, layout.shape()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (x_data, grad_data) = (cpu::data_of(x), cpu::data_of(&grad));
        let mut out = grad_data.as_slice()?.to_vec();
        out.par_chunks_mut(CHUNK)
            .zip(x_data.as_slice()?.par_chunks(CHUNK))
            .for_each(|(grad, x)| multiply_by_slope(grad, x));
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

/// Multiplies `grad` by the derivative `Φ(x) + x φ(x)`; at most [`CHUNK`] elements.
pub(crate) fn multiply_by_slope(grad: &mut [f32], x: &[f32]) {
    const INV_SQRT_TAU: f32 = 0.398_942_3;
    let mut distribution = [0.0; CHUNK];
    let mut density = [0.0; CHUNK];
    let (distribution, density) = (&mut distribution[..x.len()], &mut density[..x.len()]);
    for ((distribution, density), x) in distribution.iter_mut().zip(density.iter_mut()).zip(x) {
        *distribution = x * std::f32::consts::FRAC_1_SQRT_2;
        *density = -0.5 * x * x;
    }
    Erf {}.map_mut(distribution);
    Exp {}.map_mut(density);
    for (((grad, x), distribution), density) in grad
        .iter_mut()
        .zip(x)
        .zip(distribution.iter())
        .zip(density.iter())
    {
        *grad *= 0.5 * (1.0 + distribution) + x * INV_SQRT_TAU * density;
    }
}
