//! Products of many rows by prepacked weights, block by block, each block handed on while it is in the first-level cache.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use vestnik_x86::BLOCK;

use super::{Blocks, Processor, Tiles};

/// Numbers of a block.
pub(crate) const BLOCK_NUMBERS: usize = BLOCK * BLOCK;

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;

/// Rows of unsigned bytes by panels of signed ones; `take(block, row, column)` is called for every block of 32 x 32 sums.
///
/// `rows` is filled up to a multiple of 32 rows, `stride` bytes each, in the layout of the processor.
pub(crate) fn multiply_bytes(
    blocks: &Blocks,
    rows: &[u8],
    stride: usize,
    panels: &[i8],
    take: impl FnMut(&[i32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * stride;
    let compute = |block: usize, panel: &[i8], out: &mut [i32; BLOCK_NUMBERS]| {
        blocks.bytes(&rows[block * len..][..len], stride, panel, out, BLOCK);
    };
    let n_blocks = rows.len() / len;
    multiply([0; BLOCK_NUMBERS], n_blocks, panels, len, compute, take);
}

/// Rows of numbers by panels of them, both as their parts. Otherwise as [`multiply_bytes`], but row by row.
pub(crate) fn multiply_split(
    tiles: &Tiles,
    rows: &[u16],
    stride: usize,
    panels: &[u16],
    take: impl FnMut(&[f32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * stride;
    let compute = |block: usize, panel: &[u16], out: &mut [f32; BLOCK_NUMBERS]| {
        tiles.exact(&rows[block * len..][..len], stride, panel, out, BLOCK);
    };
    let n_blocks = rows.len() / len;
    multiply([0.0; BLOCK_NUMBERS], n_blocks, panels, len, compute, take);
}

/// Rows of numbers, `stride` apart, by panels of them, which have `depth` numbers for each column. Otherwise as
/// [`multiply_bytes`], but the last rows need not be filled up.
pub(crate) fn multiply_floats(
    processor: Processor,
    rows: &[f32],
    stride: usize,
    panels: &[f32],
    depth: usize,
    take: impl FnMut(&[f32; BLOCK_NUMBERS], usize, usize),
) {
    let len = BLOCK * depth;
    let compute = |block: usize, panel: &[f32], out: &mut [f32; BLOCK_NUMBERS]| {
        let rows = &rows[block * BLOCK * stride..];
        let columns = processor.columns();
        for (index, panel) in panel.chunks_exact(columns * depth).enumerate() {
            processor.floats(rows, stride, panel, &mut out[index * columns..], BLOCK);
        }
    };
    let n_blocks = rows.len().div_ceil(BLOCK * stride);
    multiply([0.0; BLOCK_NUMBERS], n_blocks, panels, len, compute, take);
}

/// Panels are walked slowly, rows quickly: a panel stays in the cache, and the next one is fetched meanwhile. A block is taken
/// while the tiles compute the next.
fn multiply<T: Copy, P>(
    zeros: [T; BLOCK_NUMBERS],
    n_blocks: usize,
    panels: &[P],
    panel_len: usize,
    compute: impl Fn(usize, &[P], &mut [T; BLOCK_NUMBERS]),
    mut take: impl FnMut(&[T; BLOCK_NUMBERS], usize, usize),
) {
    let mut blocks = Pair::new(zeros);
    let mut last = None;
    for (panel, numbers) in panels.chunks_exact(panel_len).enumerate() {
        let behind = &panels[(panel + 1) * panel_len..];
        let share = panel_len.div_ceil(n_blocks.max(1));
        let mut shares = behind[..panel_len.min(behind.len())].chunks(share);
        for block in 0..n_blocks {
            fetch(shares.next().unwrap_or_default());
            compute(block, numbers, &mut blocks.next().0);
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

/// Asks for numbers that will be read soon: weights that do not fit into the second-level cache come from far away.
fn fetch<T>(numbers: &[T]) {
    let first = numbers.as_ptr().cast::<i8>();
    for offset in (0..size_of_val(numbers)).step_by(CACHE_LINE) {
        // SAFETY: a hint, which reads nothing; the address lies in the slice.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(first.add(offset)) };
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
