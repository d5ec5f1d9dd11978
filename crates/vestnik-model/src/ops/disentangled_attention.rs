//! Disentangled attention (He et al. 2021, DeBERTa): tokens attend by content and by relative position.

mod kernel;

use candle_core::{D, Device, Result, Tensor};

use crate::Mode;
use crate::ops::attention::{AttentionOptions, attention, attention_composed};
use crate::ops::cpu;
use crate::ops::packed_heads::PackedHeads;
use crate::ops::padding::Padding;
use crate::ops::random::DropoutMask;
use crate::ops::relative_positions::RelativePositions;
use crate::ops::softmax;
use kernel::DisentangledAttention;

/// The relative positions that tokens attend to and from.
#[derive(Clone, Copy, Debug)]
pub struct PositionTables<'a> {
    /// Keys of the positions `[rows, width]`: queries attend to them ("c2p", content to position).
    pub keys: Option<&'a Tensor>,
    /// Queries of the positions `[rows, width]`: they attend to keys ("p2c", position to content).
    pub queries: Option<&'a Tensor>,
    /// Which row belongs to a distance.
    pub positions: RelativePositions,
    /// The row with which the tables begin; they need to hold only [`RelativePositions::used_rows`].
    pub first_row: usize,
}

impl<'a> PositionTables<'a> {
    /// The tables that there are, with their sides.
    fn parts(&self) -> impl Iterator<Item = (Side, &'a Tensor)> {
        let keys = self.keys.map(|table| (Side::Keys, table));
        keys.into_iter()
            .chain(self.queries.map(|table| (Side::Queries, table)))
    }

    /// The rows in the tables of all distances in sequences of up to `length` tokens ([`RelativePositions::rows`]).
    fn rows(&self, length: usize) -> Result<Vec<u32>> {
        let used = self.positions.used_rows(length);
        for (_, table) in self.parts() {
            let rows = self.first_row..self.first_row + table.dim(0)?;
            if used.start < rows.start || used.end > rows.end {
                candle_core::bail!(
                    "disentangled_attention: a table with the positions {rows:?}, {length} tokens need {used:?}"
                );
            }
        }
        let rows = self.positions.rows(length).into_iter();
        Ok(rows.map(|row| row - self.first_row as u32).collect())
    }

    /// What the scores are divided by: every kind of score adds to their variance.
    fn divisor(&self, head_width: usize) -> f64 {
        ((head_width * (1 + self.parts().count())) as f64).sqrt()
    }
}

/// On which side of a product the positions stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Keys,
    Queries,
}

/// Every token attends to all tokens of its own sequence, per head, by content and by distance:
/// `softmax((q_i · k_j + q_i · keys[r] + k_j · queries[r]) / sqrt(head_width * n_kinds)) v` with `r` the row of the
/// distance `i - j`, and `n_kinds` from 1 to 3 with the tables that there are.
///
/// **Shapes** `q`, `k`, `v` `[tokens, width]`, tables `[rows, width]` → `[tokens, width]`; head `h` owns the
/// columns `h * width / heads..`.
///
/// On the CPU in `f32` one fused operation that keeps no score matrix for the backward pass; elsewhere composed
/// over padded sequences. Results depend neither on the number of threads nor on other sequences.
///
/// # Errors
/// When the shapes do not fit together.
pub fn disentangled_attention(
    [q, k, v]: [&Tensor; 3],
    tables: PositionTables<'_>,
    options: AttentionOptions<'_>,
    mode: Mode<'_>,
) -> Result<Tensor> {
    let parts: Vec<(Side, &Tensor)> = tables.parts().collect();
    if parts.is_empty() {
        return attention(q, k, v, options, mode);
    }
    if !cpu::is_cpu_f32(q) {
        return disentangled_attention_composed([q, k, v], tables, options, mode);
    }
    check(&[q, k, v], &parts, options)?;
    let operation = DisentangledAttention {
        heads: PackedHeads::new(options.cumulative_lengths, options.n_heads),
        dropout: match mode {
            Mode::Training(state) if options.dropout > 0.0 => {
                Some(DropoutMask::new(state.next_key(), options.dropout))
            }
            _ => None,
        },
        sides: parts.iter().map(|(side, _)| *side).collect(),
        table_rows: parts[0].1.dim(0)?,
        rows: tables.rows(longest(options.cumulative_lengths))?,
    };
    // A custom operation has at most three inputs: what has the same shape goes in as one.
    let inputs = Tensor::cat(&[q, k, v], 0)?;
    let tables: Vec<&Tensor> = parts.iter().map(|(_, table)| *table).collect();
    inputs.apply_op2(&Tensor::cat(&tables, 0)?.contiguous()?, operation)
}

/// Refuses shapes that do not fit together, and what this attention does not know.
fn check(
    qkv: &[&Tensor; 3],
    tables: &[(Side, &Tensor)],
    options: AttentionOptions<'_>,
) -> Result<()> {
    let qkv = qkv.map(Tensor::dims);
    let tables: Vec<_> = tables.iter().map(|(_, table)| table.dims()).collect();
    if qkv != [qkv[0]; 3] || tables.iter().any(|table| *table != tables[0]) {
        candle_core::bail!("disentangled_attention: q, k, v {qkv:?}, tables {tables:?}");
    }
    if let Some(window) = options.window {
        candle_core::bail!("disentangled_attention: a window of {window}, expected none");
    }
    Ok(())
}

fn longest(cumulative_lengths: &[usize]) -> usize {
    let lengths = cumulative_lengths.windows(2).map(|pair| pair[1] - pair[0]);
    lengths.max().unwrap_or(0)
}

/// [`disentangled_attention`] composed of candle's own differentiable operations on padded sequences: the reference,
/// and the path of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn disentangled_attention_composed(
    [q, k, v]: [&Tensor; 3],
    tables: PositionTables<'_>,
    options: AttentionOptions<'_>,
    mode: Mode<'_>,
) -> Result<Tensor> {
    let parts: Vec<(Side, &Tensor)> = tables.parts().collect();
    if parts.is_empty() {
        return attention_composed(q, k, v, options, mode);
    }
    check(&[q, k, v], &parts, options)?;
    let (_, width) = q.dims2()?;
    let (padding, n_heads) = (Padding::new(options.cumulative_lengths), options.n_heads);
    let (n, length, head_width) = (padding.n_sequences, padding.length, width / n_heads);
    let heads = |x: &Tensor, n: usize, rows: usize| -> Result<Tensor> {
        x.reshape((n, rows, n_heads, head_width))?
            .transpose(1, 2)?
            .contiguous()
    };
    let pad = |x: &Tensor| heads(&padding.pad(x)?, n, length); // [sequences, heads, length, head_width]
    let (q, k, v) = (pad(q)?, pad(k)?, pad(v)?);
    let mut scores = q.matmul(&k.t()?)?; // [sequences, heads, length, length]
    let indices = row_of_pairs(&tables.rows(length)?, length, q.device())?;
    for (side, table) in parts {
        let table = heads(table, 1, table.dim(0)?)?.t()?;
        let of_position = match side {
            Side::Keys => gather_last(&q.broadcast_matmul(&table)?, &indices)?,
            Side::Queries => gather_last(&k.broadcast_matmul(&table)?, &indices.t()?)?.t()?,
        };
        scores = (scores + of_position)?;
    }
    let scores = (scores / tables.divisor(head_width))?;
    let scores = scores.broadcast_add(&padding.bias(&scores)?)?;
    let weights = softmax::softmax_composed(&scores, D::Minus1)?;
    let weights = crate::ops::dropout(&weights, options.dropout, mode)?;
    let context = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?;
    padding.unpad(&context.reshape((n * length, width))?)
}

/// `[length, length]`: the table row of every pair of a query and a key.
fn row_of_pairs(rows: &[u32], length: usize, device: &Device) -> Result<Tensor> {
    let pairs: Vec<u32> = (0..length)
        .flat_map(|query| &rows[length - 1 - query..][..length])
        .copied()
        .collect();
    Tensor::from_vec(pairs, (length, length), device)
}

/// `[sequences, heads, length, rows]` by indices `[length, length]` → `[sequences, heads, length, length]`.
fn gather_last(x: &Tensor, indices: &Tensor) -> Result<Tensor> {
    let (n, heads, length, _) = x.dims4()?;
    let indices = indices.broadcast_as((n, heads, length, length))?;
    x.gather(&indices.contiguous()?, D::Minus1)
}
