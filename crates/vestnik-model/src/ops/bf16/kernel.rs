//! The innermost loops: one tile of the product, in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
};
use std::mem::{MaybeUninit, transmute};

use super::packing::PAIRS;

/// Rows of a tile.
pub(super) const ROWS: usize = 8;
/// Columns of a tile.
pub(super) const COLS: usize = VECTORS * LANES;
const VECTORS: usize = 3;
const LANES: usize = 16;

/// Where a tile of the product goes: the first `rows` rows and `cols` columns of it, `stride` elements from row to row.
pub(super) struct Tile<'a> {
    pub(super) out: &'a mut [MaybeUninit<f32>],
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

/// Multiplies one block of `pairs` pairs: `left` holds [`ROWS`] lines of [`PAIRS`] pairs, `right` `pairs` times [`COLS`]
/// pairs. The product is added to the tile, or, in the first block, to the bias of its columns (zeros where there is none).
///
/// # Safety
/// Without a bias the tile has been written before.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn multiply(
    pairs: usize,
    left: &[u32],
    right: &[u32],
    tile: &mut Tile<'_>,
    first: Option<&[f32]>,
) {
    let sums = sums(pairs, left, right);
    for (row, sums) in sums.iter().enumerate().take(tile.rows) {
        let out = &mut tile.out[row * tile.stride..][..tile.cols];
        for (vector, sum) in sums.iter().enumerate() {
            let at = (vector * LANES).min(tile.cols);
            let out = &mut out[at..tile.cols.min(at + LANES)];
            let (mask, out) = (mask(out.len()), out.as_mut_ptr().cast());
            // SAFETY: the mask admits only the elements of `out`, which were written in the first block.
            unsafe {
                let before = match first {
                    Some(bias) => load(bias.get(at..).unwrap_or_default()),
                    None => _mm512_maskz_loadu_ps(mask, out),
                };
                _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(before, *sum));
            }
        }
    }
}

/// The sums of products of a tile.
#[target_feature(enable = "avx512f,avx512bf16")]
fn sums(pairs: usize, left: &[u32], right: &[u32]) -> [[__m512; VECTORS]; ROWS] {
    assert!(left.len() >= (ROWS - 1) * PAIRS + pairs && right.len() >= pairs * COLS);
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
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

/// The first 16 elements; zeros where `from` has none.
#[target_feature(enable = "avx512f")]
fn load(from: &[f32]) -> __m512 {
    // SAFETY: the mask admits only elements of `from`.
    unsafe { _mm512_maskz_loadu_ps(mask(from.len()), from.as_ptr()) }
}

/// The first `n` of 16 bits.
fn mask(n: usize) -> u16 {
    ((1u32 << n.min(LANES)) - 1) as u16
}
