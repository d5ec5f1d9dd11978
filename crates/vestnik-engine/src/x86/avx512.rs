//! Products of blocks by vectors: 8 rows by 32 columns at a time, whose sums take half of the registers.

use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_storeu_ps, _mm512_storeu_si512,
};
use std::array;
use std::mem::transmute;

use super::{Avx512, Bf16};
use vestnik_x86::{BLOCK, PANEL_STEP, STEP_BYTES, check};

/// Rows that are multiplied at once.
const ROWS: usize = 8;
/// Numbers of a vector.
const LANES: usize = 16;
/// Bytes of a vector.
const VECTOR: usize = 64;

/// Makes a function that multiplies 8 rows of bytes by the two tiles of every step of a panel. `$dot` adds, to the sums of
/// 16 columns, 4 bytes of a row by 4 bytes of each column.
macro_rules! by_vectors {
    ($name:ident, $features:tt, $zero:ident, $dot:expr, $store:ident, $number:ty) => {
        /// # Safety
        /// The rows and the panel must have `steps` steps, and `out` 8 rows of 32 numbers.
        #[target_feature(enable = $features)]
        unsafe fn $name(
            rows: *const u8,
            stride: usize,
            panel: *const u8,
            steps: usize,
            out: *mut $number,
            out_stride: usize,
        ) {
            let mut sums = [[$zero(); 2]; ROWS];
            for step in 0..steps {
                // SAFETY: the caller's promise.
                let (rows, panel) =
                    unsafe { (rows.add(step * STEP_BYTES), panel.add(step * PANEL_STEP)) };
                for depth in 0..LANES {
                    // SAFETY: as above.
                    let columns = [0, PANEL_STEP / 2].map(|half| unsafe {
                        _mm512_loadu_si512(panel.add(half + depth * VECTOR).cast())
                    });
                    for (row, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: as above.
                        let bytes = unsafe {
                            rows.add(row * stride + 4 * depth)
                                .cast::<i32>()
                                .read_unaligned()
                        };
                        let bytes = _mm512_set1_epi32(bytes);
                        for (sums, column) in sums.iter_mut().zip(columns) {
                            *sums = $dot(*sums, bytes, column);
                        }
                    }
                }
            }
            for (row, [low, high]) in sums.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe {
                    let out = out.add(row * out_stride);
                    $store(out.cast(), low);
                    $store(out.add(LANES).cast(), high);
                }
            }
        }
    };
}

by_vectors!(
    bytes_of_rows,
    "avx512f,avx512vnni",
    _mm512_setzero_si512,
    _mm512_dpbusd_epi32,
    _mm512_storeu_si512,
    i32
);

by_vectors!(
    rounded_of_rows,
    "avx512f,avx512bf16",
    _mm512_setzero_ps,
    |sums, row, columns| _mm512_dpbf16_ps(sums, halves(row), halves(columns)),
    _mm512_storeu_ps,
    f32
);

#[inline]
#[target_feature(enable = "avx512f")]
fn halves(vector: __m512i) -> __m512bh {
    // SAFETY: both are 64 bytes that may hold anything.
    unsafe { transmute::<__m512i, __m512bh>(vector) }
}

/// 32 rows of unsigned bytes, `stride` bytes apart, by a panel of signed ones → `out`, rows `out_stride` apart.
///
/// # Safety
/// There must be 32 rows as long as the panel is deep, and 32 rows of 32 numbers in `out`.
pub(super) unsafe fn bytes(
    _: Avx512,
    rows: *const u8,
    stride: usize,
    panel: &[i8],
    out: *mut i32,
    out_stride: usize,
) {
    let (steps, panel) = (panel.len() / PANEL_STEP, panel.as_ptr().cast());
    for first in (0..BLOCK).step_by(ROWS) {
        // SAFETY: an `Avx512` says that AVX-512 with VNNI is there; the rest is the caller's promise.
        unsafe {
            let (rows, out) = (rows.add(first * stride), out.add(first * out_stride));
            bytes_of_rows(rows, stride, panel, steps, out, out_stride);
        }
    }
}

/// 32 rows of bf16 numbers, `stride` numbers apart, by a panel of them → `out`.
pub(super) fn rounded(
    _: Bf16,
    rows: &[u16],
    stride: usize,
    panel: &[u16],
    out: &mut [f32],
    out_stride: usize,
) {
    let steps = 2 * panel.len() / PANEL_STEP;
    check(
        2 * rows.len(),
        2 * stride,
        steps * STEP_BYTES,
        out.len(),
        out_stride,
    );
    for first in (0..BLOCK).step_by(ROWS) {
        let (rows, out) = (&rows[first * stride..], &mut out[first * out_stride..]);
        // SAFETY: a `Bf16` says that AVX-512 with bf16 is there; `check` holds that the block lies inside of its slices.
        unsafe {
            rounded_of_rows(
                rows.as_ptr().cast(),
                2 * stride,
                panel.as_ptr().cast(),
                steps,
                out.as_mut_ptr(),
                out_stride,
            );
        }
    }
}

/// The first `n_rows` of at most 32 rows of numbers, `stride` apart, by a panel of them, which has 32 columns for each number
/// of a row → `out`, 32 rows `out_stride` apart. What lies there behind the last row is of no use.
///
/// # Safety
/// There must be so many rows, and one at least, and 32 rows of 32 numbers in `out`.
pub(super) unsafe fn floats(
    _: Avx512,
    rows: *const f32,
    [n_rows, stride]: [usize; 2],
    panel: &[f32],
    out: *mut f32,
    out_stride: usize,
) {
    let depth = panel.len() / BLOCK;
    for first in (0..n_rows).step_by(ROWS) {
        // There may be fewer rows: then the last one is computed again.
        // SAFETY: the caller's promise.
        let row = |row: usize| unsafe { rows.add((first + row).min(n_rows - 1) * stride) };
        // SAFETY: an `Avx512` says that AVX-512 is there; the rest is the caller's promise.
        unsafe {
            let out = out.add(first * out_stride);
            floats_of_rows(array::from_fn(row), panel.as_ptr(), depth, out, out_stride);
        }
    }
}

/// # Safety
/// The rows must have `depth` numbers, the panel 32 times as many, and `out` 8 rows of 32.
#[target_feature(enable = "avx512f")]
unsafe fn floats_of_rows(
    rows: [*const f32; ROWS],
    panel: *const f32,
    depth: usize,
    out: *mut f32,
    out_stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for place in 0..depth {
        // SAFETY: the caller's promise.
        let columns =
            [0, LANES].map(|half| unsafe { _mm512_loadu_ps(panel.add(place * BLOCK + half)) });
        for (row, sums) in rows.into_iter().zip(&mut sums) {
            // SAFETY: as above.
            let number = _mm512_set1_ps(unsafe { *row.add(place) });
            for (sums, column) in sums.iter_mut().zip(columns) {
                *sums = _mm512_fmadd_ps(number, column, *sums);
            }
        }
    }
    for (row, [low, high]) in sums.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe {
            let out = out.add(row * out_stride);
            _mm512_storeu_ps(out, low);
            _mm512_storeu_ps(out.add(LANES), high);
        }
    }
}
