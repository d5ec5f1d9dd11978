//! Blocks by the bf16 instructions of AVX-512: sums stay in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_setzero_ps,
};
use std::mem::transmute;

use vestnik_x86::Bf16;

use super::kernel::{Block, Kernel, LANES};
use super::packing::PAIRS;

/// Vectors of a row of a block.
const VECTORS: usize = 3;

impl Kernel for Bf16 {
    const ROWS: usize = 8;
    const COLS: usize = VECTORS * LANES;
    type Ready = ();

    fn ready(self) {}

    unsafe fn multiply(
        (): &mut (),
        pairs: usize,
        left: &[u32],
        right: &[u32],
        out: &mut Block<'_>,
        first: Option<&[f32]>,
    ) {
        // SAFETY: a `Bf16` says that the instructions are there; the rest is the caller's promise.
        unsafe { multiply(pairs, left, right, out, first) };
    }
}

/// See [`Kernel::multiply`].
///
/// # Safety
/// Without a bias the block has been written before.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply(
    pairs: usize,
    left: &[u32],
    right: &[u32],
    out: &mut Block<'_>,
    first: Option<&[f32]>,
) {
    let sums = sums(pairs, left, right);
    for (row, sums) in sums.iter().enumerate().take(out.rows) {
        for (vector, sums) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { out.put(row, vector * LANES, *sums, first) };
        }
    }
}

/// The sums of products of a block.
#[target_feature(enable = "avx512f,avx512bf16")]
fn sums(pairs: usize, left: &[u32], right: &[u32]) -> [[__m512; VECTORS]; Bf16::ROWS] {
    assert!(left.len() >= (Bf16::ROWS - 1) * PAIRS + pairs && right.len() >= pairs * Bf16::COLS);
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; Bf16::ROWS];
    let (left, right) = (left.as_ptr(), right.as_ptr());
    for pair in 0..pairs {
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `row * PAIRS + pair` and `(pair * VECTORS + vector + 1) * LANES` are within the lengths asserted above;
            // all vectors are 64 bytes that may hold anything.
            unsafe {
                let factor = _mm512_set1_epi32((*left.add(row * PAIRS + pair)).cast_signed());
                let factor = transmute::<__m512i, __m512bh>(factor);
                for (vector, sum) in sums.iter_mut().enumerate() {
                    let factors = right.add((pair * VECTORS + vector) * LANES);
                    let factors = _mm512_loadu_si512(factors.cast());
                    *sum = _mm512_dpbf16_ps(*sum, factor, transmute::<__m512i, __m512bh>(factors));
                }
            }
        }
    }
    sums
}
