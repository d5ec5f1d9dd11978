//! The product on machines with bf16 instructions.
//!
//! Both factors are packed once, then bands of rows are multiplied in parallel: within a band by blocks along the depth,
//! by panels of columns, and by blocks of rows, so that a panel stays in the nearest cache while the rows pass over it
//! (Goto & van de Geijn 2008).
#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;
use vestnik_x86::Bf16;

use super::kernel::{Block, Kernel};
use super::packing::{Factor, PAIRS};
use crate::ops::cpu::Matrix;

/// Fewest bands of rows for each thread: the last ones even out what the first ones took.
const BANDS_PER_THREAD: usize = 4;

/// See [`super::matmul`]; the factors have at least one column and one row.
pub(super) fn matmul<K: Kernel>(
    proof: Bf16,
    kernel: K,
    a: Matrix<'_>,
    b: Matrix<'_>,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let (left, right) = (Factor::rows_of(a), Factor::rows_of(b.transposed()));
    let [mut packed_left, mut packed_right] = PACKED.take();
    let lines = left.pack_by_line(proof, K::ROWS, &mut packed_left);
    right.pack_by_pair(proof, K::COLS, &mut packed_right);
    let product = Product {
        kernel,
        left,
        lines,
        packed_left: &packed_left,
        packed_right: &packed_right,
        cols: b.n_cols(),
        bias: bias.unwrap_or_default(),
    };
    let out = product.compute(a.n_rows());
    PACKED.set([packed_left, packed_right]);
    out
}

thread_local! {
    /// Room for the packed factors, kept from product to product: clearing it anew takes longer than packing.
    static PACKED: Cell<[Vec<u32>; 2]> = Cell::default();
}

struct Product<'a, K> {
    kernel: K,
    left: Factor<'a>,
    /// Lines of a block of the packed left factor.
    lines: usize,
    packed_left: &'a [u32],
    packed_right: &'a [u32],
    cols: usize,
    bias: &'a [f32],
}

impl<K: Kernel> Product<'_, K> {
    fn compute(&self, rows: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows * self.cols);
        let bands = BANDS_PER_THREAD * rayon::current_num_threads();
        let band = rows.div_ceil(bands).next_multiple_of(K::ROWS);
        out.spare_capacity_mut()[..rows * self.cols]
            .par_chunks_mut((band * self.cols).max(1))
            .enumerate()
            .for_each(|(index, out)| self.band(index * band, out));
        // SAFETY: the bands cover all elements, and each band wrote all of its elements in the first block.
        unsafe { out.set_len(rows * self.cols) };
        out
    }

    /// The rows from `first`, as many as `out` has.
    fn band(&self, first: usize, out: &mut [MaybeUninit<f32>]) {
        let rows = out.len() / self.cols;
        let panels = self.cols.div_ceil(K::COLS);
        let mut ready = self.kernel.ready();
        for block in 0..self.left.blocks() {
            for panel in 0..panels {
                let right = &self.packed_right[(block * panels + panel) * PAIRS * K::COLS..];
                let col = panel * K::COLS;
                let start = (block == 0).then(|| self.bias.get(col..).unwrap_or_default());
                for row in (0..rows).step_by(K::ROWS) {
                    let left = &self.packed_left[(block * self.lines + first + row) * PAIRS..];
                    let mut out = Block {
                        out: &mut out[row * self.cols + col..],
                        stride: self.cols,
                        rows: (rows - row).min(K::ROWS),
                        cols: (self.cols - col).min(K::COLS),
                    };
                    let pairs = self.left.pairs(block);
                    // SAFETY: the first block comes first.
                    unsafe { K::multiply(&mut ready, pairs, left, right, &mut out, start) };
                }
            }
        }
    }
}
