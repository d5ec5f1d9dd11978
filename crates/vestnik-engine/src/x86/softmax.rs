//! The exponentials of a block of attention scores, as bf16 numbers for the next product.

use std::arch::x86_64::{
    __m512, __mmask16, _mm512_add_ps, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtps_epi32,
    _mm512_fmadd_ps, _mm512_mask_max_ps, _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_scalef_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_sub_ps, _mm512_ternarylogic_epi32,
};
use std::ops::Range;

use super::packing::{PARTS, STEP, TILE, load, rounded, store_half, store_parts};

/// Coefficients of 2^x in -0.5..=0.5 from the constant up, by Remez' algorithm: relative error 8e-8, the rounding of `f32`.
const PRECISE: [f32; 6] = [
    1.000_000_1,
    0.693_146_97,
    0.240_221_2,
    0.055_507_133,
    0.009_675_541,
    0.001_327_647_2,
];
/// Coefficients of 2^(x - 1) / x in 1..2, likewise: relative error 7e-4, enough for weights that are rounded to bf16.
const QUICK: [f32; 4] = [1.775_609_8, -1.377_301_2, 0.707_474, -0.106_445_85];
/// What makes the exponent of `f32`, times 2^23, of a whole number.
const EXPONENT_BIAS: f32 = 127.0;
const MANTISSA_BITS: i32 = 23;

/// `exp(scale (score - max))` of the scores that a query sees, zeros elsewhere, rounded to bf16, or with `is_precise` as
/// their parts; returns the sum of the exponentials.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn exponentials(
    scores: &[f32],
    visible: &Range<usize>,
    scale: f32,
    is_precise: bool,
    out: &mut [u16],
) -> f32 {
    let factor = scale * std::f32::consts::LOG2_E;
    let max = largest(scores, visible);
    let mut sum = _mm512_setzero_ps();
    if is_precise {
        for start in (0..scores.len()).step_by(TILE) {
            let powers = power(load(scores, start), max, factor);
            let powers = _mm512_maskz_mov_ps(mask(start, visible), powers);
            let out = &mut out[PARTS * (start / STEP * STEP) + start % STEP..];
            store_parts(out, powers);
            sum = _mm512_add_ps(sum, powers);
        }
        return _mm512_reduce_add_ps(sum);
    }
    let line = QuickPower::new(max, factor);
    // Vectors that are visible as a whole need no mask.
    let whole = whole(visible);
    let vectors = scores.chunks_exact(TILE).zip(out.chunks_exact_mut(TILE));
    for (index, (scores, out)) in vectors.enumerate() {
        let mut powers = line.of(load(scores, 0));
        if !whole.contains(&index) {
            powers = _mm512_maskz_mov_ps(mask(index * TILE, visible), powers);
        }
        store_half(out, rounded(powers));
        sum = _mm512_add_ps(sum, powers);
    }
    _mm512_reduce_add_ps(sum)
}

#[target_feature(enable = "avx512f")]
fn largest(scores: &[f32], visible: &Range<usize>) -> f32 {
    let mut max = _mm512_set1_ps(f32::NEG_INFINITY);
    let whole = whole(visible);
    for (index, scores) in scores.chunks_exact(TILE).enumerate() {
        if whole.contains(&index) {
            max = _mm512_max_ps(max, load(scores, 0));
        } else {
            max = _mm512_mask_max_ps(max, mask(index * TILE, visible), max, load(scores, 0));
        }
    }
    _mm512_reduce_max_ps(max)
}

/// Vectors of 16 places all of which are visible.
fn whole(visible: &Range<usize>) -> Range<usize> {
    visible.start.div_ceil(TILE)..visible.end / TILE
}

/// `2 ^ ((x - max) factor)` by a polynomial on the fraction; what is below 2^-126 is 2^-126.
#[target_feature(enable = "avx512f")]
fn power(x: __m512, max: f32, factor: f32) -> __m512 {
    let y = _mm512_mul_ps(
        _mm512_sub_ps(x, _mm512_set1_ps(max)),
        _mm512_set1_ps(factor),
    );
    let y = _mm512_max_ps(y, _mm512_set1_ps(-126.0));
    let whole = _mm512_roundscale_ps::<0>(y);
    let fraction = _mm512_sub_ps(y, whole);
    _mm512_scalef_ps(polynomial(fraction, &PRECISE), whole)
}

/// The same in fewer steps and less precisely (after Schraudolph 1999): as bits of an `f32`, a number times 2^23 plus a bias
/// is a power of two whose mantissa `m` is on the chord of each octave; a polynomial in `m` bends it to the power.
struct QuickPower {
    slope: __m512,
    offset: __m512,
}

impl QuickPower {
    #[target_feature(enable = "avx512f")]
    fn new(max: f32, factor: f32) -> Self {
        let unit = (1 << MANTISSA_BITS) as f32;
        let offset = (EXPONENT_BIAS - max * factor) * unit;
        // Of the least scores there are it would be infinite, and so would be the sum, which is not rounded in between.
        let offset = if offset > f32::MAX { f32::MAX } else { offset };
        Self {
            slope: _mm512_set1_ps(factor * unit),
            offset: _mm512_set1_ps(offset),
        }
    }

    #[target_feature(enable = "avx512f")]
    fn of(&self, x: __m512) -> __m512 {
        let least = _mm512_set1_ps((1 << MANTISSA_BITS) as f32);
        let bits = _mm512_max_ps(_mm512_fmadd_ps(x, self.slope, self.offset), least);
        let bits = _mm512_cvtps_epi32(bits);
        // The mantissa with the exponent of 1.
        let mantissa = _mm512_ternarylogic_epi32::<BITS_BELOW>(
            bits,
            _mm512_set1_epi32((1 << MANTISSA_BITS) - 1),
            _mm512_castps_si512(_mm512_set1_ps(1.0)),
        );
        let bend = polynomial(_mm512_castsi512_ps(mantissa), &QUICK);
        _mm512_mul_ps(_mm512_castsi512_ps(bits), bend)
    }
}

/// `(first & second) | third`.
const BITS_BELOW: i32 = 0b1110_1010;

#[target_feature(enable = "avx512f")]
fn polynomial<const N: usize>(x: __m512, coefficients: &[f32; N]) -> __m512 {
    let mut value = _mm512_set1_ps(coefficients[N - 1]);
    for coefficient in coefficients[..N - 1].iter().rev() {
        value = _mm512_fmadd_ps(value, x, _mm512_set1_ps(*coefficient));
    }
    value
}

/// Which of the 16 places from `start` on are visible.
fn mask(start: usize, visible: &Range<usize>) -> __mmask16 {
    let below = |end: usize| (1u32 << end.saturating_sub(start).min(TILE)) - 1;
    (below(visible.end) & !below(visible.start)) as __mmask16
}
