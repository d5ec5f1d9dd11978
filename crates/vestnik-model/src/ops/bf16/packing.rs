//! Factors of a product as pairs of bf16 numbers, in the order in which the kernel reads them.
//!
//! A factor is a matrix `[lines, depth]`: the rows of the left one, the columns of the right one. The products are
//! summed along the depth, which is cut into blocks of [`DEPTH`]. Two numbers that follow each other along the depth
//! are a pair, one `u32`; what is missing at the edges is zero.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_si512, _mm512_maskz_loadu_ps,
    _mm512_permutexvar_epi16, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};
use std::mem::transmute;
use std::ops::Range;

use rayon::prelude::*;

use crate::ops::cpu::Matrix;

/// Numbers of a line in a block.
pub(super) const DEPTH: usize = 384;
/// Pairs of a line in a block.
pub(super) const PAIRS: usize = DEPTH / 2;
/// Lines and pairs of a tile.
const TILE: usize = 16;

/// A factor `[lines, depth]` one of whose strides is 1.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    data: &'a [f32],
    lines: usize,
    depth: usize,
    /// Elements between neighbours along lines and along the depth.
    strides: [usize; 2],
}

/// What the 16 vectors of a tile are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// A line each, its elements the pairs.
    Lines,
    /// A pair each, its elements the lines.
    Pairs,
}

impl<'a> Factor<'a> {
    /// The rows of a matrix as lines.
    pub(super) fn rows_of(matrix: Matrix<'a>) -> Self {
        Self {
            data: matrix.data(),
            lines: matrix.n_rows(),
            depth: matrix.n_cols(),
            strides: matrix.strides(),
        }
    }

    /// Blocks along the depth.
    pub(super) fn blocks(&self) -> usize {
        self.depth.div_ceil(DEPTH)
    }

    /// Pairs of a line in a block.
    pub(super) fn pairs(&self, block: usize) -> usize {
        (self.depth - block * DEPTH).min(DEPTH).div_ceil(2)
    }

    /// `[block][line, a multiple of 16][PAIRS]` into `packed`.
    pub(super) fn pack_by_line(self, packed: &mut Vec<u32>) {
        self.pack(TILE, Order::Lines, packed);
    }

    /// `[block][line / panel][PAIRS][line % panel]` into `packed`; `panel` is a multiple of 16.
    pub(super) fn pack_by_pair(self, panel: usize, packed: &mut Vec<u32>) {
        self.pack(panel, Order::Pairs, packed);
    }

    /// Chunks of `lines` lines of a block, in parallel. What `packed` held before stays where the kernel does not look.
    fn pack(self, lines: usize, order: Order, packed: &mut Vec<u32>) {
        let chunks = self.lines.div_ceil(lines);
        let length = self.blocks() * chunks * lines * PAIRS;
        if packed.len() < length {
            packed.resize(length, 0);
        }
        packed[..length]
            .par_chunks_mut(lines * PAIRS)
            .enumerate()
            .for_each(|(index, chunk)| {
                let (block, first) = (index / chunks, index % chunks * lines);
                let there = first..self.lines.min(first + lines);
                // SAFETY: a `Factor` is packed by `Avx512` alone, which exists only where the instructions do.
                unsafe { self.pack_chunk(block, there, order, chunk) };
            });
    }

    /// The lines of one chunk, which has room for more.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn pack_chunk(&self, block: usize, there: Range<usize>, order: Order, chunk: &mut [u32]) {
        let lines = chunk.len() / PAIRS;
        let [line_stride, pair_stride] = match order {
            Order::Lines => [PAIRS, 1],
            Order::Pairs => [1, lines],
        };
        let vector_stride = line_stride.max(pair_stride);
        for line in (0..there.len()).step_by(TILE) {
            for pair in (0..self.pairs(block)).step_by(TILE) {
                let tile = self.tile(there.start + line, block * DEPTH + 2 * pair, order);
                let start = line * line_stride + pair * pair_stride;
                for (index, vector) in tile.into_iter().enumerate() {
                    store(&mut chunk[start + index * vector_stride..], vector);
                }
            }
        }
    }

    /// 16 lines and 32 numbers of each, from the line and depth given.
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    fn tile(&self, line: usize, depth: usize, order: Order) -> [__m512i; TILE] {
        let mut vectors = [_mm512_setzero_si512(); TILE];
        let found = if self.strides[1] == 1 {
            Order::Lines
        } else {
            Order::Pairs
        };
        for (index, vector) in vectors.iter_mut().enumerate() {
            let [low, high] = match found {
                Order::Lines => {
                    [depth, depth + TILE].map(|depth| self.along_depth(line + index, depth))
                }
                Order::Pairs => [0, 1].map(|next| self.along_lines(line, depth + 2 * index + next)),
            };
            let rounded = _mm512_cvtne2ps_pbh(high, low);
            // SAFETY: both are 64 bytes that may hold anything.
            let rounded = unsafe { transmute::<__m512bh, __m512i>(rounded) };
            *vector = match found {
                Order::Lines => rounded,
                Order::Pairs => _mm512_permutexvar_epi16(interleaving(), rounded),
            };
        }
        if found == order {
            vectors
        } else {
            transposed(vectors)
        }
    }

    /// 16 numbers of one line; zeros where there are none.
    #[target_feature(enable = "avx512f")]
    fn along_depth(&self, line: usize, depth: usize) -> __m512 {
        let there = if line < self.lines {
            self.depth.saturating_sub(depth)
        } else {
            0
        };
        self.load(line * self.strides[0] + depth, there)
    }

    /// The numbers of 16 lines at one depth; zeros where there are none.
    #[target_feature(enable = "avx512f")]
    fn along_lines(&self, line: usize, depth: usize) -> __m512 {
        let there = if depth < self.depth {
            self.lines.saturating_sub(line)
        } else {
            0
        };
        self.load(depth * self.strides[1] + line, there)
    }

    /// The first `there` of 16 numbers from `start`.
    #[target_feature(enable = "avx512f")]
    fn load(&self, start: usize, there: usize) -> __m512 {
        let there = there.min(TILE);
        if there == 0 {
            return _mm512_setzero_ps();
        }
        let numbers = &self.data[start..start + there];
        // SAFETY: the mask admits only the elements of `numbers`.
        unsafe { _mm512_maskz_loadu_ps(((1u32 << there) - 1) as u16, numbers.as_ptr()) }
    }
}

/// Puts the first and second 16 of 32 16-bit numbers by turns.
#[target_feature(enable = "avx512f")]
fn interleaving() -> __m512i {
    const INDICES: [u16; 32] = {
        let mut indices = [0; 32];
        let mut place = 0;
        while place < 32 {
            indices[place] = (place / 2 + place % 2 * 16) as u16;
            place += 1;
        }
        indices
    };
    // SAFETY: 64 bytes are read from 64 bytes.
    unsafe { _mm512_loadu_si512(INDICES.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn store(out: &mut [u32], vector: __m512i) {
    let out: &mut [u32; TILE] = (&mut out[..TILE]).try_into().expect("16 elements");
    // SAFETY: 64 bytes are written to 64 bytes.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), vector) }
}

/// Exchanges vectors and elements of a 16 x 16 matrix: pairs of vectors are interleaved by elements of 4, 8, 16 and 32 bytes.
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512i; TILE]) -> [__m512i; TILE] {
    let mut by_4 = rows;
    for i in (0..TILE).step_by(2) {
        by_4[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        by_4[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    let mut by_8 = by_4;
    for i in (0..TILE).step_by(4) {
        for half in 0..2 {
            by_8[i + 2 * half] = _mm512_unpacklo_epi64(by_4[i + half], by_4[i + half + 2]);
            by_8[i + 2 * half + 1] = _mm512_unpackhi_epi64(by_4[i + half], by_4[i + half + 2]);
        }
    }
    // by_8[4 g + c] holds, in its lane l, the elements of rows 4 g.. in column 4 l + c.
    let mut columns = rows;
    for c in 0..4 {
        let [a, b, d, e] = [by_8[c], by_8[4 + c], by_8[8 + c], by_8[12 + c]];
        let (low_ab, high_ab) = (
            _mm512_shuffle_i32x4::<0x88>(a, b),
            _mm512_shuffle_i32x4::<0xdd>(a, b),
        );
        let (low_de, high_de) = (
            _mm512_shuffle_i32x4::<0x88>(d, e),
            _mm512_shuffle_i32x4::<0xdd>(d, e),
        );
        columns[c] = _mm512_shuffle_i32x4::<0x88>(low_ab, low_de);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(low_ab, low_de);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(high_ab, high_de);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(high_ab, high_de);
    }
    columns
}
