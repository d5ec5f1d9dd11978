//! Rotary position embeddings (Su et al. 2021) in the form that rotates halves: element `i` of a head forms a pair with
//! element `i + head_width / 2`, as in transformers, `models/modernbert/modeling_modernbert.py`.

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::ops::cpu;
use crate::tape;

/// Rows of one task.
const ROWS: usize = 64;

/// The angles by which the pairs of every token are rotated: made once, used by all layers of the same base.
///
/// Always `f32`, from positions that are whole numbers: in a shorter format neighbouring positions would be the same.
#[derive(Clone, Debug)]
pub struct RotaryAngles {
    /// `[tokens, head_width / 2]`.
    cosines: Tensor,
    /// `[tokens, head_width / 2]`.
    sines: Tensor,
}

impl RotaryAngles {
    /// Pair `i` of the token at position `p` turns by `p * theta ^ (-2 i / head_width)`.
    ///
    /// # Errors
    /// When `head_width` is odd, or the device fails.
    pub fn new(
        position_ids: &[u32],
        theta: f64,
        head_width: usize,
        device: &Device,
    ) -> Result<Self> {
        if !head_width.is_multiple_of(2) {
            candle_core::bail!("rotary: heads of odd width {head_width}");
        }
        let frequencies = frequencies(theta, head_width);
        let mut angles = Vec::with_capacity(position_ids.len() * frequencies.len());
        for &position in position_ids {
            angles.extend(frequencies.iter().map(|x| position as f32 * x));
        }
        let table = |values: Vec<f32>| {
            Tensor::from_vec(values, (position_ids.len(), head_width / 2), device)
        };
        Ok(Self {
            cosines: table(angles.iter().map(|angle| angle.cos()).collect())?,
            sines: table(angles.iter().map(|angle| angle.sin()).collect())?,
        })
    }

    /// Angles of the opposite sign.
    fn inverse(&self) -> Result<Self> {
        Ok(Self {
            cosines: self.cosines.clone(),
            sines: self.sines.neg()?,
        })
    }

    /// Refuses `[tokens, width]` matrices that do not have these tokens, or not whole heads.
    fn check(&self, (tokens, width): (usize, usize), n_heads: usize) -> Result<()> {
        let (own_tokens, half) = self.cosines.dims2()?;
        if tokens != own_tokens || width != n_heads * 2 * half {
            candle_core::bail!(
                "rotary: [{tokens}, {width}] with {n_heads} heads, angles for {own_tokens} tokens and heads of width {}",
                2 * half
            );
        }
        Ok(())
    }
}

/// Radians per position of each pair, with the roundings of the reference: the exponent, the power and its reciprocal
/// are `f32` each. A rounding of its own would grow with the position.
fn frequencies(theta: f64, head_width: usize) -> Vec<f32> {
    let base = f64::from(theta as f32);
    (0..head_width / 2)
        .map(|pair| f64::from(2.0 * pair as f32 / head_width as f32))
        .map(|exponent| 1.0 / base.powf(exponent) as f32)
        .collect()
}

/// Rotates the pairs of every head by the angles of their tokens; on the CPU in `f32` in one pass over the data.
///
/// **Shapes** `x [tokens, width]` → `[tokens, width]`; head `h` owns the columns `h * width / n_heads..`.
///
/// # Errors
/// When the shapes do not fit together.
pub fn rotary(x: &Tensor, angles: &RotaryAngles, n_heads: usize) -> Result<Tensor> {
    if !cpu::is_cpu_f32(x) {
        return rotary_composed(x, angles, n_heads);
    }
    angles.check(x.dims2()?, n_heads)?;
    let operation = Rotary {
        angles: angles.clone(),
    };
    tape::apply1(&x.contiguous()?, operation)
}

/// [`rotary`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn rotary_composed(x: &Tensor, angles: &RotaryAngles, n_heads: usize) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    angles.check((tokens, width), n_heads)?;
    let halves = x
        .to_dtype(DType::F32)?
        .reshape((tokens, n_heads, 2, width / n_heads / 2))?;
    let (first, second) = (
        halves.narrow(2, 0, 1)?.squeeze(2)?,
        halves.narrow(2, 1, 1)?.squeeze(2)?,
    );
    let (cosines, sines) = (angles.cosines.unsqueeze(1)?, angles.sines.unsqueeze(1)?);
    let turned = [
        (first.broadcast_mul(&cosines)? - second.broadcast_mul(&sines)?)?,
        (second.broadcast_mul(&cosines)? + first.broadcast_mul(&sines)?)?,
    ];
    Tensor::cat(&turned, D::Minus1)?
        .reshape((tokens, width))?
        .to_dtype(x.dtype())
}

struct Rotary {
    angles: RotaryAngles,
}

impl Rotary {
    fn rotate(&self, x: &[f32], width: usize) -> Result<Vec<f32>> {
        let half = self.angles.cosines.dim(1)?;
        let (cosines, sines) = (
            cpu::data_of(&self.angles.cosines),
            cpu::data_of(&self.angles.sines),
        );
        let (cosines, sines) = (cosines.as_slice()?, sines.as_slice()?);
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(ROWS * width)
            .zip(x.par_chunks(ROWS * width))
            .zip(cosines.par_chunks(ROWS * half))
            .zip(sines.par_chunks(ROWS * half))
            .for_each(|(((out, x), cosines), sines)| {
                let tokens = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
                let angles = cosines.chunks_exact(half).zip(sines.chunks_exact(half));
                for ((out, x), (cosines, sines)) in tokens.zip(angles) {
                    rotate_token(out, x, cosines, sines);
                }
            });
        Ok(out)
    }
}

/// Rotates the heads of one token.
fn rotate_token(out: &mut [f32], x: &[f32], cosines: &[f32], sines: &[f32]) {
    let half = cosines.len();
    for (out, x) in out.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
        let (out_first, out_second) = out.split_at_mut(half);
        let (first, second) = x.split_at(half);
        for pair in 0..half {
            let (cosine, sine) = (cosines[pair], sines[pair]);
            out_first[pair] = first[pair] * cosine - second[pair] * sine;
            out_second[pair] = second[pair] * cosine + first[pair] * sine;
        }
    }
}

impl CustomOp1 for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        let out = self.rotate(cpu::slice_of(x, layout)?, width)?;
        Ok(cpu::output(out, layout.shape()))
    }

    /// A rotation is orthogonal: its gradient turns by the opposite angle.
    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let data = cpu::data_of(&grad);
        let back = Self {
            angles: self.angles.inverse()?,
        };
        let out = back.rotate(data.as_slice()?, x.dim(1)?)?;
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_have_the_digits_of_the_reference() {
        // torch 2: 1 / (160_000.0 ** (torch.arange(0, 12, 2).float() / 12))
        let expected = [
            1.0,
            0.135_720_88,
            0.018_420_154,
            0.002_5,
            0.000_339_302_12,
            4.605_040_5e-5,
        ];
        assert_eq!(frequencies(160_000.0, 12), expected);
    }

    #[test]
    fn neighbouring_positions_far_out_differ() {
        let angles = RotaryAngles::new(&[8190, 8191], 10_000.0, 2, &Device::Cpu).unwrap();
        let cosines = angles.cosines.to_vec2::<f32>().unwrap();
        assert_eq!(cosines, [[8190f32.cos()], [8191f32.cos()]]);
        assert_ne!(cosines[0], cosines[1]);
    }
}
