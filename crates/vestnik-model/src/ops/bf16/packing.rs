//! Factors of a product as pairs of bf16 numbers, in the order in which the kernel reads them.
//!
//! A factor is a matrix `[lines, depth]`: the rows of the left one, the columns of the right one. The products are
//! summed along the depth, which is cut into blocks of [`DEPTH`]. Two numbers that follow each other along the depth
//! are a pair, one `u32`; what is missing at the edges is zero.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_maskz_loadu_ps,
    _mm512_permutexvar_epi16, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_si512,
};
use std::mem::transmute;
use std::ops::Range;

use rayon::prelude::*;
use vestnik_x86::{Bf16, TILE, by_turns, transposed};

use crate::ops::cpu::Matrix;

/// Numbers of a line in a block.
pub(super) const DEPTH: usize = 384;
/// Pairs of a line in a block.
pub(super) const PAIRS: usize = DEPTH / 2;

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

    /// `[block][line][PAIRS]` into `packed`, lines filled up to a multiple of `rows` and of 16; how many lines a block got.
    pub(super) fn pack_by_line(self, proof: Bf16, rows: usize, packed: &mut Vec<u32>) -> usize {
        let lines = rows.next_multiple_of(TILE);
        self.pack(proof, lines, Order::Lines, packed);
        self.lines.next_multiple_of(lines)
    }

    /// `[block][line / panel][PAIRS][line % panel]` into `packed`; `panel` is a multiple of 16.
    pub(super) fn pack_by_pair(self, proof: Bf16, panel: usize, packed: &mut Vec<u32>) {
        self.pack(proof, panel, Order::Pairs, packed);
    }

    /// Chunks of `lines` lines of a block, in parallel. What `packed` held before stays where the kernel does not look.
    fn pack(self, _: Bf16, lines: usize, order: Order, packed: &mut Vec<u32>) {
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
                // SAFETY: a `Bf16` says that the instructions are there.
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
                Order::Pairs => _mm512_permutexvar_epi16(by_turns(), rounded),
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

#[target_feature(enable = "avx512f")]
fn store(out: &mut [u32], vector: __m512i) {
    let out: &mut [u32; TILE] = (&mut out[..TILE]).try_into().expect("16 elements");
    // SAFETY: 64 bytes are written to 64 bytes.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), vector) }
}
