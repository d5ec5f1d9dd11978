//! Products of many rows by prepacked weights, block by block, each block handed on while it is in the first-level cache.

use super::packing::{PARTS, STEP};
use super::tiles::{BLOCK, PANEL_STEP, Tiles};

/// Numbers of a block.
pub(crate) const BLOCK_NUMBERS: usize = BLOCK * BLOCK;

/// Rows of unsigned bytes by panels of signed ones; `take(block, row, column)` is called for every block of 32 x 32 sums.
///
/// `rows` is filled up to a multiple of 32 rows. Panels are walked slowly, rows quickly: a panel stays in the cache.
pub(crate) fn multiply_bytes(
    tiles: &Tiles,
    rows: &[u8],
    stride: usize,
    panels: &[i8],
    mut take: impl FnMut(&[i32; BLOCK_NUMBERS], usize, usize),
) {
    let panel_len = stride / 64 * PANEL_STEP;
    let mut blocks = Pair::new([0i32; BLOCK_NUMBERS]);
    let mut last = None;
    for (panel_index, panel) in panels.chunks_exact(panel_len).enumerate() {
        for (block_index, rows) in rows.chunks_exact(BLOCK * stride).enumerate() {
            tiles.bytes(rows, stride, panel, &mut blocks.next().0, BLOCK);
            // The block before this one is treated while the tiles compute.
            if let Some((row, column)) = last {
                take(&blocks.previous().0, row, column);
            }
            last = Some((block_index * BLOCK, panel_index * BLOCK));
            blocks.turn();
        }
    }
    if let Some((row, column)) = last {
        take(&blocks.previous().0, row, column);
    }
}

/// Products of parts that together are the product of the numbers up to one part in 2^24, the smallest first.
pub(super) fn terms<'a>(
    rows: [&'a [u16]; PARTS],
    panels: [&'a [u16]; PARTS],
) -> [(&'a [u16], &'a [u16]); 6] {
    [(1, 1), (0, 2), (2, 0), (0, 1), (1, 0), (0, 0)].map(|(row, panel)| (rows[row], panels[panel]))
}

/// Rows of numbers by panels of them, both as their parts. Otherwise as [`multiply_bytes`].
pub(crate) fn multiply_split(
    tiles: &Tiles,
    rows: [&[u16]; PARTS],
    stride: usize,
    panels: [&[u16]; PARTS],
    mut take: impl FnMut(&[f32; BLOCK_NUMBERS], usize, usize),
) {
    let panel_len = stride / STEP * PANEL_STEP / 2;
    let block_len = BLOCK * stride;
    let mut blocks = Pair::new([0f32; BLOCK_NUMBERS]);
    let mut last = None;
    for panel in 0..panels[0].len() / panel_len {
        let panels = panels.map(|parts| &parts[panel * panel_len..][..panel_len]);
        for block in 0..rows[0].len() / block_len {
            let rows = rows.map(|parts| &parts[block * block_len..][..block_len]);
            tiles.bf16(terms(rows, panels), stride, &mut blocks.next().0, BLOCK);
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
