//! Scaled dot-product attention (Vaswani et al. 2017) over sequences that are packed end to end.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use crate::Mode;
use crate::ops::cpu::{self, Matrix};
use crate::ops::packed_heads::{Head, PackedHeads};
use crate::ops::padding::Padding;
use crate::ops::random::{DropoutMask, mix};
use crate::ops::softmax;

/// What attention needs to know beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct AttentionOptions<'a> {
    /// Where sequences begin and end: `n + 1` token counts from 0.
    pub cumulative_lengths: &'a [usize],
    /// Number of heads; divides the width.
    pub n_heads: usize,
    /// Dropout probability of the attention weights.
    pub dropout: f64,
}

/// Every token attends to all tokens of its own sequence, per head: `softmax(q kᵀ / sqrt(width / heads)) v`.
///
/// **Shapes** `q`, `k`, `v` `[tokens, width]` → `[tokens, width]`; head `h` owns the columns `h * width / heads..`.
///
/// On the CPU in `f32` one fused operation that keeps no score matrix for the backward pass; elsewhere composed
/// over padded sequences.
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
    if !cpu::is_cpu_f32(q) {
        return attention_composed(q, k, v, options, mode);
    }
    let dropout = match mode {
        Mode::Training(state) if options.dropout > 0.0 => {
            Some(DropoutMask::new(state.next_key(), options.dropout))
        }
        _ => None,
    };
    let operation = Attention {
        heads: PackedHeads::new(options.cumulative_lengths, options.n_heads),
        dropout,
    };
    q.contiguous()?
        .apply_op3(&k.contiguous()?, &v.contiguous()?, operation)
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
    let weights = softmax::softmax_composed(&scores, D::Minus1)?;
    let weights = crate::ops::dropout(&weights, options.dropout, mode)?;
    let context = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?;
    padding.unpad(&context.reshape((padding.n_sequences * padding.length, width))?)
}

struct Attention {
    heads: PackedHeads,
    dropout: Option<DropoutMask>,
}

impl Attention {
    /// Softmax of the scaled scores of one head, `[length, length]`.
    fn weights(&self, head: &Head, q: &[f32], k: &[f32]) -> Result<Vec<f32>> {
        let length = head.len();
        let mut weights = vec![0.0; length * length];
        let scale = 1.0 / (head.width() as f32).sqrt();
        cpu::matmul_into(
            &mut weights,
            head.of(q),
            head.of(k).transposed(),
            scale,
            None,
        )?;
        for row in weights.chunks_exact_mut(length) {
            Softmax::new_mut(row).dispatch();
        }
        Ok(weights)
    }

    /// Applies the dropout mask of one head to its `[length, length]` matrix.
    fn drop(&self, head: &Head, matrix: &mut [f32]) {
        if let Some(mask) = self.dropout {
            let first_group = mix(((head.tokens.start as u64) << 16) | head.index as u64);
            mask.apply(matrix, first_group);
        }
    }

    fn forward_head(&self, head: &Head, [q, k, v]: [&[f32]; 3], out: &mut [f32]) -> Result<()> {
        let mut weights = self.weights(head, q, k)?;
        self.drop(head, &mut weights);
        cpu::matmul_into(
            out,
            Matrix::new(&weights, head.len(), head.len()),
            head.of(v),
            1.0,
            None,
        )
    }

    /// Gradients of q, k and v of one head, each `[length, head_width]`, one after the other in `out`.
    fn backward_head(
        &self,
        head: &Head,
        inputs: [&[f32]; 3],
        grad: &[f32],
        out: &mut [f32],
    ) -> Result<()> {
        let [q, k, v] = inputs;
        let length = head.len();
        let weights = self.weights(head, q, k)?;
        let mut dropped = weights.clone();
        self.drop(head, &mut dropped);
        let size = length * head.width();
        let (grad_q, rest) = out.split_at_mut(size);
        let (grad_k, grad_v) = rest.split_at_mut(size);
        let grad = head.of(grad);
        cpu::matmul_into(
            grad_v,
            Matrix::new(&dropped, length, length).transposed(),
            grad,
            1.0,
            None,
        )?;
        let mut grad_scores = cpu::matmul(grad, head.of(v).transposed())?;
        self.drop(head, &mut grad_scores);
        softmax::backward_rows(&mut grad_scores, &weights, length);
        let grad_scores = Matrix::new(&grad_scores, length, length);
        let scale = 1.0 / (head.width() as f32).sqrt();
        cpu::matmul_into(grad_q, grad_scores, head.of(k), scale, None)?;
        cpu::matmul_into(grad_k, grad_scores.transposed(), head.of(q), scale, None)
    }
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
        let grad = grad.contiguous()?;
        let data = [
            cpu::data_of(q),
            cpu::data_of(k),
            cpu::data_of(v),
            cpu::data_of(&grad),
        ];
        let (q_slice, k_slice, v_slice, grad_slice) = (
            data[0].as_slice()?,
            data[1].as_slice()?,
            data[2].as_slice()?,
            data[3].as_slice()?,
        );
        let parts = self.heads.per_head(shape, 3, |head, out| {
            self.backward_head(head, [q_slice, k_slice, v_slice], grad_slice, out)
        })?;
        let mut grads = parts
            .into_iter()
            .map(|part| Tensor::from_vec(part, shape, q.device()).map(Some));
        let mut next = || grads.next().unwrap_or(Ok(None));
        Ok((next()?, next()?, next()?))
    }
}
