//! What the processor can do at most: products of numbers that are in registers already.

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_add_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_reduce_add_epi32,
    _mm512_reduce_add_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512,
};

use super::Avx512;

/// Sums that do not wait for each other.
const SUMS: usize = 16;

/// Operations of one round: a multiplication and an addition for each of the bytes of 16 vectors.
pub(crate) const BYTE_OPERATIONS: u64 = 2 * 64 * SUMS as u64;
/// The same for `f32`.
pub(crate) const FLOAT_OPERATIONS: u64 = 2 * 16 * SUMS as u64;

/// Multiplies bytes for so many rounds.
pub(crate) fn bytes(_: Avx512, rounds: u64) -> i32 {
    // SAFETY: an `Avx512` says that AVX-512 with VNNI is there.
    unsafe { multiply_bytes(rounds) }
}

/// Multiplies `f32` numbers for so many rounds.
pub(crate) fn floats(_: Avx512, rounds: u64) -> f32 {
    // SAFETY: an `Avx512` says that AVX-512 is there.
    unsafe { multiply_floats(rounds) }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_bytes(rounds: u64) -> i32 {
    let mut sums = [_mm512_setzero_si512(); SUMS];
    let (x, y) = (
        _mm512_set1_epi32(0x0101_0101),
        _mm512_set1_epi32(0x0202_0202),
    );
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, x, y);
        }
    }
    let sum = sums
        .into_iter()
        .fold(_mm512_setzero_si512(), |sum, x| _mm512_add_epi32(sum, x));
    _mm512_reduce_add_epi32(sum)
}

#[target_feature(enable = "avx512f")]
fn multiply_floats(rounds: u64) -> f32 {
    let mut sums = [_mm512_setzero_ps(); SUMS];
    let (x, y) = (_mm512_set1_ps(1.0001), _mm512_set1_ps(0.9));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, x, y);
        }
    }
    let sum = sums
        .into_iter()
        .fold(_mm512_setzero_ps(), |sum, x| _mm512_add_ps(sum, x));
    _mm512_reduce_add_ps(sum)
}
