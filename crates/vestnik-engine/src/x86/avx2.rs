//! Products of blocks by vectors of 32 bytes, of which there are only 16: few rows at a time, so that sums, factors and what is
//! between them fit.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_broadcast_ss, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256,
    _mm256_storeu_ps, _mm256_storeu_si256,
};
use std::array;

use super::Avx2;
use vestnik_x86::{BLOCK, PANEL_STEP, STEP_BYTES};

/// The largest byte of a row, and of a panel: the sum of four products must fit into 16 bits, 4 x 127 x 64 = 32,512.
pub(super) const LARGEST_BYTES: (u8, i8) = (127, 64);

/// Columns of a panel of numbers.
pub(super) const COLUMNS: usize = 16;

/// Rows of bytes that are multiplied at once.
const BYTE_ROWS: usize = 2;
/// Rows that are multiplied at once where sums are all that has to fit: 32 rows are four times six and twice four.
pub(super) const ROW_GROUPS: [usize; 6] = [6, 6, 6, 6, 4, 4];
/// Numbers of a vector.
pub(super) const LANES: usize = 8;
/// Bytes of a vector.
pub(super) const VECTOR: usize = 32;
/// Bytes of a tile of a panel: 16 depths of 4 bytes for each of 16 columns.
pub(super) const TILE_BYTES: usize = PANEL_STEP / 2;

/// 32 rows of unsigned bytes, `stride` bytes apart, by a panel of signed ones, neither beyond [`LARGEST_BYTES`] → `out`, rows
/// `out_stride` apart.
///
/// # Safety
/// There must be 32 rows as long as the panel is deep, and 32 rows of 32 numbers in `out`.
pub(super) unsafe fn bytes(
    _: Avx2,
    rows: *const u8,
    stride: usize,
    panel: &[i8],
    out: *mut i32,
    out_stride: usize,
) {
    let (steps, panel) = (panel.len() / PANEL_STEP, panel.as_ptr().cast::<u8>());
    // The tiles of one half of the panel stay in the first-level cache for all rows.
    for half in 0..2 {
        for first in (0..BLOCK).step_by(BYTE_ROWS) {
            // SAFETY: an `Avx2` says that AVX2 is there; the rest is the caller's promise.
            unsafe {
                let (rows, tiles) = (rows.add(first * stride), panel.add(half * TILE_BYTES));
                let out = out.add(first * out_stride + half * COLUMNS);
                bytes_of_rows(rows, stride, tiles, steps, out, out_stride);
            }
        }
    }
}

/// # Safety
/// The rows and the tiles, which lie a step apart, must have `steps` steps, and `out` 2 rows of 16 numbers.
#[target_feature(enable = "avx2")]
unsafe fn bytes_of_rows(
    rows: *const u8,
    stride: usize,
    tiles: *const u8,
    steps: usize,
    out: *mut i32,
    out_stride: usize,
) {
    let mut sums = [[_mm256_setzero_si256(); 2]; BYTE_ROWS];
    let ones = _mm256_set1_epi16(1);
    for step in 0..steps {
        // SAFETY: the caller's promise.
        let (rows, tile) = unsafe { (rows.add(step * STEP_BYTES), tiles.add(step * PANEL_STEP)) };
        // Two depths of 4 bytes at once: what they give is added up in 16 bits before it is in 32.
        for depth in (0..STEP_BYTES / 4).step_by(2) {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (half, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let [first, second] = unsafe {
                        let row = rows.add(row * stride + 4 * depth);
                        let columns = tile.add((2 * depth + half) * VECTOR);
                        [
                            products(row, columns),
                            products(row.add(4), columns.add(2 * VECTOR)),
                        ]
                    };
                    let both = _mm256_madd_epi16(_mm256_add_epi16(first, second), ones);
                    *sum = _mm256_add_epi32(*sum, both);
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

/// 4 bytes of a row by 4 bytes of each of 8 columns, two products in a sum.
///
/// # Safety
/// There must be 4 and 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn products(row: *const u8, columns: *const u8) -> __m256i {
    // SAFETY: the caller's promise.
    let (row, columns) = unsafe {
        (
            row.cast::<i32>().read_unaligned(),
            _mm256_loadu_si256(columns.cast()),
        )
    };
    _mm256_maddubs_epi16(_mm256_set1_epi32(row), columns)
}

/// The first `n_rows` of at most 32 rows of numbers, `stride` apart, by a panel of them, which has 16 columns for each number
/// of a row → `out`, 32 rows `out_stride` apart. What lies there behind the last row is of no use.
///
/// # Safety
/// There must be so many rows, and one at least, and 32 rows of 16 numbers in `out`.
pub(super) unsafe fn floats(
    _: Avx2,
    rows: *const f32,
    [n_rows, stride]: [usize; 2],
    panel: &[f32],
    out: *mut f32,
    out_stride: usize,
) {
    let mut first = 0;
    for size in ROW_GROUPS {
        if first >= n_rows {
            break;
        }
        // There may be fewer rows: then the last one is computed again.
        let row = |row: usize| rows.wrapping_add((first + row).min(n_rows - 1) * stride);
        // SAFETY: an `Avx2` says that AVX2 and FMA are there; the rest is the caller's promise.
        unsafe {
            let out = out.add(first * out_stride);
            match size {
                6 => floats_of_rows::<6>(array::from_fn(row), panel, out, out_stride),
                _ => floats_of_rows::<4>(array::from_fn(row), panel, out, out_stride),
            }
        }
        first += size;
    }
}

/// # Safety
/// The panel must have 16 times as many numbers as each row, and `out` N rows of 16 numbers.
#[target_feature(enable = "avx2,fma")]
unsafe fn floats_of_rows<const N: usize>(
    rows: [*const f32; N],
    panel: &[f32],
    out: *mut f32,
    out_stride: usize,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; N];
    for (place, columns) in panel.chunks_exact(COLUMNS).enumerate() {
        // SAFETY: there are 16 columns.
        let columns = [0, LANES].map(|half| unsafe { _mm256_loadu_ps(columns.as_ptr().add(half)) });
        for (row, sums) in rows.into_iter().zip(&mut sums) {
            // SAFETY: as above.
            let number = _mm256_broadcast_ss(unsafe { &*row.add(place) });
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm256_fmadd_ps(number, column, *sum);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (half, sum) in sums.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm256_storeu_ps(out.add(row * out_stride + half * LANES), sum) };
        }
    }
}
