//! Attention of one head over one sequence in `f32`, 32 queries at a time.

use std::ops::Range;

use vestnik_x86::BLOCK;

use super::Processor;
use crate::attention::{Head, HeadOutput, softmax, visible_keys};
use crate::buffer::Buffer;

/// What attention needs beside its inputs, used again by the next head.
#[derive(Debug, Default)]
pub(crate) struct FloatAttentionScratch {
    keys: Buffer<f32>,
    values: Buffer<f32>,
    scores: Buffer<f32>,
    context: Buffer<f32>,
}

/// One head's attention into `out`; there are no scores by distance.
pub(crate) fn attend_in_floats(
    processor: Processor,
    head: &Head<'_>,
    scratch: &mut FloatAttentionScratch,
    out: &mut HeadOutput<'_>,
) {
    if head.length == 0 {
        return;
    }
    let columns = processor.columns();
    pack_keys(head, columns, &mut scratch.keys);
    pack_values(head, columns, &mut scratch.values);
    for start in (0..head.length).step_by(BLOCK) {
        let queries = start..head.length.min(start + BLOCK);
        let keys = keys_of(head, &queries);
        score(processor, head, &queries, &keys, scratch);
        weigh(head, &queries, &keys, &mut scratch.scores);
        sum(processor, head, &queries, &keys, scratch, out);
    }
}

/// Keys, scaled, as a right factor whose columns they are: `[panel][width][columns]`, zeros behind the last.
fn pack_keys(head: &Head<'_>, columns: usize, packed: &mut Buffer<f32>) {
    packed.resize(head.length.next_multiple_of(BLOCK) * head.width);
    for (index, panel) in packed.chunks_exact_mut(head.width * columns).enumerate() {
        let keys = index * columns..head.length.min((index + 1) * columns);
        if keys.len() < columns {
            panel.fill(0.0);
        }
        for (column, key) in keys.enumerate() {
            for (row, x) in panel.chunks_exact_mut(columns).zip(head.key(key)) {
                row[column] = x * head.scale;
            }
        }
    }
}

/// Values as a right factor whose depth is keys: `[panel][length][columns]`, zeros behind the last.
fn pack_values(head: &Head<'_>, columns: usize, packed: &mut Buffer<f32>) {
    packed.resize(head.width.next_multiple_of(columns) * head.length);
    for (index, panel) in packed.chunks_exact_mut(head.length * columns).enumerate() {
        let places = index * columns..head.width.min((index + 1) * columns);
        for (key, row) in panel.chunks_exact_mut(columns).enumerate() {
            row[..places.len()].copy_from_slice(&head.value(key)[places.clone()]);
            row[places.len()..].fill(0.0);
        }
    }
}

/// The keys that one of these queries sees, from the first of a panel on.
fn keys_of(head: &Head<'_>, queries: &Range<usize>) -> Range<usize> {
    let first = visible_keys(queries.start, head.length, head.window).start;
    let end = visible_keys(queries.end - 1, head.length, head.window).end;
    first / BLOCK * BLOCK..end
}

/// Numbers between rows of scores.
fn stride(keys: &Range<usize>) -> usize {
    keys.len().next_multiple_of(BLOCK)
}

/// Products of queries and keys into the scratch's scores.
fn score(
    processor: Processor,
    head: &Head<'_>,
    queries: &Range<usize>,
    keys: &Range<usize>,
    scratch: &mut FloatAttentionScratch,
) {
    let (stride, columns) = (stride(keys), processor.columns());
    scratch.scores.resize(BLOCK * stride);
    let first = queries.start * head.stride + head.columns[0];
    let rows = &head.rows[first..][..(queries.len() - 1) * head.stride + head.width];
    let panels = &scratch.keys[keys.start * head.width..][..stride * head.width];
    for (index, panel) in panels.chunks_exact(head.width * columns).enumerate() {
        let scores = &mut scratch.scores[index * columns..];
        processor.floats(rows, head.stride, panel, scores, stride);
    }
}

/// Scores become weights.
fn weigh(head: &Head<'_>, queries: &Range<usize>, keys: &Range<usize>, scores: &mut [f32]) {
    for (query, scores) in queries.clone().zip(scores.chunks_exact_mut(stride(keys))) {
        let visible = visible_keys(query, head.length, head.window);
        let visible = visible.start - keys.start..visible.end - keys.start;
        softmax(&mut scores[..keys.len()], visible);
    }
}

/// The values' weighted means into `out`.
fn sum(
    processor: Processor,
    head: &Head<'_>,
    queries: &Range<usize>,
    keys: &Range<usize>,
    scratch: &mut FloatAttentionScratch,
    out: &mut HeadOutput<'_>,
) {
    let (stride, columns) = (stride(keys), processor.columns());
    let weights = &scratch.scores[..(queries.len() - 1) * stride + keys.len()];
    scratch.context.resize(BLOCK * columns);
    let panels = scratch.values.chunks_exact(head.length * columns);
    for (index, panel) in panels.enumerate() {
        let values = &panel[keys.start * columns..keys.end * columns];
        processor.floats(weights, stride, values, &mut scratch.context, columns);
        let places = index * columns..head.width.min((index + 1) * columns);
        let contexts = scratch.context.chunks_exact(columns);
        for (query, context) in queries.clone().zip(contexts) {
            let out = &mut out.data[query * out.stride..][places.clone()];
            out.copy_from_slice(&context[..places.len()]);
        }
    }
}
