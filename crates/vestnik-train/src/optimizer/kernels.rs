//! In-place updates of f32 tensors, one pass each: on the CPU in parallel over chunks, with the same result for any number
//! of threads; on a GPU by a kernel each.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{
    CpuStorage, DType, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, Tensor, bail,
};
use rayon::prelude::*;
#[cfg(feature = "cuda")]
use vestnik_model::ops::cuda;

use crate::row_gradient::RowGradient;

/// Elements of one piece of parallel work: 64 KiB, so that the pieces of two operands stay in the second-level cache.
pub(crate) const CHUNK: usize = 16 * 1024;

/// True where these updates apply to a tensor.
pub(crate) fn apply_to(tensor: &Tensor) -> bool {
    let device = tensor.device();
    tensor.dtype() == DType::F32 && (device.is_cpu() || cfg!(feature = "cuda") && device.is_cuda())
}

/// How a moment takes in a gradient.
pub(super) trait Moment {
    /// The new moment from the old one and the gradient.
    fn update(&self) -> impl Fn(f32, f32) -> f32 + Sync;
}

/// `m ← β₁ m + (1 − β₁) s g`, where `s` scales the gradient (clipping).
pub(super) struct FirstMoment {
    pub(super) beta: f64,
    pub(super) scale: f64,
}

impl Moment for FirstMoment {
    fn update(&self) -> impl Fn(f32, f32) -> f32 + Sync {
        let (beta, share) = (self.beta as f32, ((1.0 - self.beta) * self.scale) as f32);
        move |m, g| beta * m + share * g
    }
}

impl InplaceOp2 for FirstMoment {
    fn name(&self) -> &'static str {
        "adamw-first-moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, ml: &Layout, g: &CpuStorage, gl: &Layout) -> Result<()> {
        update2(slice_mut(m, ml)?, slice(g, gl)?, self.update())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        m: &mut CudaStorage,
        ml: &Layout,
        g: &CudaStorage,
        gl: &Layout,
    ) -> Result<()> {
        let share = (1.0 - self.beta) * self.scale;
        cuda::first_moment((m, ml), (g, gl), self.beta as f32, share as f32)
    }
}

/// `v ← β₂ v + (1 − β₂) (s g)²`. `1 − β₂` is taken in f64: in f32 it would be off by one part in 10⁵.
pub(super) struct SecondMoment {
    pub(super) beta: f64,
    pub(super) scale: f64,
}

impl Moment for SecondMoment {
    fn update(&self) -> impl Fn(f32, f32) -> f32 + Sync {
        let (beta, share, scale) = (
            self.beta as f32,
            (1.0 - self.beta) as f32,
            self.scale as f32,
        );
        move |v, g| {
            let g = scale * g;
            beta * v + share * (g * g)
        }
    }
}

impl InplaceOp2 for SecondMoment {
    fn name(&self) -> &'static str {
        "adamw-second-moment"
    }

    fn cpu_fwd(&self, v: &mut CpuStorage, vl: &Layout, g: &CpuStorage, gl: &Layout) -> Result<()> {
        update2(slice_mut(v, vl)?, slice(g, gl)?, self.update())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        v: &mut CudaStorage,
        vl: &Layout,
        g: &CudaStorage,
        gl: &Layout,
    ) -> Result<()> {
        let numbers = [self.beta, 1.0 - self.beta, self.scale].map(|number| number as f32);
        cuda::second_moment((v, vl), (g, gl), numbers)
    }
}

/// A moment of a table by the gradient of some of its rows.
pub(super) struct RowMoment<'a, M> {
    pub(super) gradient: &'a RowGradient,
    pub(super) moment: M,
}

impl<M: Moment> InplaceOp1 for RowMoment<'_, M> {
    fn name(&self) -> &'static str {
        "adamw-row-moment"
    }

    fn cpu_fwd(&self, moment: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let to = slice_mut(moment, layout)?;
        self.gradient.update(to, self.moment.update());
        Ok(())
    }
}

/// `θ ← keep · θ − rate · m / (√v · root_correction + ε)`.
pub(super) struct Descent {
    /// `1 − lr λ`: the decoupled decay.
    pub(super) keep: f32,
    /// `lr / (1 − β₁ᵗ)`.
    pub(super) rate: f32,
    /// `1 / √(1 − β₂ᵗ)`.
    pub(super) root_correction: f32,
    pub(super) epsilon: f32,
}

impl InplaceOp3 for Descent {
    fn name(&self) -> &'static str {
        "adamw-descent"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        pl: &Layout,
        m: &CpuStorage,
        ml: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> Result<()> {
        let (p, m, v) = (slice_mut(p, pl)?, slice(m, ml)?, slice(v, vl)?);
        if p.len() != m.len() || p.len() != v.len() {
            bail!(
                "adamw: {} weights, {} and {} moments",
                p.len(),
                m.len(),
                v.len()
            );
        }
        let Self {
            keep,
            rate,
            root_correction,
            epsilon,
        } = *self;
        p.par_chunks_mut(CHUNK)
            .zip(m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK)))
            .for_each(|(p, (m, v))| {
                for ((p, m), v) in p.iter_mut().zip(m).zip(v) {
                    *p = keep * *p - rate * *m / (v.sqrt() * root_correction + epsilon);
                }
            });
        Ok(())
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        p: &mut CudaStorage,
        pl: &Layout,
        m: &CudaStorage,
        ml: &Layout,
        v: &CudaStorage,
        vl: &Layout,
    ) -> Result<()> {
        let numbers = [self.keep, self.rate, self.root_correction, self.epsilon];
        cuda::descend([(p, pl), (m, ml), (v, vl)], numbers)
    }
}

/// `a ← a + s b`.
pub(crate) struct AddScaled {
    pub(crate) scale: f32,
}

impl InplaceOp2 for AddScaled {
    fn name(&self) -> &'static str {
        "add-scaled"
    }

    fn cpu_fwd(&self, a: &mut CpuStorage, al: &Layout, b: &CpuStorage, bl: &Layout) -> Result<()> {
        let scale = self.scale;
        update2(slice_mut(a, al)?, slice(b, bl)?, |a, b| a + scale * b)
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        a: &mut CudaStorage,
        al: &Layout,
        b: &CudaStorage,
        bl: &Layout,
    ) -> Result<()> {
        cuda::add_scaled((a, al), (b, bl), self.scale)
    }
}

fn update2(to: &mut [f32], from: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Result<()> {
    if to.len() != from.len() {
        bail!("in-place update of {} elements by {}", to.len(), from.len());
    }
    to.par_chunks_mut(CHUNK)
        .zip(from.par_chunks(CHUNK))
        .for_each(|(to, from)| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = f(*to, *from);
            }
        });
    Ok(())
}

/// The elements of a contiguous f32 tensor.
pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("expected a contiguous tensor, got {layout:?}");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

pub(crate) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("expected a contiguous tensor, got {layout:?}");
    };
    match storage {
        CpuStorage::F32(data) => Ok(&mut data[start..end]),
        _ => bail!("expected an f32 tensor"),
    }
}
