//! The fused CPU kernel of disentangled attention, forward and backward.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::Side;
use crate::ops::cpu::{self, Matrix};
use crate::ops::packed_heads::{Head, PackedHeads};
use crate::ops::random::DropoutMask;
use crate::ops::relative_positions::rows_of_length;
use crate::ops::softmax;

/// [`super::disentangled_attention`] of `[3 * tokens, width]` (queries, keys and values, one after the other) and
/// `[n_tables * table_rows, width]`.
pub(super) struct DisentangledAttention {
    pub(super) heads: PackedHeads,
    pub(super) dropout: Option<DropoutMask>,
    /// What the tables stand for, in their order.
    pub(super) sides: Vec<Side>,
    /// Rows of one table.
    pub(super) table_rows: usize,
    /// Table rows of the distances in the longest sequence (`PositionTables::rows`).
    pub(super) rows: Vec<u32>,
}

/// The table rows that one sequence uses.
struct UsedRows {
    /// By distance ([`rows_of_length`]), counted from the first that is used.
    by_distance: Vec<u32>,
    /// In the table.
    range: Range<usize>,
    length: usize,
}

impl UsedRows {
    fn new(rows: &[u32], length: usize) -> Self {
        let rows = rows_of_length(rows, length);
        let first = rows.iter().copied().min().unwrap_or(0);
        let last = rows.iter().copied().max().unwrap_or(0);
        Self {
            by_distance: rows.iter().map(|row| row - first).collect(),
            range: first as usize..last as usize + 1,
            length,
        }
    }

    fn n(&self) -> usize {
        self.range.len()
    }

    /// The rows of one query with all keys.
    fn of_query(&self, query: usize) -> &[u32] {
        &self.by_distance[self.length - 1 - query..][..self.length]
    }

    /// Adds to scores `[length, length]` what the tokens that meet `side` have with the rows, `[length, n]`.
    fn gather(&self, side: Side, by_row: &[f32], scores: &mut [f32]) {
        for (query, scores) in scores.chunks_exact_mut(self.length).enumerate() {
            let pairs = scores.iter_mut().zip(self.of_query(query));
            match side {
                Side::Keys => {
                    let by_row = &by_row[query * self.n()..][..self.n()];
                    pairs.for_each(|(score, row)| *score += by_row[*row as usize]);
                }
                Side::Queries => pairs
                    .zip(by_row.chunks_exact(self.n()))
                    .for_each(|((score, row), by_row)| *score += by_row[*row as usize]),
            }
        }
    }

    /// The gradient of [`Self::gather`]: adds scores to their places in `by_row`.
    fn scatter(&self, side: Side, scores: &[f32], by_row: &mut [f32]) {
        for (query, scores) in scores.chunks_exact(self.length).enumerate() {
            let pairs = scores.iter().zip(self.of_query(query));
            match side {
                Side::Keys => {
                    let by_row = &mut by_row[query * self.n()..][..self.n()];
                    pairs.for_each(|(score, row)| by_row[*row as usize] += score);
                }
                Side::Queries => pairs
                    .zip(by_row.chunks_exact_mut(self.n()))
                    .for_each(|((score, row), by_row)| by_row[*row as usize] += score),
            }
        }
    }
}

/// What one head of one sequence reads.
struct HeadInputs<'a> {
    /// `[length, head_width]`, as are `k` and `v`.
    q: Matrix<'a>,
    k: Matrix<'a>,
    v: Matrix<'a>,
    /// The used rows of each table, `[used rows, head_width]`.
    tables: Vec<(Side, Matrix<'a>)>,
    used: UsedRows,
    /// What scores are multiplied by.
    scale: f32,
}

impl<'a> HeadInputs<'a> {
    /// The tokens that meet the positions of `side`.
    fn tokens_of(&self, side: Side) -> Matrix<'a> {
        match side {
            Side::Keys => self.q,
            Side::Queries => self.k,
        }
    }

    /// Softmax of the scaled scores, `[length, length]`.
    fn weights(&self) -> Result<Vec<f32>> {
        let (length, scale) = (self.used.length, self.scale);
        let mut weights = vec![0.0; length * length];
        cpu::matmul_into(&mut weights, self.q, self.k.transposed(), scale, None)?;
        let mut by_row = vec![0.0; length * self.used.n()];
        for &(side, table) in &self.tables {
            let tokens = self.tokens_of(side);
            cpu::matmul_into(&mut by_row, tokens, table.transposed(), scale, None)?;
            self.used.gather(side, &by_row, &mut weights);
        }
        for row in weights.chunks_exact_mut(length) {
            Softmax::new_mut(row).dispatch();
        }
        Ok(weights)
    }

    /// Adds what the scores with a table give to the gradient of their tokens `[length, head_width]`; returns the
    /// gradient of the table's used rows `[used rows, head_width]`.
    fn backward_table(
        &self,
        (side, table): (Side, Matrix<'_>),
        grad_scores: &[f32],
        grad_tokens: &mut [f32],
    ) -> Result<Vec<f32>> {
        let (length, n) = (self.used.length, self.used.n());
        let mut by_row = vec![0.0; length * n];
        self.used.scatter(side, grad_scores, &mut by_row);
        let by_row = Matrix::new(&by_row, length, n);
        cpu::matmul_add(grad_tokens, by_row, table, self.scale)?;
        let mut grad_table = vec![0.0; n * grad_tokens.len() / length];
        let (rows, tokens) = (by_row.transposed(), self.tokens_of(side));
        cpu::matmul_into(&mut grad_table, rows, tokens, self.scale, None)?;
        Ok(grad_table)
    }
}

/// Gradients of the used rows of every table in one head of one sequence.
struct TableGradients {
    rows: Range<usize>,
    /// `[used rows, head_width]` for each table.
    tables: Vec<Vec<f32>>,
}

impl TableGradients {
    /// That of one row of table `index`, if the sequence uses it.
    fn row(&self, index: usize, row: usize, head_width: usize) -> Option<&[f32]> {
        let row = row.checked_sub(self.rows.start)?;
        self.tables[index].chunks_exact(head_width).nth(row)
    }
}

/// By first token and head: sums over them have one order, whichever thread finished first.
type GradientsByHead = BTreeMap<(usize, usize), (Head, TableGradients)>;

impl DisentangledAttention {
    fn inputs<'a>(&'a self, head: &Head, qkv: &'a [f32], tables: &'a [f32]) -> HeadInputs<'a> {
        let (q, kv) = qkv.split_at(qkv.len() / 3);
        let (k, v) = kv.split_at(q.len());
        let used = UsedRows::new(&self.rows, head.len());
        let tables = self.sides.iter().enumerate().map(|(index, &side)| {
            let first = index * self.table_rows;
            let rows = first + used.range.start..first + used.range.end;
            (side, head.rows_of(tables, rows))
        });
        HeadInputs {
            q: head.of(q),
            k: head.of(k),
            v: head.of(v),
            tables: tables.collect(),
            used,
            scale: 1.0 / ((head.width() * (1 + self.sides.len())) as f32).sqrt(),
        }
    }

    /// Applies the dropout mask of one head to its `[length, length]` matrix.
    fn drop(&self, head: &Head, matrix: &mut [f32]) {
        if let Some(mask) = self.dropout {
            mask.apply(matrix, head.mask_group());
        }
    }

    fn forward_head(&self, head: &Head, inputs: &HeadInputs<'_>, out: &mut [f32]) -> Result<()> {
        let mut weights = inputs.weights()?;
        self.drop(head, &mut weights);
        let weights = Matrix::new(&weights, head.len(), head.len());
        cpu::matmul_into(out, weights, inputs.v, 1.0, None)
    }

    /// Gradients of q, k and v of one head, each `[length, head_width]`, one after the other in `out`, and those of
    /// the tables.
    fn backward_head(
        &self,
        head: &Head,
        inputs: &HeadInputs<'_>,
        grad: Matrix<'_>,
        out: &mut [f32],
    ) -> Result<TableGradients> {
        let size = head.len() * head.width();
        let (grad_q, rest) = out.split_at_mut(size);
        let (grad_k, grad_v) = rest.split_at_mut(size);
        let grad_scores = self.backward_values(head, inputs, grad, grad_v)?;
        let matrix = Matrix::new(&grad_scores, head.len(), head.len());
        cpu::matmul_into(grad_q, matrix, inputs.k, inputs.scale, None)?;
        cpu::matmul_into(grad_k, matrix.transposed(), inputs.q, inputs.scale, None)?;
        let tables = inputs.tables.iter().map(|&table| {
            let grad_tokens = match table.0 {
                Side::Keys => &mut *grad_q,
                Side::Queries => &mut *grad_k,
            };
            inputs.backward_table(table, &grad_scores, grad_tokens)
        });
        Ok(TableGradients {
            tables: tables.collect::<Result<_>>()?,
            rows: inputs.used.range.clone(),
        })
    }

    /// Writes the gradient of v; returns that of the scores `[length, length]`.
    fn backward_values(
        &self,
        head: &Head,
        inputs: &HeadInputs<'_>,
        grad: Matrix<'_>,
        grad_v: &mut [f32],
    ) -> Result<Vec<f32>> {
        let length = head.len();
        let weights = inputs.weights()?;
        let mut dropped = weights.clone();
        self.drop(head, &mut dropped);
        let dropped = Matrix::new(&dropped, length, length).transposed();
        cpu::matmul_into(grad_v, dropped, grad, 1.0, None)?;
        let mut grad_scores = cpu::matmul(grad, inputs.v.transposed())?;
        self.drop(head, &mut grad_scores);
        softmax::backward_rows(&mut grad_scores, &weights, length);
        Ok(grad_scores)
    }

    /// The gradients of all tables `[n_tables * table_rows, width]`: sums over sequences in their order.
    fn sum_tables(&self, gradients: &GradientsByHead, width: usize) -> Vec<f32> {
        let mut sums = vec![0.0; self.sides.len() * self.table_rows * width];
        let rows = sums.par_chunks_mut(width).enumerate();
        rows.for_each(|(row, sums)| {
            let (index, row) = (row / self.table_rows, row % self.table_rows);
            for (head, gradients) in gradients.values() {
                if let Some(gradient) = gradients.row(index, row, head.width()) {
                    let sums = &mut sums[head.columns()];
                    sums.iter_mut().zip(gradient).for_each(|(sum, x)| *sum += x);
                }
            }
        });
        sums
    }

    /// Refuses inputs that do not fit together; returns `(tokens, width)`.
    fn shape(&self, qkv: &Shape, tables: &Shape) -> Result<(usize, usize)> {
        let (rows, width) = qkv.dims2()?;
        if tables.dims2()?.1 != width {
            candle_core::bail!("disentangled_attention: tables {tables:?}, expected [_, {width}]");
        }
        self.heads.check(self.name(), (rows / 3, width))?;
        Ok((rows / 3, width))
    }
}

impl CustomOp2 for DisentangledAttention {
    fn name(&self) -> &'static str {
        "disentangled_attention"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        qkv_layout: &Layout,
        tables: &CpuStorage,
        tables_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shape = self.shape(qkv_layout.shape(), tables_layout.shape())?;
        let qkv = cpu::slice_of(qkv, qkv_layout)?;
        let tables = cpu::slice_of(tables, tables_layout)?;
        let mut parts = self.heads.per_head(shape, 1, |head, out| {
            self.forward_head(head, &self.inputs(head, qkv, tables), out)
        })?;
        Ok(cpu::output(parts.remove(0), shape))
    }

    fn bwd(
        &self,
        qkv: &Tensor,
        tables: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (tokens, width) = grad.dims2()?;
        let grad = grad.contiguous()?;
        let (qkv_data, tables_data, grad_data) =
            (cpu::data_of(qkv), cpu::data_of(tables), cpu::data_of(&grad));
        let (qkv_slice, tables_slice, grad_slice) = (
            qkv_data.as_slice()?,
            tables_data.as_slice()?,
            grad_data.as_slice()?,
        );
        let by_head = Mutex::new(GradientsByHead::new());
        let parts = self.heads.per_head((tokens, width), 3, |head, out| {
            let inputs = self.inputs(head, qkv_slice, tables_slice);
            let gradients = self.backward_head(head, &inputs, head.of(grad_slice), out)?;
            let mut by_head = by_head.lock().unwrap_or_else(PoisonError::into_inner);
            by_head.insert((head.tokens.start, head.index), (head.clone(), gradients));
            Ok(())
        })?;
        let grad_qkv = if qkv.track_op() {
            Some(Tensor::from_vec(parts.concat(), qkv.shape(), qkv.device())?)
        } else {
            None
        };
        if !tables.track_op() {
            return Ok((grad_qkv, None));
        }
        let by_head = by_head.into_inner().unwrap_or_else(PoisonError::into_inner);
        let sums = self.sum_tables(&by_head, width);
        let grad_tables = Tensor::from_vec(sums, tables.shape(), tables.device())?;
        Ok((grad_qkv, Some(grad_tables)))
    }
}
