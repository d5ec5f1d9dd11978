//! The heads of sequences that are packed end to end: how CPU kernels of attention share their work.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use crate::ops::cpu::Matrix;
use crate::ops::random::mix;

/// Packed sequences, each token with `n_heads` heads side by side.
#[derive(Clone, Debug)]
pub(crate) struct PackedHeads {
    /// Where sequences begin and end: `n + 1` token counts from 0.
    cumulative_lengths: Vec<usize>,
    n_heads: usize,
}

/// One head of one sequence.
#[derive(Clone)]
pub(crate) struct Head {
    /// Its sequence's tokens in the batch.
    pub(crate) tokens: Range<usize>,
    /// Its number among the heads of its sequence.
    pub(crate) index: usize,
    /// Its columns among `width`.
    columns: Range<usize>,
    width: usize,
}

impl Head {
    /// Tokens of its sequence.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Where its part of a dropout mask begins, in groups of four elements: a function of its place in the batch.
    pub(crate) fn mask_group(&self) -> u64 {
        mix(((self.tokens.start as u64) << 16) | self.index as u64)
    }

    /// Columns that it owns.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Its columns of a matrix that holds all heads side by side.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Its part of a packed `[tokens, width]` matrix.
    pub(crate) fn of<'a>(&self, packed: &'a [f32]) -> Matrix<'a> {
        self.rows_of(packed, self.tokens.clone())
    }

    /// Its columns in some rows, at least one, of a matrix `[…, width]`.
    pub(crate) fn rows_of<'a>(&self, matrix: &'a [f32], rows: Range<usize>) -> Matrix<'a> {
        let start = rows.start * self.width + self.columns.start;
        let end = (rows.end - 1) * self.width + self.columns.end;
        Matrix::strided(&matrix[start..end], rows.len(), self.width(), self.width)
    }
}

impl PackedHeads {
    pub(crate) fn new(cumulative_lengths: &[usize], n_heads: usize) -> Self {
        Self {
            cumulative_lengths: cumulative_lengths.to_vec(),
            n_heads,
        }
    }

    /// Refuses `[tokens, width]` matrices that these heads do not fill.
    pub(crate) fn check(&self, operation: &str, (tokens, width): (usize, usize)) -> Result<()> {
        if !width.is_multiple_of(self.n_heads) || self.cumulative_lengths.last() != Some(&tokens) {
            candle_core::bail!(
                "{operation}: [{tokens}, {width}] with {} heads, lengths {:?}",
                self.n_heads,
                self.cumulative_lengths
            );
        }
        Ok(())
    }

    /// The heads of all sequences, in the order in which their results are stored: by sequence, then by head.
    pub(crate) fn heads(&self, width: usize) -> Vec<Head> {
        let head_width = width / self.n_heads;
        self.cumulative_lengths
            .windows(2)
            .filter(|pair| pair[0] < pair[1])
            .flat_map(|pair| {
                (0..self.n_heads).map(move |index| Head {
                    tokens: pair[0]..pair[1],
                    index,
                    columns: index * head_width..(index + 1) * head_width,
                    width,
                })
            })
            .collect()
    }

    /// Runs `compute` on every head in parallel; each writes `n_parts` matrices `[length, head_width]`, which come back
    /// as `n_parts` packed `[tokens, width]` matrices.
    pub(crate) fn per_head(
        &self,
        (tokens, width): (usize, usize),
        n_parts: usize,
        compute: impl Fn(&Head, &mut [f32]) -> Result<()> + Sync,
    ) -> Result<Vec<Vec<f32>>> {
        let heads = self.heads(width);
        let mut by_head = vec![0.0; n_parts * tokens * width];
        let mut rest = by_head.as_mut_slice();
        let mut tasks = Vec::with_capacity(heads.len());
        for head in &heads {
            let (part, others) = rest.split_at_mut(n_parts * head.len() * head.width());
            tasks.push((head, part));
            rest = others;
        }
        tasks
            .into_par_iter()
            .try_for_each(|(head, out)| compute(head, out))?;
        Ok((0..n_parts)
            .into_par_iter()
            .map(|part| interleave(&heads, &by_head, (tokens, width), part, n_parts))
            .collect())
    }
}

/// Collects part `part` of every head's results into a packed `[tokens, width]` matrix.
fn interleave(
    heads: &[Head],
    by_head: &[f32],
    (tokens, width): (usize, usize),
    part: usize,
    n_parts: usize,
) -> Vec<f32> {
    let mut packed = vec![0.0; tokens * width];
    let mut start = 0;
    for head in heads {
        let size = head.len() * head.width();
        let rows = by_head[start + part * size..][..size].chunks_exact(head.width());
        for (token, row) in head.tokens.clone().zip(rows) {
            packed[token * width..][head.columns.clone()].copy_from_slice(row);
        }
        start += n_parts * size;
    }
    packed
}
