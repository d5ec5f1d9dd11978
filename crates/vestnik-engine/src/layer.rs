//! Transformer layers: what happens to each row by itself.

use std::ops::Range;

use vestnik_model::Activation;

use crate::arithmetic::Arithmetic;
use crate::finish::Then;
use crate::linear::{Linear, Output};
use crate::operand::BLOCK;
use crate::relative::{Distances, RelativePositions};
use crate::rotary::Rotary;
use crate::rows::Norm;
use crate::workspace::RowScratch;

/// Whether a layer normalizes what a sub-layer reads, or the sum of what it gives and its residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormPlace {
    Before,
    After,
}

/// The weights of a layer.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) arithmetic: Arithmetic,
    /// Queries, keys and values, one after the other.
    pub(crate) qkv: Linear,
    pub(crate) attention_output: Linear,
    /// None before the first layer of ModernBERT, whose embeddings are normalized already.
    pub(crate) attention_norm: Option<Norm>,
    pub(crate) inner: Linear,
    pub(crate) activation: Activation,
    pub(crate) is_gated: bool,
    /// Outputs of the inner part after the activation.
    pub(crate) inner_width: usize,
    pub(crate) outer: Linear,
    pub(crate) feed_forward_norm: Norm,
    /// The largest distance at which a token sees another.
    pub(crate) window: Option<usize>,
    /// Scores by distance.
    pub(crate) relative: Option<RelativePositions>,
    /// Which of the rotary tables turns queries and keys.
    pub(crate) rotary: Option<usize>,
}

/// What all layers share.
#[derive(Debug)]
pub(crate) struct LayerShape {
    pub(crate) arithmetic: Arithmetic,
    pub(crate) norm_place: NormPlace,
    pub(crate) hidden: usize,
    pub(crate) n_heads: usize,
    pub(crate) rotary: Vec<Rotary>,
    /// Of layers with scores by distance.
    pub(crate) distances: Distances,
    /// Kinds of attention scores that are added up; products are divided by the root of their number, too.
    pub(crate) n_score_kinds: usize,
}

impl LayerShape {
    /// Numbers between rows of states.
    pub(crate) fn stride(&self) -> usize {
        self.hidden.next_multiple_of(BLOCK)
    }

    pub(crate) fn qkv_stride(&self) -> usize {
        (3 * self.hidden).next_multiple_of(BLOCK)
    }

    pub(crate) fn head_width(&self) -> usize {
        self.hidden / self.n_heads
    }
}

impl Layer {
    /// Queries, keys and values of rows of states; `positions` of their tokens.
    pub(crate) fn read(
        &self,
        shape: &LayerShape,
        states: &[f32],
        positions: &[u32],
        scratch: &mut RowScratch,
        qkv: &mut [f32],
    ) {
        let norm = self
            .attention_norm
            .as_ref()
            .filter(|_| shape.norm_place == NormPlace::Before);
        let mut qkv = Output {
            data: qkv,
            stride: shape.qkv_stride(),
        };
        self.map(
            shape,
            states,
            norm,
            &self.qkv,
            Then::Store,
            scratch,
            &mut qkv,
        );
        let Some(rotary) = self.rotary.map(|index| &shape.rotary[index]) else {
            return;
        };
        for (row, position) in qkv.data.chunks_mut(qkv.stride).zip(positions) {
            rotary.apply(&mut row[..2 * shape.hidden], *position as usize);
        }
    }

    /// Everything after attention: the context that the scratch holds is added to `states`, then the feed-forward part.
    pub(crate) fn write(&self, shape: &LayerShape, states: &mut [f32], scratch: &mut RowScratch) {
        let stride = shape.stride();
        let context = &scratch.context[..states.len()];
        let context = scratch
            .operands
            .prepare(self.arithmetic, context, stride, shape.hidden);
        let mut out = Output {
            data: states,
            stride,
        };
        self.attention_output
            .apply(context, Then::Add, &mut out, &mut scratch.sums);
        if let (NormPlace::After, Some(norm)) = (shape.norm_place, &self.attention_norm) {
            norm.apply(states, stride);
        }
        self.feed_forward(shape, states, scratch);
        if shape.norm_place == NormPlace::After {
            self.feed_forward_norm.apply(states, stride);
        }
    }

    /// Adds the feed-forward part to `states`.
    fn feed_forward(&self, shape: &LayerShape, states: &mut [f32], scratch: &mut RowScratch) {
        let stride = shape.stride();
        let inner_stride = self.inner_width.next_multiple_of(BLOCK);
        let mut inner = std::mem::take(&mut scratch.inner);
        inner.resize(states.len() / stride * inner_stride);
        let norm = (shape.norm_place == NormPlace::Before).then_some(&self.feed_forward_norm);
        let then = if self.is_gated {
            Then::Gate(self.activation)
        } else {
            Then::Activate(self.activation)
        };
        let mut out = Output {
            data: &mut inner,
            stride: inner_stride,
        };
        self.map(shape, states, norm, &self.inner, then, scratch, &mut out);
        let operand =
            scratch
                .operands
                .prepare(self.arithmetic, &inner, inner_stride, self.inner_width);
        let mut out = Output {
            data: states,
            stride,
        };
        self.outer
            .apply(operand, Then::Add, &mut out, &mut scratch.sums);
        scratch.inner = inner;
    }

    /// An affine map of rows of states, which are normalized first if there is a norm.
    #[expect(clippy::too_many_arguments, reason = "the parts of one step")]
    fn map(
        &self,
        shape: &LayerShape,
        states: &[f32],
        norm: Option<&Norm>,
        linear: &Linear,
        then: Then,
        scratch: &mut RowScratch,
        out: &mut Output<'_>,
    ) {
        let stride = shape.stride();
        let rows = match norm {
            Some(norm) => {
                scratch.rows.resize(states.len());
                scratch.rows.copy_from_slice(states);
                norm.apply(&mut scratch.rows, stride);
                &scratch.rows[..]
            }
            None => states,
        };
        let operand = scratch
            .operands
            .prepare(self.arithmetic, rows, stride, shape.hidden);
        linear.apply(operand, then, out, &mut scratch.sums);
    }
}

/// Collects the context of some tokens, which lies head by head, as rows `stride` apart.
pub(crate) fn gather(
    context: &[f32],
    sequences: &[Range<usize>],
    tokens: &Range<usize>,
    shape: &LayerShape,
    rows: &mut [f32],
) {
    let (width, stride) = (shape.head_width(), shape.stride());
    for sequence in sequences {
        let part = sequence.start.max(tokens.start)..sequence.end.min(tokens.end);
        let heads = &context[sequence.start * shape.hidden..][..sequence.len() * shape.hidden];
        for (index, head) in heads.chunks_exact(sequence.len() * width).enumerate() {
            for token in part.clone() {
                let row = &mut rows[(token - tokens.start) * stride + index * width..][..width];
                copy(&head[(token - sequence.start) * width..][..width], row);
            }
        }
    }
}

/// Copies the numbers of a head, which are few: sixteen at a time, without a call.
fn copy(from: &[f32], to: &mut [f32]) {
    let (pieces, rest) = from.as_chunks::<16>();
    let (to_pieces, to_rest) = to.as_chunks_mut::<16>();
    for (from, to) in pieces.iter().zip(to_pieces) {
        *to = *from;
    }
    to_rest.copy_from_slice(rest);
}
