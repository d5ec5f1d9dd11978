//! Attention of one head over one sequence, 32 queries at a time.

use std::arch::x86_64::_mm512_setzero_si512;
use std::ops::Range;

use super::packing::{
    PARTS, STEP, TILE, TILE_NUMBERS, load, pair, row_step, store, store_transposed,
};
use super::softmax::exponentials;
use super::{Bf16, Blocks};
use crate::attention::{Head, HeadOutput, visible_keys};
use crate::buffer::Buffer;
use vestnik_x86::{BLOCK, PANEL_STEP};

/// bf16 numbers of one step of a panel.
const PANEL_NUMBERS: usize = PANEL_STEP / 2;
/// Numbers that keep rows of scores from falling into the same lines of the cache.
const GAP: usize = 16;

/// What attention needs beside its inputs, used again by the next head.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    queries: Buffer<u16>,
    keys: Buffer<u16>,
    values: Buffer<u16>,
    scores: Buffer<f32>,
    weights: Buffer<u16>,
    context: Buffer<f32>,
}

/// One head's attention into `out`. With `precise`, which needs tiles, the factors of products are the sums of their parts,
/// otherwise they are rounded to bf16.
pub(crate) fn attend(
    proof: Bf16,
    blocks: &Blocks,
    head: &Head<'_>,
    precise: bool,
    scratch: &mut AttentionScratch,
    mut out: HeadOutput<'_>,
) {
    let parts = if precise { PARTS } else { 1 };
    // SAFETY: a `Bf16` says that AVX-512 with bf16 is there.
    unsafe {
        pack_queries(head, parts, &mut scratch.queries);
        pack_keys(head, parts, &mut scratch.keys);
        pack_values(head, parts, &mut scratch.values);
    }
    for start in (0..head.length).step_by(BLOCK) {
        let rows = start..head.length.min(start + BLOCK);
        let block = Block::new(proof, head, rows, parts);
        block.score(blocks, head, scratch);
        let reciprocals = block.weigh(head, scratch);
        block.sum(blocks, head, scratch, &reciprocals, &mut out);
    }
}

/// Queries as a left factor: `[length, a multiple of 32][step][part][32]`.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn pack_queries(head: &Head<'_>, parts: usize, packed: &mut Buffer<u16>) {
    let stride = head.width.next_multiple_of(STEP) * parts;
    packed.resize(head.length.next_multiple_of(BLOCK) * stride);
    for (index, out) in packed
        .chunks_exact_mut(stride)
        .take(head.length)
        .enumerate()
    {
        let query = head.query(index);
        for (index, out) in out.chunks_exact_mut(STEP).enumerate() {
            store(out, row_step(query, index / parts * STEP, index % parts));
        }
    }
}

/// Where a tile of a right factor lies: its panel, step, part, and which of the two it is.
fn place(index: usize, steps: usize, parts: usize) -> [usize; 4] {
    let (step, part, half) = (index / 2 / parts, index / 2 % parts, index % 2);
    [step / steps, step % steps, part, half]
}

/// Keys as a right factor whose columns are keys.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn pack_keys(head: &Head<'_>, parts: usize, packed: &mut Buffer<u16>) {
    let steps = head.width.div_ceil(STEP);
    packed.resize(head.length.div_ceil(BLOCK) * steps * parts * PANEL_NUMBERS);
    for (index, tile) in packed.chunks_exact_mut(TILE_NUMBERS).enumerate() {
        let [panel, step, part, half] = place(index, steps, parts);
        let first = panel * BLOCK + half * TILE;
        let mut rows = [_mm512_setzero_si512(); TILE];
        for (row, key) in rows.iter_mut().zip(first..head.length) {
            *row = row_step(head.key(key), step * STEP, part);
        }
        store_transposed(tile, rows);
    }
}

/// Values as a right factor whose depth is keys.
#[target_feature(enable = "avx512f,avx512bf16,avx512bw,avx512vl")]
fn pack_values(head: &Head<'_>, parts: usize, packed: &mut Buffer<u16>) {
    let steps = head.length.div_ceil(STEP);
    packed.resize(head.width.div_ceil(BLOCK) * steps * parts * PANEL_NUMBERS);
    for (index, tile) in packed.chunks_exact_mut(TILE_NUMBERS).enumerate() {
        let [panel, step, part, half] = place(index, steps, parts);
        let column = panel * BLOCK + half * TILE;
        for (row, out) in tile.chunks_exact_mut(STEP).enumerate() {
            let key = step * STEP + 2 * row;
            let values = [key, key + 1].map(|key| load(head.value(key), column));
            store(out, pair(values[0], values[1], part));
        }
    }
}

/// 32 queries, or the rest of them, and the panels of keys that one of them sees.
struct Block {
    proof: Bf16,
    rows: Range<usize>,
    panels: Range<usize>,
    parts: usize,
}

impl Block {
    fn new(proof: Bf16, head: &Head<'_>, rows: Range<usize>, parts: usize) -> Self {
        let first = visible_keys(rows.start, head.length, head.window).start;
        let end = visible_keys(rows.end - 1, head.length, head.window).end;
        Self {
            proof,
            rows,
            panels: first / BLOCK..end.div_ceil(BLOCK),
            parts,
        }
    }

    /// Places of keys: those of the panels.
    fn keys(&self) -> usize {
        self.panels.len() * BLOCK
    }

    /// Numbers between rows of scores, and of weights.
    fn strides(&self) -> [usize; 2] {
        [self.keys() + GAP, self.keys() * self.parts + STEP]
    }

    /// Products of queries and keys into the scratch's scores.
    fn score(&self, blocks: &Blocks, head: &Head<'_>, scratch: &mut AttentionScratch) {
        let AttentionScratch {
            queries,
            keys,
            scores,
            ..
        } = scratch;
        let depth = head.width.next_multiple_of(STEP) * self.parts;
        let [stride, _] = self.strides();
        scores.resize(BLOCK * stride);
        let queries = &queries[self.rows.start * depth..];
        for (index, panel) in self.panels.clone().enumerate() {
            let keys = &keys[panel * depth * BLOCK..][..depth * BLOCK];
            self.product(
                blocks,
                queries,
                depth,
                keys,
                &mut scores[index * BLOCK..],
                stride,
            );
        }
    }

    /// Exponentials of the scores into the scratch's weights; the reciprocals of their sums.
    fn weigh(&self, head: &Head<'_>, scratch: &mut AttentionScratch) -> [f32; BLOCK] {
        let [score_stride, stride] = self.strides();
        let keys = self.keys();
        scratch.weights.resize(BLOCK * stride);
        let mut reciprocals = [0.0; BLOCK];
        for (row, query) in self.rows.clone().enumerate() {
            let scores = &scratch.scores[row * score_stride..][..keys];
            let visible = visible_keys(query, head.length, head.window);
            let first = self.panels.start * BLOCK;
            let visible = visible.start - first..visible.end - first;
            let out = &mut scratch.weights[row * stride..][..keys * self.parts];
            // SAFETY: a `Bf16` says that AVX-512 with bf16 is there.
            let sum = unsafe { exponentials(scores, &visible, head.scale, self.parts > 1, out) };
            reciprocals[row] = sum.recip();
        }
        reciprocals
    }

    /// The values' weighted means into `out`.
    fn sum(
        &self,
        blocks: &Blocks,
        head: &Head<'_>,
        scratch: &mut AttentionScratch,
        reciprocals: &[f32; BLOCK],
        out: &mut HeadOutput<'_>,
    ) {
        let AttentionScratch {
            weights,
            values,
            context,
            ..
        } = scratch;
        let step_len = self.parts * PANEL_NUMBERS;
        let panel_len = head.length.div_ceil(STEP) * step_len;
        let [_, stride] = self.strides();
        context.resize(BLOCK * BLOCK);
        for panel in 0..head.width.div_ceil(BLOCK) {
            let first = panel * panel_len + self.panels.start * step_len;
            let values = &values[first..][..self.panels.len() * step_len];
            self.product(blocks, weights, stride, values, context, BLOCK);
            let columns = panel * BLOCK..head.width.min((panel + 1) * BLOCK);
            for (row, query) in self.rows.clone().enumerate() {
                let context = &context[row * BLOCK..][..columns.len()];
                let out = &mut out.data[query * out.stride..][columns.clone()];
                for (out, x) in out.iter_mut().zip(context) {
                    *out = x * reciprocals[row];
                }
            }
        }
    }

    fn product(
        &self,
        blocks: &Blocks,
        rows: &[u16],
        stride: usize,
        panel: &[u16],
        out: &mut [f32],
        out_stride: usize,
    ) {
        match blocks {
            Blocks::Tiles(tiles) if self.parts > 1 => {
                tiles.exact(rows, stride, panel, out, out_stride);
            }
            _ => blocks.rounded(self.proof, rows, stride, panel, out, out_stride),
        }
    }
}
