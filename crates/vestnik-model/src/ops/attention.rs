//! Scaled dot-product attention (Vaswani et al. 2017) over sequences that are packed end to end.

use std::borrow::Cow;
use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use crate::Mode;
use crate::ops::attention_blocks::Block;
use crate::ops::cpu::{self, Matrix};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::packed_heads::{Head, PackedHeads};
use crate::ops::padding::Padding;
use crate::ops::random::DropoutMask;
use crate::ops::softmax;
use crate::tape;

/// What attention needs to know beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct AttentionOptions<'a> {
    /// Where sequences begin and end: `n + 1` token counts from 0.
    pub cumulative_lengths: &'a [usize],
    /// Number of heads; divides the width.
    pub n_heads: usize,
    /// Dropout probability of the attention weights.
    pub dropout: f64,
    /// The largest distance, in tokens, at which a token still sees another on either side; `None`: it sees all.
    pub window: Option<usize>,
}

/// Every token attends to the tokens of its own sequence, per head: `softmax(q kᵀ / sqrt(width / heads)) v`; to all of
/// them, or to those within a window (Beltagy, Peters & Cohan 2020).
///
/// **Shapes** `q`, `k`, `v` `[tokens, width]` → `[tokens, width]`; head `h` owns the columns `h * width / heads..`.
///
/// On the CPU in `f32` one fused operation that keeps no score matrix for the backward pass, and whose time under a
/// window is linear in the length; elsewhere composed over padded sequences.
///
/// # Errors
/// When the shapes do not fit together.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: AttentionOptions<'_>,
    mode: Mode<'_>,
) -> Result<Tensor> {
    let is_fused = cpu::is_cpu_f32(q);
    #[cfg(feature = "cuda")]
    let is_fused = is_fused || cuda::applies_to(q);
    if !is_fused {
        return attention_composed(q, k, v, options, mode);
    }
    let dropout = match mode {
        Mode::Training(state) if options.dropout > 0.0 => {
            Some(DropoutMask::new(state.next_key(), options.dropout))
        }
        _ => None,
    };
    #[cfg(feature = "cuda")]
    if cuda::applies_to(q) {
        return cuda::attention([q, k, v], options, dropout, mode.precision());
    }
    let operation = Attention {
        heads: PackedHeads::new(options.cumulative_lengths, options.n_heads),
        dropout,
        window: options.window,
    };
    tape::apply3(
        [&q.contiguous()?, &k.contiguous()?, &v.contiguous()?],
        operation,
    )
}

/// [`attention`] composed of candle's own differentiable operations on padded sequences: the reference, and the path
/// of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn attention_composed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    options: AttentionOptions<'_>,
    mode: Mode<'_>,
) -> Result<Tensor> {
    let (_, width) = q.dims2()?;
    let padding = Padding::new(options.cumulative_lengths);
    let head_width = width / options.n_heads;
    let heads = |x: &Tensor| -> Result<Tensor> {
        padding
            .pad(x)?
            .reshape((
                padding.n_sequences,
                padding.length,
                options.n_heads,
                head_width,
            ))?
            .transpose(1, 2)?
            .contiguous() // [sequences, heads, length, head_width]
    };
    let (q, k, v) = (heads(q)?, heads(k)?, heads(v)?);
    let scores = (q.matmul(&k.t()?)? / (head_width as f64).sqrt())?;
    let scores = scores.broadcast_add(&padding.bias(&scores)?)?; // [sequences, heads, length, length]
    let scores = match options.window.filter(|window| *window < padding.length) {
        Some(window) => scores.broadcast_add(&window_bias(padding.length, window, &scores)?)?,
        None => scores,
    };
    let weights = softmax::softmax_composed(&scores, D::Minus1)?;
    let weights = crate::ops::dropout(&weights, options.dropout, mode)?;
    let context = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?;
    padding.unpad(&context.reshape((padding.n_sequences * padding.length, width))?)
}

/// `[length, length]`: 0 up to the distance `window`, beyond it a large negative number; made on the scores' device.
fn window_bias(length: usize, window: usize, scores: &Tensor) -> Result<Tensor> {
    let places = Tensor::arange(0, length as i64, scores.device())?;
    let distances = places.unsqueeze(1)?.broadcast_sub(&places.unsqueeze(0)?)?;
    let before = distances.lt(-(window as i64))?;
    let after = distances.gt(window as i64)?;
    ((before + after)?.to_dtype(scores.dtype())? * -1e4)?
        .detach()
        .contiguous()
}

struct Attention {
    heads: PackedHeads,
    dropout: Option<DropoutMask>,
    window: Option<usize>,
}

/// One block of one head: its queries, and the keys and values that they see.
struct Part<'a> {
    head: &'a Head,
    block: Block,
    q: Matrix<'a>,
    k: Matrix<'a>,
    v: Matrix<'a>,
}

/// What the backward pass is given.
struct Backward<'a> {
    /// q, k and v.
    inputs: [&'a [f32]; 3],
    /// The gradient of the result.
    grad: &'a [f32],
    /// Whether the gradients of q, k and v are asked for.
    needs: [bool; 3],
}

impl Attention {
    /// The parts of one head, from the first queries to the last.
    fn parts<'a>(
        &self,
        head: &'a Head,
        inputs: [&'a [f32]; 3],
    ) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let [q, k, v] = inputs.map(|input| head.of(input));
        Block::all(head.len(), self.window).map(move |block| Part {
            head,
            q: q.rows(&block.rows),
            k: k.rows(&block.keys),
            v: v.rows(&block.keys),
            block,
        })
    }

    /// Applies the dropout mask to the `[rows, keys]` matrix of one block.
    ///
    /// Blocks with all keys have the elements that the `[length, length]` mask has in their rows.
    fn drop(&self, Part { head, block, .. }: &Part<'_>, matrix: &mut [f32]) {
        if let Some(mask) = self.dropout {
            let before = (block.rows.start * head.len() / 4) as u64;
            mask.apply(matrix, head.mask_group().wrapping_add(before));
        }
    }

    /// The weights with the dropout mask applied; without dropout the same weights.
    fn dropped<'a>(&self, part: &Part<'_>, weights: &'a [f32]) -> Cow<'a, [f32]> {
        let mut dropped = Cow::Borrowed(weights);
        if self.dropout.is_some() {
            self.drop(part, dropped.to_mut());
        }
        dropped
    }

    fn forward_head(&self, head: &Head, inputs: [&[f32]; 3], out: &mut [f32]) -> Result<()> {
        let mut rest = out;
        for part in self.parts(head, inputs) {
            let (out, others) = rest.split_at_mut(part.block.rows.len() * head.width());
            let mut weights = part.weights()?;
            self.drop(&part, &mut weights);
            cpu::matmul_into(out, part.matrix(&weights), part.v, 1.0, None)?;
            rest = others;
        }
        Ok(())
    }

    /// Gradients of q, k and v of one head, each `[length, head_width]`, one after the other in `out`, which is zero.
    ///
    /// Those of keys and values are added up over the blocks from the first to the last. What is not needed stays
    /// zero.
    fn backward_head(&self, head: &Head, given: &Backward<'_>, out: &mut [f32]) -> Result<()> {
        let grad = head.of(given.grad);
        let (grad_q, rest) = out.split_at_mut(head.len() * head.width());
        let (grad_k, grad_v) = rest.split_at_mut(head.len() * head.width());
        for part in self.parts(head, given.inputs) {
            let of = |rows: &Range<usize>| rows.start * head.width()..rows.end * head.width();
            let grads = [
                &mut grad_q[of(&part.block.rows)],
                &mut grad_k[of(&part.block.keys)],
                &mut grad_v[of(&part.block.keys)],
            ];
            self.backward_part(&part, grad.rows(&part.block.rows), given.needs, grads)?;
        }
        Ok(())
    }

    /// Adds the gradients that one block gives to its queries, keys and values.
    fn backward_part(
        &self,
        part: &Part<'_>,
        grad: Matrix<'_>,
        [needs_q, needs_k, needs_v]: [bool; 3],
        [grad_q, grad_k, grad_v]: [&mut [f32]; 3],
    ) -> Result<()> {
        let weights = part.weights()?;
        if needs_v {
            let dropped = self.dropped(part, &weights);
            cpu::matmul_add(grad_v, part.matrix(&dropped).transposed(), grad, 1.0)?;
        }
        if !needs_q && !needs_k {
            return Ok(());
        }
        let mut grad_scores = cpu::matmul(grad, part.v.transposed())?;
        self.drop(part, &mut grad_scores);
        softmax::backward_rows(&mut grad_scores, &weights, part.block.keys.len());
        let grad_scores = part.matrix(&grad_scores);
        if needs_q {
            cpu::matmul_add(grad_q, grad_scores, part.k, scale(part.head))?;
        }
        if needs_k {
            cpu::matmul_add(grad_k, grad_scores.transposed(), part.q, scale(part.head))?;
        }
        Ok(())
    }
}

impl Part<'_> {
    /// Softmax of the scaled scores, `[rows, keys]`, zero beyond the window.
    fn weights(&self) -> Result<Vec<f32>> {
        let mut weights = vec![0.0; self.block.size()];
        cpu::matmul_into(
            &mut weights,
            self.q,
            self.k.transposed(),
            scale(self.head),
            None,
        )?;
        let rows = weights.chunks_exact_mut(self.block.keys.len());
        for (row, weights) in rows.enumerate() {
            let visible = self.block.visible(row);
            weights[..visible.start].fill(0.0);
            weights[visible.end..].fill(0.0);
            Softmax::new_mut(&mut weights[visible]).dispatch();
        }
        Ok(weights)
    }

    /// A view of `[rows, keys]` data.
    fn matrix<'a>(&self, data: &'a [f32]) -> Matrix<'a> {
        Matrix::new(data, self.block.rows.len(), self.block.keys.len())
    }
}

/// What scores are multiplied by, so that their variance does not grow with the width of a head.
fn scale(head: &Head) -> f32 {
    1.0 / (head.width() as f32).sqrt()
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = q_layout.shape().dims2()?;
        if k_layout.shape() != q_layout.shape() || v_layout.shape() != q_layout.shape() {
            candle_core::bail!("attention: q, k and v of different shapes");
        }
        self.heads.check(self.name(), shape)?;
        let (q, k, v) = (
            cpu::slice_of(q, q_layout)?,
            cpu::slice_of(k, k_layout)?,
            cpu::slice_of(v, v_layout)?,
        );
        let mut parts = self.heads.per_head(shape, 1, |head, out| {
            self.forward_head(head, [q, k, v], out)
        })?;
        Ok(cpu::output(parts.remove(0), shape))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let shape = q.dims2()?;
        // Below the lowest tensor that learns nothing is tracked: those gradients would be thrown away.
        let needs = [q, k, v].map(Tensor::track_op);
        let grad = grad.contiguous()?;
        let data = [
            cpu::data_of(q),
            cpu::data_of(k),
            cpu::data_of(v),
            cpu::data_of(&grad),
        ];
        let given = Backward {
            inputs: [
                data[0].as_slice()?,
                data[1].as_slice()?,
                data[2].as_slice()?,
            ],
            grad: data[3].as_slice()?,
            needs,
        };
        let parts = self
            .heads
            .per_head(shape, 3, |head, out| self.backward_head(head, &given, out))?;
        let mut grads = parts.into_iter().zip(needs).map(|(part, needed)| {
            needed
                .then(|| Tensor::from_vec(part, shape, q.device()))
                .transpose()
        });
        let mut next = || grads.next().unwrap_or(Ok(None));
        Ok((next()?, next()?, next()?))
    }
}
