//! Rows of embedding tables, added and normalized.

use std::borrow::Cow;
use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use vestnik_model::EncoderConfig;
use vestnik_text::Batch;

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::finish::Then;
use crate::linear::{Linear, Output};
use crate::operand::BLOCK;
use crate::rows::Norm;
use crate::tensors::{Tensors, missing};
use crate::workspace::RowScratch;

/// Numbers, or rows of them, that are converted at once.
const PIECE: usize = 1024;

/// The sum of each token's embeddings, normalized, and brought to the hidden width where the tables are narrower.
#[derive(Debug)]
pub(crate) struct Embeddings {
    words: Table,
    types: Option<Table>,
    positions: Option<Table>,
    norm: Norm,
    width: usize,
    projection: Option<Linear>,
    projects_first: bool,
    arithmetic: Arithmetic,
}

/// The rows of each table that the tokens of a batch have.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) ids: &'a [u32],
    types: Vec<u32>,
    positions: Vec<u32>,
}

/// What the tensors of an architecture's embeddings are called, from the prefix on.
pub(crate) struct Names<'a> {
    pub(crate) words: &'a str,
    pub(crate) norm: &'a str,
    pub(crate) projection: Option<&'a str>,
    /// Whether the norm comes after the projection (DeBERTa), not before (ELECTRA).
    pub(crate) projects_first: bool,
    pub(crate) has_positions: bool,
}

impl Embeddings {
    pub(crate) fn load(
        arithmetic: Arithmetic,
        config: &EncoderConfig,
        tensors: Tensors<'_>,
        prefix: &str,
        names: &Names<'_>,
    ) -> Result<Self> {
        let table = |name: &str| Table::load(tensors, &format!("{prefix}{name}"));
        let words = table(names.words)?;
        let types = (config.type_vocab_size > 0)
            .then(|| table("embeddings.token_type_embeddings.weight"))
            .transpose()?;
        let positions = names
            .has_positions
            .then(|| table("embeddings.position_embeddings.weight"))
            .transpose()?;
        let projection = names.projection.map(|name| format!("{prefix}{name}"));
        Ok(Self {
            words,
            types,
            positions,
            norm: tensors.norm(&format!("{prefix}{}", names.norm), config.layer_norm_eps)?,
            width: config.embedding_size,
            projection: projection
                .map(|name| tensors.linear(arithmetic, &[&name]))
                .transpose()?,
            projects_first: names.projects_first,
            arithmetic,
        })
    }

    /// The states of some tokens before the first layer into `out`.
    pub(crate) fn apply(
        &self,
        places: &Places<'_>,
        tokens: Range<usize>,
        scratch: &mut RowScratch,
        out: &mut Output<'_>,
    ) {
        let Some(projection) = &self.projection else {
            self.sum(places, tokens, out);
            self.norm.apply(out.data, out.stride);
            return;
        };
        let stride = self.width.next_multiple_of(BLOCK);
        scratch.rows.resize(tokens.len() * stride);
        let mut narrow = Output {
            data: &mut scratch.rows,
            stride,
        };
        self.sum(places, tokens, &mut narrow);
        if !self.projects_first {
            self.norm.apply(narrow.data, stride);
        }
        let narrow = scratch
            .operands
            .prepare(self.arithmetic, &scratch.rows, stride, self.width);
        projection.apply(narrow, Then::Store, out, &mut scratch.sums);
        if self.projects_first {
            self.norm.apply(out.data, out.stride);
        }
    }

    fn sum(&self, places: &Places<'_>, tokens: Range<usize>, out: &mut Output<'_>) {
        self.words
            .copy(&places.ids[tokens.clone()], self.width, out);
        if let Some(types) = &self.types {
            types.add(&places.types[tokens.clone()], self.width, out);
        }
        if let Some(positions) = &self.positions {
            positions.add(&places.positions[tokens], self.width, out);
        }
    }
}

/// An embedding table.
#[derive(Debug)]
enum Table {
    /// Where these hold every number exactly, as of models that are stored so: half of the memory, or none where the model is
    /// built into the program. Little-endian.
    Halves(Cow<'static, [u8]>),
    Floats(Vec<f32>),
}

impl Table {
    fn load(tensors: Tensors<'_>, name: &str) -> Result<Self> {
        let [n_rows, _] = tensors.matrix(name)?;
        if let Some(halves) = tensors.source.halves(name)? {
            return Ok(Self::Halves(halves));
        }
        let mut table = Vec::new();
        // Piece by piece: a copy of the whole table in `f32` would be the most memory that a model ever takes.
        for start in (0..n_rows).step_by(PIECE) {
            let rows = start..n_rows.min(start + PIECE);
            let numbers = tensors.source.read_rows(name, rows)?;
            let Some(halves) = halves(&numbers.ok_or_else(|| missing(name))?) else {
                return tensors.read(name).map(Self::Floats);
            };
            table.extend(halves.into_iter().flat_map(f16::to_le_bytes));
        }
        Ok(Self::Halves(table.into()))
    }

    fn copy(&self, ids: &[u32], width: usize, out: &mut Output<'_>) {
        self.each(ids, width, out, |out, row| out.copy_from_slice(row));
    }

    fn add(&self, ids: &[u32], width: usize, out: &mut Output<'_>) {
        self.each(ids, width, out, |out, row| {
            for (out, x) in out.iter_mut().zip(row) {
                *out += x;
            }
        });
    }

    fn each(
        &self,
        ids: &[u32],
        width: usize,
        out: &mut Output<'_>,
        f: impl Fn(&mut [f32], &[f32]),
    ) {
        let rows = ids
            .iter()
            .map(|id| *id as usize * width..(*id as usize + 1) * width);
        let outs = out.data.chunks_mut(out.stride);
        match self {
            Self::Floats(table) => rows
                .zip(outs)
                .for_each(|(row, out)| f(&mut out[..width], &table[row])),
            Self::Halves(table) => {
                let (table, _) = table.as_chunks();
                let (mut halves, mut numbers) = (vec![f16::ZERO; width], vec![0.0; width]);
                for (row, out) in rows.zip(outs) {
                    let pairs = halves.iter_mut().zip(&table[row]);
                    pairs.for_each(|(half, bytes)| *half = f16::from_le_bytes(*bytes));
                    halves.convert_to_f32_slice(&mut numbers);
                    f(&mut out[..width], &numbers);
                }
            }
        }
    }
}

/// The numbers as halves, if nothing is lost.
fn halves(numbers: &[f32]) -> Option<Vec<f16>> {
    let mut halves = vec![f16::ZERO; numbers.len()];
    let is_exact = |(numbers, halves): (&[f32], &mut [f16])| {
        let mut back = [0.0; PIECE];
        let back = &mut back[..numbers.len()];
        halves.convert_from_f32_slice(numbers);
        halves.convert_to_f32_slice(back);
        back == numbers
    };
    let pieces = numbers.par_chunks(PIECE).zip(halves.par_chunks_mut(PIECE));
    pieces.all(is_exact).then_some(halves)
}

impl<'a> Places<'a> {
    /// Checks a batch and finds the rows of its tokens.
    ///
    /// # Errors
    /// [`Error::TokenId`], [`Error::TooLong`], [`Error::Argument`] for a segment that the model does not have.
    pub(crate) fn new(config: &EncoderConfig, batch: &'a Batch) -> Result<Self> {
        check(config, batch)?;
        Ok(Self {
            ids: &batch.ids,
            types: types(config, batch)?,
            positions: positions(config, batch),
        })
    }
}

fn check(config: &EncoderConfig, batch: &Batch) -> Result<()> {
    let vocab_size = config.vocab_size;
    if let Some(&id) = batch.ids.iter().find(|id| **id as usize >= vocab_size) {
        return Err(Error::TokenId { id, vocab_size });
    }
    let limit = config.max_tokens();
    match batch.sequences().map(|tokens| tokens.len()).max() {
        Some(tokens) if tokens > limit => Err(Error::TooLong { tokens, limit }),
        _ => Ok(()),
    }
}

/// RoBERTa's texts have no segments, and a table with one row has one segment.
fn types(config: &EncoderConfig, batch: &Batch) -> Result<Vec<u32>> {
    let n_types = config.type_vocab_size;
    if config.architecture.is_roberta() || n_types <= 1 {
        return Ok(vec![0; batch.ids.len()]);
    }
    match batch.type_ids.iter().find(|id| **id as usize >= n_types) {
        Some(id) => Err(Error::Argument {
            what: "segment of a token",
            expected: format!("below {n_types}, as the model has segments"),
            got: id.to_string(),
        }),
        None => Ok(batch.type_ids.clone()),
    }
}

/// RoBERTa counts from the number after the padding id, and gives padding inside of a text that id itself
/// (`create_position_ids_from_input_ids` in the reference).
fn positions(config: &EncoderConfig, batch: &Batch) -> Vec<u32> {
    if !config.architecture.is_roberta() {
        return batch.position_ids.clone();
    }
    let padding = config.pad_token_id as u32;
    let mut positions = Vec::with_capacity(batch.ids.len());
    for tokens in batch.sequences() {
        let mut last = padding;
        positions.extend(batch.ids[tokens].iter().map(|id| {
            if *id == padding {
                return padding;
            }
            last += 1;
            last
        }));
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_halved_only_without_loss() {
        let exact: Vec<f32> = (0..3000).map(|i| i as f32 / 2048.0 - 0.5).collect();
        let back: Vec<f32> = halves(&exact).unwrap().iter().map(|x| x.to_f32()).collect();
        assert_eq!(back, exact);
        for lost in [0.1, 1e-8, 1e6, f32::NAN] {
            let mut numbers = exact.clone();
            numbers[2999] = lost;
            assert_eq!(halves(&numbers), None, "{lost}");
        }
    }
}
