//! Scaled dot-product attention (Vaswani et al. 2017) of one head over one sequence.

use std::ops::Range;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use rten_vecmath::Softmax;

use crate::relative::RelativeHead;
use crate::workspace::HeadScratch;

/// Queries that the portable kernel treats at once.
const QUERIES: usize = 64;

/// The queries, keys and values of one head in one sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// Rows of the sequence: queries, keys and values of all heads.
    pub(crate) rows: &'a [f32],
    /// Numbers between rows.
    pub(crate) stride: usize,
    /// Where in a row this head's queries, keys and values begin.
    pub(crate) columns: [usize; 3],
    /// Width of the head.
    pub(crate) width: usize,
    /// Tokens of the sequence.
    pub(crate) length: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
    /// The largest distance at which a token sees another; without one it sees all.
    pub(crate) window: Option<usize>,
    /// Scores by distance; there are none beside a window.
    pub(crate) relative: Option<RelativeHead<'a>>,
}

/// Where the context of a head goes: rows of tokens, `stride` numbers apart.
#[derive(Debug)]
pub(crate) struct HeadOutput<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
}

impl<'a> Head<'a> {
    pub(crate) fn query(&self, token: usize) -> &'a [f32] {
        self.part(0, token)
    }

    pub(crate) fn key(&self, token: usize) -> &'a [f32] {
        self.part(1, token)
    }

    /// Nothing beyond the sequence.
    pub(crate) fn value(&self, token: usize) -> &'a [f32] {
        if token < self.length {
            self.part(2, token)
        } else {
            &[]
        }
    }

    fn part(&self, part: usize, token: usize) -> &'a [f32] {
        &self.rows[token * self.stride + self.columns[part]..][..self.width]
    }

    /// One part of some tokens as a matrix, `[tokens, width]` or the other way round.
    pub(crate) fn matrix(
        &self,
        part: usize,
        tokens: &Range<usize>,
        transposed: bool,
    ) -> NdTensorView<'a, f32, 2> {
        let data = &self.rows[tokens.start * self.stride + self.columns[part]..];
        let (mut shape, mut strides) = ([tokens.len(), self.width], [self.stride, 1]);
        if transposed {
            shape.reverse();
            strides.reverse();
        }
        NdTensorView::from_data_with_strides(shape, data, strides)
            .expect("a head lies inside of its rows")
    }
}

/// The keys that a query sees.
pub(crate) fn visible_keys(query: usize, length: usize, window: Option<usize>) -> Range<usize> {
    match window {
        None => 0..length,
        Some(window) => query.saturating_sub(window)..length.min(query.saturating_add(window) + 1),
    }
}

/// One head's attention by portable kernels, in `f32`.
pub(crate) fn attend(head: &Head<'_>, scratch: &mut HeadScratch, out: &mut HeadOutput<'_>) {
    let HeadScratch {
        scores, relative, ..
    } = scratch;
    if let Some(positions) = &head.relative {
        positions.ask_keys(head, relative);
    }
    for start in (0..head.length).step_by(QUERIES) {
        let queries = start..head.length.min(start + QUERIES);
        let first = visible_keys(queries.start, head.length, head.window).start;
        let end = visible_keys(queries.end - 1, head.length, head.window).end;
        let keys = first..end;
        let n_scores = queries.len() * keys.len();
        scores.resize(n_scores + queries.len() * head.width);
        let (scores, context) = scores.split_at_mut(n_scores);
        multiply(
            head.matrix(0, &queries, false),
            head.matrix(1, &keys, true),
            head.scale,
            scores,
        );
        if let Some(positions) = &head.relative {
            positions.add(head, &queries, scores, relative);
        }
        for (row, scores) in scores.chunks_exact_mut(keys.len()).enumerate() {
            let visible = visible_keys(queries.start + row, head.length, head.window);
            softmax(scores, visible.start - first..visible.end - first);
        }
        let weights = NdTensorView::from_data([queries.len(), keys.len()], &*scores);
        multiply(weights, head.matrix(2, &keys, false), 1.0, context);
        for (query, context) in queries.zip(context.chunks_exact(head.width)) {
            out.data[query * out.stride..][..head.width].copy_from_slice(context);
        }
    }
}

/// `out = alpha a b`.
pub(crate) fn multiply(
    a: NdTensorView<'_, f32, 2>,
    b: NdTensorView<'_, f32, 2>,
    alpha: f32,
    out: &mut [f32],
) {
    let options = GemmOptions {
        alpha,
        ..GemmOptions::default()
    };
    GemmExecutor::<f32>::new()
        .gemm(
            out,
            GemmInputA::Unpacked(a),
            GemmInputB::Unpacked(b),
            options,
        )
        .expect("the shapes fit together");
}

/// Softmax over the visible scores; the others become zero.
pub(crate) fn softmax(scores: &mut [f32], visible: Range<usize>) {
    scores[..visible.start].fill(0.0);
    scores[visible.end..].fill(0.0);
    Softmax::new_mut(&mut scores[visible]).dispatch();
}
