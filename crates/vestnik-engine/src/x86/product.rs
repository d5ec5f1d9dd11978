//! Products of many rows by prepacked weights, block by block, each block handed on while it is in the first-level cache.

use super::tiles::{BLOCK, Tiles};
use super::{Avx512, Blocks, vectors};

/// Numbers of a block.
pub(crate) const BLOCK_NUMBERS: usize = BLOCK * BLOCK;

/// Rows of unsigned bytes by panels of signed ones; `take(block, row, column)` is called for every block of 32 x 32 sums.
///
/// `rows` is filled up to a multiple of 32 rows, `stride` numbers each.
pub(crate) fn multiply_bytes(
    blocks: &Blocks,
    rows: &[u8],
    stride: usize,
    panels: &[i8],
    take: impl FnMut(&[i32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * stride;
    let compute = |block: usize, panel: usize, out: &mut [i32; BLOCK_NUMBERS]| {
        let (rows, panel) = (&rows[block * len..][..len], &panels[panel * len..][..len]);
        blocks.bytes(rows, stride, panel, out, BLOCK);
    };
    multiply(
        [0; BLOCK_NUMBERS],
        [rows.len() / len, panels.len() / len],
        compute,
        take,
    );
}

/// Rows of numbers by panels of them, both as their parts. Otherwise as [`multiply_bytes`].
pub(crate) fn multiply_split(
    tiles: &Tiles,
    rows: &[u16],
    stride: usize,
    panels: &[u16],
    take: impl FnMut(&[f32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * stride;
    let compute = |block: usize, panel: usize, out: &mut [f32; BLOCK_NUMBERS]| {
        let (rows, panel) = (&rows[block * len..][..len], &panels[panel * len..][..len]);
        tiles.exact(rows, stride, panel, out, BLOCK);
    };
    multiply(
        [0.0; BLOCK_NUMBERS],
        [rows.len() / len, panels.len() / len],
        compute,
        take,
    );
}

/// Rows of numbers, `stride` apart, by panels of them for `depth` numbers each. Otherwise as [`multiply_bytes`], but the last
/// rows need not be filled up.
pub(crate) fn multiply_floats(
    processor: Avx512,
    rows: &[f32],
    stride: usize,
    panels: &[f32],
    depth: usize,
    take: impl FnMut(&[f32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * depth;
    let compute = |block: usize, panel: usize, out: &mut [f32; BLOCK_NUMBERS]| {
        let (rows, panel) = (
            &rows[block * BLOCK * stride..],
            &panels[panel * len..][..len],
        );
        vectors::floats(processor, rows, stride, panel, out);
    };
    multiply(
        [0.0; BLOCK_NUMBERS],
        [rows.len().div_ceil(BLOCK * stride), panels.len() / len],
        compute,
        take,
    );
}

/// Panels are walked slowly, rows quickly: a panel stays in the cache. A block is taken while the tiles compute the next.
fn multiply<T: Copy>(
    zeros: [T; BLOCK_NUMBERS],
    [n_blocks, n_panels]: [usize; 2],
    compute: impl Fn(usize, usize, &mut [T; BLOCK_NUMBERS]),
    mut take: impl FnMut(&[T; BLOCK_NUMBERS], usize, usize),
) {
    let mut blocks = Pair::new(zeros);
    let mut last = None;
    for panel in 0..n_panels {
        for block in 0..n_blocks {
            compute(block, panel, &mut blocks.next().0);
            if let Some((row, column)) = last {
                take(&blocks.previous().0, row, column);
            }
            last = Some((block * BLOCK, panel * BLOCK));
            blocks.turn();
        }
    }
    if let Some((row, column)) = last {
        take(&blocks.previous().0, row, column);
    }
}

/// A block that begins at a cache line.
#[repr(C, align(64))]
struct Aligned<T>(T);

/// Two blocks by turns: one is computed while the other is read.
struct Pair<T> {
    blocks: [Aligned<T>; 2],
    turn: usize,
}

impl<T: Copy> Pair<T> {
    fn new(block: T) -> Self {
        Self {
            blocks: [Aligned(block), Aligned(block)],
            turn: 0,
        }
    }

    fn next(&mut self) -> &mut Aligned<T> {
        &mut self.blocks[self.turn]
    }

    fn previous(&self) -> &Aligned<T> {
        &self.blocks[1 - self.turn]
    }

    fn turn(&mut self) {
        self.turn = 1 - self.turn;
    }
}
