//! Products of blocks by vectors: 8 rows by 32 columns at a time, whose sums take half of the registers.

use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_storeu_ps, _mm512_storeu_si512,
};
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
pub(super) fn bytes(
    _: Avx512,
    rows: &[u8],
    stride: usize,
    panel: &[i8],
    out: &mut [i32],
    out_stride: usize,
) {
    let steps = panel.len() / PANEL_STEP;
    check(
        rows.len(),
        stride,
        steps * STEP_BYTES,
        out.len(),
        out_stride,
    );
    for first in (0..BLOCK).step_by(ROWS) {
        let (rows, out) = (&rows[first * stride..], &mut out[first * out_stride..]);
        // SAFETY: an `Avx512` says that AVX-512 with VNNI is there; `check` holds that the block lies inside of its slices.
        unsafe {
            bytes_of_rows(
                rows.as_ptr(),
                stride,
                panel.as_ptr().cast(),
                steps,
                out.as_mut_ptr(),
                out_stride,
            );
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
        // SAFETY: a `Bf16` says that AVX-512 with bf16 is there; the rest as above.
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

/// The first 32 rows of numbers, `stride` apart, or as many as there are, by a panel of them, which has 32 columns for each
/// number of a row → `out`, rows of 32. What lies there behind the last row is of no use.
pub(super) fn floats(
    _: Avx512,
    rows: &[f32],
    stride: usize,
    panel: &[f32],
    out: &mut [f32; BLOCK * BLOCK],
) {
    let depth = panel.len() / BLOCK;
    let n_rows = rows.len().div_ceil(stride).min(BLOCK);
    assert!(
        n_rows > 0 && (n_rows - 1) * stride + depth <= rows.len(),
        "a block reaches beyond its slice"
    );
    for first in (0..n_rows).step_by(ROWS) {
        // There may be fewer rows: then the last one is computed again.
        let row = |row: usize| rows[(first + row).min(n_rows - 1) * stride..].as_ptr();
        let rows: [*const f32; ROWS] = std::array::from_fn(row);
        let out = &mut out[first * BLOCK..][..ROWS * BLOCK];
        // SAFETY: an `Avx512` says that AVX-512 is there; all rows have `depth` numbers, and `out` has 8 rows of 32.
        unsafe { floats_of_rows(rows, panel.as_ptr(), depth, out.as_mut_ptr()) };
    }
}

/// # Safety
/// The rows must have `depth` numbers, the panel 32 times as many, and `out` 8 rows of 32.
#[target_feature(enable = "avx512f")]
unsafe fn floats_of_rows(rows: [*const f32; ROWS], panel: *const f32, depth: usize, out: *mut f32) {
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
            _mm512_storeu_ps(out.add(row * BLOCK), low);
            _mm512_storeu_ps(out.add(row * BLOCK + LANES), high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packing::{split_weights, weights_of_bytes, weights_of_floats};
    use super::super::{Blocks, PARTS};
    use super::*;

    const DEPTHS: [usize; 5] = [1, 31, 64, 100, 384];

    /// Numbers between -1 and 1.
    fn numbers(n: usize) -> Vec<f32> {
        let place = |i: usize| (i * 7919 % 2003) as f32;
        (0..n).map(|i| place(i) / 1001.0 - 1.0).collect()
    }

    /// `rows weightsᵀ`, 32 by 32.
    fn product(rows: &[f32], weights: &[f32], depth: usize) -> Vec<f32> {
        let sum = |x: &[f32], y: &[f32]| -> f64 {
            let products = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
            products.sum()
        };
        let each = rows.chunks_exact(depth).flat_map(|row| {
            let weights = weights.chunks_exact(depth);
            weights.map(move |weights| sum(row, weights) as f32)
        });
        each.collect()
    }

    /// Rows of `depth` numbers, filled up with zeros to `stride`.
    fn filled_up<T: Copy + Default>(rows: &[T], depth: usize, stride: usize) -> Vec<T> {
        let mut out = vec![T::default(); rows.len() / depth * stride];
        for (out, row) in out.chunks_exact_mut(stride).zip(rows.chunks_exact(depth)) {
            out[..depth].copy_from_slice(row);
        }
        out
    }

    #[test]
    fn products_of_bytes_are_exact() {
        let Some(processor) = Avx512::detect() else {
            return;
        };
        for depth in DEPTHS {
            let rows: Vec<u8> = (0..BLOCK * depth).map(|i| (i * 31 % 256) as u8).collect();
            let weights: Vec<i8> = (0..BLOCK * depth)
                .map(|i| (i * 57 % 255) as u8 as i8)
                .collect();
            let floats = [
                rows.iter().map(|x| f32::from(*x)).collect::<Vec<_>>(),
                weights.iter().map(|x| f32::from(*x)).collect(),
            ];
            let expected = product(&floats[0], &floats[1], depth);
            let stride = depth.next_multiple_of(STEP_BYTES);
            let rows = filled_up(&rows, depth, stride);
            let panel = weights_of_bytes(&weights, BLOCK, depth);
            for blocks in [
                Blocks::new(processor),
                Blocks::new(processor.without_tiles()),
            ] {
                let mut out = vec![0; BLOCK * BLOCK];
                blocks.bytes(&rows, stride, &panel, &mut out, BLOCK);
                let out: Vec<f32> = out.into_iter().map(|sum| sum as f32).collect();
                assert_eq!(out, expected, "{depth}, {blocks:?}");
            }
        }
    }

    #[test]
    fn products_of_rounded_numbers_are_near() {
        let Some((processor, proof)) = Avx512::detect().and_then(|p| Some((p, p.bf16()?))) else {
            return;
        };
        for depth in DEPTHS {
            let rows = numbers(BLOCK * depth);
            let expected = product(&rows, &rows, depth);
            // Of their three parts the first one.
            let largest = split_weights(&rows, BLOCK, depth);
            let panel: Vec<u16> = largest
                .chunks_exact(PANEL_STEP / 2)
                .step_by(PARTS)
                .flatten()
                .copied()
                .collect();
            let stride = depth.next_multiple_of(STEP_BYTES / 2);
            let halves: Vec<u16> = rows.iter().map(|x| (x.to_bits() >> 16) as u16).collect();
            let halves = filled_up(&halves, depth, stride);
            for blocks in [
                Blocks::new(processor),
                Blocks::new(processor.without_tiles()),
            ] {
                let mut out = vec![0.0; BLOCK * BLOCK];
                blocks.rounded(proof, &halves, stride, &panel, &mut out, BLOCK);
                for (x, y) in out.iter().zip(&expected) {
                    assert!(
                        (x - y).abs() < 0.004 * depth as f32 + 0.01,
                        "{depth}: {x} {y}"
                    );
                }
            }
        }
    }

    #[test]
    fn products_of_numbers_are_exact_for_any_number_of_rows() {
        let Some(processor) = Avx512::detect() else {
            return;
        };
        for depth in DEPTHS {
            let weights = numbers(BLOCK * depth);
            let panel = weights_of_floats(&weights, BLOCK, depth);
            for n_rows in [1, 7, 8, 9, 32] {
                let rows = numbers(n_rows * depth);
                let expected = product(&rows, &weights, depth);
                let mut out = [0.0; BLOCK * BLOCK];
                floats(processor, &rows, depth, &panel, &mut out);
                for (x, y) in out.iter().zip(&expected) {
                    assert!((x - y).abs() < 1e-4, "{depth}, {n_rows}: {x} {y}");
                }
            }
        }
    }
}
