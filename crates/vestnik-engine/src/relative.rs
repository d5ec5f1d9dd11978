//! Attention scores by distance (He et al. 2021, DeBERTa).

use std::ops::Range;

use rten_tensor::NdTensorView;
use vestnik_model::{DebertaV2Options, EncoderConfig};

use crate::attention::{Head, multiply};
use crate::buffer::Buffer;
use crate::error::Result;
use crate::tensors::Tensors;

/// What all layers share: which row of their tables belongs to a distance.
#[derive(Debug, Default)]
pub(crate) struct Distances {
    /// For the distances of the longest sequence, `longest - 1` down to `1 - longest`.
    rows: Vec<u32>,
}

/// What the distances are in one layer: keys that queries attend to, and queries that attend to keys, `[rows, hidden]`.
#[derive(Debug)]
pub(crate) struct RelativePositions {
    keys: Option<Vec<f32>>,
    queries: Option<Vec<f32>>,
}

/// The part of one head, over a sequence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelativeHead<'a> {
    keys: Option<&'a [f32]>,
    queries: Option<&'a [f32]>,
    /// Numbers between rows of the tables.
    stride: usize,
    width: usize,
    /// The row of the distance from query `i` to key `j` stands at `length - 1 - i + j`.
    rows: &'a [u32],
}

/// Memory that is used again by the next head.
#[derive(Debug, Default)]
pub(crate) struct RelativeScratch {
    /// Scores of the rows of `keys` for some queries, `[queries, rows]`.
    of_queries: Buffer<f32>,
    /// Scores of the rows of `queries` for all keys, `[rows, keys]`.
    of_keys: Buffer<f32>,
}

impl Distances {
    pub(crate) fn new(config: &EncoderConfig, options: &DebertaV2Options) -> Self {
        let positions = options.positions();
        let last = config.max_tokens() as isize - 1;
        let rows = (-last..=last).rev();
        Self {
            rows: rows
                .map(|distance| positions.row(distance) as u32)
                .collect(),
        }
    }

    /// Those of a sequence.
    fn of_length(&self, length: usize) -> &[u32] {
        let longest = self.rows.len().div_ceil(2);
        &self.rows[longest - length..][..2 * length - 1]
    }
}

impl RelativePositions {
    /// Those of the layer whose attention lies at `name`; the embeddings of the distances, `[rows, hidden]`, go through its
    /// projections.
    pub(crate) fn load(
        tensors: Tensors<'_>,
        name: &str,
        embeddings: &[f32],
        options: &DebertaV2Options,
    ) -> Result<Self> {
        let project = |wanted: bool, shared: &str, own: &str| {
            let part = if options.share_att_key { shared } else { own };
            wanted
                .then(|| projected(tensors, &format!("{name}.{part}"), embeddings))
                .transpose()
        };
        Ok(Self {
            keys: project(options.content_to_position, "key_proj", "pos_key_proj")?,
            queries: project(options.position_to_content, "query_proj", "pos_query_proj")?,
        })
    }

    /// The part of the head whose columns begin at `column`, for a sequence of `length` tokens.
    pub(crate) fn head<'a>(
        &'a self,
        distances: &'a Distances,
        length: usize,
        [column, width, stride]: [usize; 3],
    ) -> RelativeHead<'a> {
        let part = |table: &'a Option<Vec<f32>>| table.as_ref().map(|table| &table[column..]);
        RelativeHead {
            keys: part(&self.keys),
            queries: part(&self.queries),
            stride,
            width,
            rows: distances.of_length(length),
        }
    }
}

impl RelativeHead<'_> {
    /// The rows from the first to the last that the sequence uses.
    fn used(&self) -> Range<usize> {
        let first = self.rows.iter().min().map_or(0, |row| *row as usize);
        let end = self.rows.iter().max().map_or(0, |row| *row as usize + 1);
        first..end
    }

    /// Some rows of a table as a matrix, `[rows, width]` or the other way round.
    fn matrix<'b>(
        &self,
        table: &'b [f32],
        used: &Range<usize>,
        transposed: bool,
    ) -> NdTensorView<'b, f32, 2> {
        let (mut shape, mut strides) = ([used.len(), self.width], [self.stride, 1]);
        if transposed {
            shape.reverse();
            strides.reverse();
        }
        NdTensorView::from_data_with_strides(shape, &table[used.start * self.stride..], strides)
            .expect("the rows of a head lie inside of its table")
    }

    /// What the distances ask of every key; once for a head.
    pub(crate) fn ask_keys(&self, head: &Head<'_>, scratch: &mut RelativeScratch) {
        let Some(table) = self.queries else {
            return;
        };
        let used = self.used();
        scratch.of_keys.resize(used.len() * head.length);
        multiply(
            self.matrix(table, &used, false),
            head.matrix(1, &(0..head.length), true),
            head.scale,
            &mut scratch.of_keys,
        );
    }

    /// Adds the scores of distances to those of some queries and all keys.
    pub(crate) fn add(
        &self,
        head: &Head<'_>,
        queries: &Range<usize>,
        scores: &mut [f32],
        scratch: &mut RelativeScratch,
    ) {
        let used = self.used();
        let rows_of = |query: usize| &self.rows[head.length - 1 - query..][..head.length];
        if let Some(table) = self.keys {
            scratch.of_queries.resize(queries.len() * used.len());
            multiply(
                head.matrix(0, queries, false),
                self.matrix(table, &used, true),
                head.scale,
                &mut scratch.of_queries,
            );
            let of_queries = scratch.of_queries.chunks_exact(used.len());
            let scores = scores.chunks_exact_mut(head.length);
            for ((query, scores), of_query) in queries.clone().zip(scores).zip(of_queries) {
                for (score, row) in scores.iter_mut().zip(rows_of(query)) {
                    *score += of_query[*row as usize - used.start];
                }
            }
        }
        if self.queries.is_some() {
            for (query, scores) in queries.clone().zip(scores.chunks_exact_mut(head.length)) {
                for (key, (score, row)) in scores.iter_mut().zip(rows_of(query)).enumerate() {
                    *score += scratch.of_keys[(*row as usize - used.start) * head.length + key];
                }
            }
        }
    }
}

/// Rows through an affine layer of a checkpoint.
fn projected(tensors: Tensors<'_>, name: &str, rows: &[f32]) -> Result<Vec<f32>> {
    let (weight, bias, inputs) = tensors.affine(name)?;
    let n_rows = rows.len() / inputs;
    let mut out = vec![0.0; n_rows * bias.len()];
    let weight = NdTensorView::from_data_with_strides([inputs, bias.len()], &*weight, [1, inputs])
        .expect("weights fill their slice");
    let rows = NdTensorView::from_data([n_rows, inputs], rows);
    multiply(rows, weight, 1.0, &mut out);
    for row in out.chunks_exact_mut(bias.len()) {
        row.iter_mut().zip(&bias).for_each(|(x, bias)| *x += bias);
    }
    Ok(out)
}
