//! GELU for outputs that are rounded to bytes.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdUnaryOp};

/// Where the distribution function is 0 or 1 from.
const BOUND: f32 = 4.2;
/// `(Φ(x) - 1/2) / x` as a polynomial in x², from the constant up: the weighted least squares whose largest error of
/// `x Φ(x)` is least, with Φ = 1 at the bound.
const COEFFICIENTS: [f32; 8] = [
    0.398_465_8,
    -0.065_528_14,
    0.009_298_197,
    -0.000_950_650_2,
    6.688_979e-5,
    -3.037_870_3e-6,
    7.941_124e-8,
    -9.017_227e-10,
];

/// `x Φ(x)` (Hendrycks & Gimpel 2016) up to 1e-4, a hundredth of the steps of bytes.
pub(crate) struct QuickGelu {}

impl SimdUnaryOp<f32> for QuickGelu {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        let bounded = ops.clamp(x, ops.splat(-BOUND), ops.splat(BOUND));
        let square = ops.mul(bounded, bounded);
        let mut value = ops.splat(COEFFICIENTS[7]);
        for coefficient in COEFFICIENTS[..7].iter().rev() {
            value = ops.mul_add(value, square, ops.splat(*coefficient));
        }
        ops.mul(x, ops.mul_add(value, bounded, ops.splat(0.5)))
    }
}

#[cfg(test)]
mod tests {
    use rten_vecmath::Gelu;

    use super::*;

    #[test]
    fn is_near_the_exact_function_and_never_large_where_that_is_small() {
        let mut quick: Vec<f32> = (-12_000..=12_000).map(|i| i as f32 * 1e-3).collect();
        let mut exact = quick.clone();
        QuickGelu {}.map_mut(&mut quick);
        Gelu {}.map_mut(&mut exact);
        for (quick, exact) in quick.iter().zip(exact) {
            assert!((quick - exact).abs() < 1.1e-4, "{quick} {exact}");
        }
        let mut far = [1e30, -1e30];
        QuickGelu {}.map_mut(&mut far);
        assert!(
            (far[0] / 1e30 - 1.0).abs() < 1e-5 && far[1].abs() <= 1e25,
            "{far:?}"
        );
    }
}
