//! Products of blocks of bytes by vectors of 32 bytes where the processor adds four of them up at once.

use std::arch::x86_64::{
    _mm256_dpbusd_avx_epi32, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256,
};

use super::AvxVnni;
use super::avx2::{COLUMNS, LANES, ROW_GROUPS, TILE_BYTES, VECTOR};
use vestnik_x86::{BLOCK, PANEL_STEP, STEP_BYTES};

/// 32 rows of unsigned bytes, `stride` bytes apart, by a panel of signed ones → `out`, rows `out_stride` apart.
///
/// # Safety
/// There must be 32 rows as long as the panel is deep, and 32 rows of 32 numbers in `out`.
pub(super) unsafe fn bytes(
    _: AvxVnni,
    rows: *const u8,
    stride: usize,
    panel: &[i8],
    out: *mut i32,
    out_stride: usize,
) {
    let (steps, panel) = (panel.len() / PANEL_STEP, panel.as_ptr().cast::<u8>());
    // The tiles of one half of the panel stay in the first-level cache for all rows.
    for half in 0..BLOCK / COLUMNS {
        let mut first = 0;
        for size in ROW_GROUPS {
            // SAFETY: an `AvxVnni` says that the instructions are there; the rest is the caller's promise.
            unsafe {
                let (rows, tiles) = (rows.add(first * stride), panel.add(half * TILE_BYTES));
                let out = out.add(first * out_stride + half * COLUMNS);
                match size {
                    6 => bytes_of_rows::<6>(rows, stride, tiles, steps, out, out_stride),
                    _ => bytes_of_rows::<4>(rows, stride, tiles, steps, out, out_stride),
                }
            }
            first += size;
        }
    }
}

/// # Safety
/// The rows and the tiles, which lie a step apart, must have `steps` steps, and `out` N rows of 16 numbers.
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn bytes_of_rows<const N: usize>(
    rows: *const u8,
    stride: usize,
    tiles: *const u8,
    steps: usize,
    out: *mut i32,
    out_stride: usize,
) {
    let mut sums = [[_mm256_setzero_si256(); 2]; N];
    for step in 0..steps {
        // SAFETY: the caller's promise.
        let (rows, tile) = unsafe { (rows.add(step * STEP_BYTES), tiles.add(step * PANEL_STEP)) };
        for depth in 0..STEP_BYTES / 4 {
            // SAFETY: as above.
            let columns = [0, 1].map(|half| unsafe {
                _mm256_loadu_si256(tile.add((2 * depth + half) * VECTOR).cast())
            });
            for (row, sums) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                let four = unsafe { rows.add(row * stride + 4 * depth).cast::<i32>() };
                // SAFETY: as above.
                let four = _mm256_set1_epi32(unsafe { four.read_unaligned() });
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = _mm256_dpbusd_avx_epi32(*sum, four, column);
                }
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (half, sum) in sums.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(out.add(row * out_stride + half * LANES).cast(), sum) };
        }
    }
}
