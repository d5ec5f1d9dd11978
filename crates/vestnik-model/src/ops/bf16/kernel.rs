//! The innermost loops: one block of the product.
#![allow(unsafe_code)]

use std::arch::x86_64::{__m512, _mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use std::mem::MaybeUninit;

/// Numbers of a vector.
pub(super) const LANES: usize = 16;

/// What multiplies blocks of `ROWS` rows and `COLS` columns.
pub(super) trait Kernel: Copy + Send + Sync {
    /// Rows of a block.
    const ROWS: usize;
    /// Columns of a block.
    const COLS: usize;
    /// What a thread holds while it multiplies.
    type Ready;

    /// Makes a thread ready.
    fn ready(self) -> Self::Ready;

    /// Multiplies `pairs` pairs along the depth: `left` holds [`Self::ROWS`] lines of [`super::packing::PAIRS`] pairs, `right`
    /// `pairs` times [`Self::COLS`] pairs. The product is added to `out`, or, in the first step, to the bias of its columns
    /// (zeros where there is none).
    ///
    /// # Safety
    /// Without a bias the block has been written before.
    #[expect(clippy::too_many_arguments, reason = "the parts of one product")]
    unsafe fn multiply(
        ready: &mut Self::Ready,
        pairs: usize,
        left: &[u32],
        right: &[u32],
        out: &mut Block<'_>,
        first: Option<&[f32]>,
    );
}

/// Where a block of the product goes: the first `rows` rows and `cols` columns of it, `stride` elements from row to row.
pub(super) struct Block<'a> {
    pub(super) out: &'a mut [MaybeUninit<f32>],
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl Block<'_> {
    /// Puts 16 sums into a row from a column on: added to what is there, or to the bias of the block's columns.
    ///
    /// # Safety
    /// Without a bias the block has been written before.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn put(
        &mut self,
        row: usize,
        col: usize,
        sums: __m512,
        first: Option<&[f32]>,
    ) {
        let col = col.min(self.cols);
        let out = &mut self.out[row * self.stride..][col..self.cols.min(col + LANES)];
        let (mask, out) = (mask(out.len()), out.as_mut_ptr().cast());
        // SAFETY: the mask admits only the elements of `out`, which were written in the first step.
        unsafe {
            let before = match first {
                Some(bias) => load(bias.get(col..).unwrap_or_default()),
                None => _mm512_maskz_loadu_ps(mask, out),
            };
            _mm512_mask_storeu_ps(out, mask, _mm512_add_ps(before, sums));
        }
    }
}

/// The first 16 elements; zeros where `from` has none.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(from: &[f32]) -> __m512 {
    // SAFETY: the mask admits only elements of `from`.
    unsafe { _mm512_maskz_loadu_ps(mask(from.len()), from.as_ptr()) }
}

/// The first `n` of 16 bits.
fn mask(n: usize) -> u16 {
    ((1u32 << n.min(LANES)) - 1) as u16
}
