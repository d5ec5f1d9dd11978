//! Factors in the order in which tiles read them.
//!
//! Left factors are row-major, their rows filled up with zeros to whole steps of 64 bytes. A right factor is a list of
//! panels of 32 columns; a panel is a list of steps, a step two tiles of 16 columns, a tile 16 rows along the depth of 4
//! bytes for each column: `[panel][step][tile][row][column][4 bytes]`.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _mm256_storeu_si256, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_cvtneps_pbh, _mm512_loadu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_permutexvar_epi16, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_si512, _mm512_sub_ps,
};
use std::mem::transmute;

use super::Processor;
use crate::buffer::Buffer;
pub(super) use vestnik_x86::TILE;
use vestnik_x86::{Amx, BLOCK, PANEL_STEP, by_turns, transposed};

/// bf16 numbers of a step.
pub(crate) const STEP: usize = 32;
/// bf16 numbers of a tile.
pub(super) const TILE_NUMBERS: usize = 512;

/// Right factor of bytes from `weights [outputs, inputs]`, and zeros where there are none.
pub(crate) fn weights_of_bytes(weights: &[i8], outputs: usize, inputs: usize) -> Buffer<i8> {
    let place = |output: usize, input: usize, steps: usize| {
        let (panel, column) = (output / BLOCK, output % BLOCK);
        let (step, depth) = (input / 64, input % 64);
        (panel * steps + step) * PANEL_STEP
            + column / TILE * 1024
            + depth / 4 * 64
            + column % TILE * 4
            + depth % 4
    };
    let steps = inputs.div_ceil(64);
    let mut packed = Buffer::zeros(outputs.div_ceil(BLOCK) * steps * PANEL_STEP);
    for (output, row) in weights.chunks_exact(inputs.max(1)).enumerate() {
        for (input, weight) in row.iter().enumerate() {
            packed[place(output, input, steps)] = *weight;
        }
    }
    packed
}

/// Right factor of numbers from `weights [outputs, inputs]`: `[panel][input][columns of the processor]`, zeros where there are
/// none.
pub(crate) fn weights_of_floats(
    processor: Processor,
    weights: &[f32],
    outputs: usize,
    inputs: usize,
) -> Buffer<f32> {
    let columns = processor.columns();
    let mut packed = Buffer::zeros(outputs.next_multiple_of(BLOCK) * inputs);
    for (output, row) in weights.chunks_exact(inputs.max(1)).enumerate() {
        let (panel, column) = (output / columns, output % columns);
        let panel = &mut packed[panel * inputs * columns..];
        for (out, weight) in panel.chunks_exact_mut(columns).zip(row) {
            out[column] = *weight;
        }
    }
    packed
}

/// bf16 numbers whose sum an `f32` number is, the largest first: 8 digits each. Parts lie step by step: 32 numbers of the
/// first, of the second, of the third, then the next 32.
pub(crate) const PARTS: usize = 3;

/// A right factor of the parts of `weights [outputs, inputs]`.
pub(crate) fn split_weights(weights: &[f32], outputs: usize, inputs: usize) -> Buffer<u16> {
    let steps = inputs.div_ceil(STEP);
    let mut packed = Buffer::zeros(outputs.div_ceil(BLOCK) * steps * PARTS * PANEL_STEP / 2);
    for (output, row) in weights.chunks_exact(inputs.max(1)).enumerate() {
        let (panel, column) = (output / BLOCK, output % BLOCK);
        for (input, weight) in row.iter().enumerate() {
            let (step, depth) = (input / STEP, input % STEP);
            let in_tiles =
                column / TILE * TILE_NUMBERS + depth / 2 * STEP + column % TILE * 2 + depth % 2;
            for (part, number) in split(*weight).into_iter().enumerate() {
                packed[((panel * steps + step) * PARTS + part) * PANEL_STEP / 2 + in_tiles] =
                    number;
            }
        }
    }
    packed
}

fn split(x: f32) -> [u16; PARTS] {
    let mut rest = x.clamp(-LARGEST, LARGEST);
    [(); PARTS].map(|()| {
        let part = round(rest);
        rest -= f32::from_bits(u32::from(part) << 16);
        part
    })
}

/// The largest number that does not become infinite as bf16.
const LARGEST: f32 = 3.38e38;

/// The nearest bf16 number, the even one of two.
fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// Rows of `width` numbers, `stride` apart, as their parts, rows `out_stride` apart.
pub(crate) fn split_rows(
    _: Amx,
    rows: &[f32],
    stride: usize,
    width: usize,
    out: &mut [u16],
    out_stride: usize,
) {
    for (row, out) in rows.chunks(stride).zip(out.chunks_exact_mut(out_stride)) {
        // SAFETY: an `Amx` says that AVX-512 with bf16 is there.
        unsafe { split_row(&row[..width], out) };
    }
}

#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn split_row(row: &[f32], out: &mut [u16]) {
    for (step, out) in out.chunks_exact_mut(PARTS * STEP).enumerate() {
        for half in [0, TILE] {
            store_parts(&mut out[half..], load(row, step * STEP + half));
        }
    }
}

/// Stores the parts of 16 numbers, [`STEP`] numbers apart.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn store_parts(out: &mut [u16], numbers: __m512) {
    for (part, numbers) in split_vector(numbers).into_iter().enumerate() {
        store_half(&mut out[part * STEP..], numbers);
    }
}

/// The parts of 16 numbers.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn split_vector(x: __m512) -> [__m256i; PARTS] {
    let mut rest = _mm512_max_ps(
        _mm512_min_ps(x, _mm512_set1_ps(LARGEST)),
        _mm512_set1_ps(-LARGEST),
    );
    [(); PARTS].map(|()| {
        let part = bits(_mm512_cvtneps_pbh(rest));
        rest = _mm512_sub_ps(rest, widened(part));
        part
    })
}

/// 16 numbers rounded to bf16.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn rounded(x: __m512) -> __m256i {
    bits(_mm512_cvtneps_pbh(x))
}

#[target_feature(enable = "avx512f")]
fn bits(x: __m256bh) -> __m256i {
    // SAFETY: both are 32 bytes that may hold anything.
    unsafe { transmute::<__m256bh, __m256i>(x) }
}

#[target_feature(enable = "avx512f")]
fn widened(x: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(x)))
}

/// 16 numbers from `start` on, zeros where there are none.
#[target_feature(enable = "avx512f")]
pub(super) fn load(row: &[f32], start: usize) -> __m512 {
    let Some(numbers) = row.get(start..) else {
        return _mm512_setzero_ps();
    };
    if numbers.len() >= TILE {
        // SAFETY: 16 numbers are there.
        unsafe { _mm512_loadu_ps(numbers.as_ptr()) }
    } else {
        // SAFETY: the mask admits only the numbers that are there.
        unsafe { _mm512_maskz_loadu_ps((1u16 << numbers.len()) - 1, numbers.as_ptr()) }
    }
}

#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn store_half(out: &mut [u16], vector: __m256i) {
    let out: &mut [u16; TILE] = (&mut out[..TILE]).try_into().expect("16 numbers");
    // SAFETY: 32 bytes are written to 32 bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), vector) };
}

#[target_feature(enable = "avx512f")]
pub(super) fn store(out: &mut [u16], vector: __m512i) {
    let out: &mut [u16; STEP] = (&mut out[..STEP]).try_into().expect("32 numbers");
    // SAFETY: 64 bytes are written to 64 bytes.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), vector) };
}

/// One part of 32 numbers of a row from `start` on.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn row_step(row: &[f32], start: usize, part: usize) -> __m512i {
    let (low, high) = (load(row, start), load(row, start + TILE));
    joined(rest(low, part), rest(high, part))
}

/// 32 numbers rounded to bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
fn joined(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are 64 bytes that may hold anything.
    unsafe { transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)) }
}

/// What is left of a number without its parts before this one.
#[target_feature(enable = "avx512f,avx512bf16")]
fn rest(mut x: __m512, part: usize) -> __m512 {
    for _ in 0..part {
        x = _mm512_sub_ps(x, widened(bits(_mm512_cvtneps_pbh(x))));
    }
    x
}

/// A tile whose columns are the rows of a matrix: `row(i)` is the `i`th of 16 rows, its 32 numbers of this step.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn store_transposed(tile: &mut [u16], rows: [__m512i; TILE]) {
    for (line, vector) in tile.chunks_exact_mut(STEP).zip(transposed(rows)) {
        store(line, vector);
    }
}

/// One row of a tile: a part of the numbers of two rows of a matrix, 16 columns, by turns.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
pub(super) fn pair(first: __m512, second: __m512, part: usize) -> __m512i {
    _mm512_permutexvar_epi16(by_turns(), joined(rest(first, part), rest(second, part)))
}
