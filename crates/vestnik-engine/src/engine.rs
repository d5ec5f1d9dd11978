//! The forward pass.

use std::ops::Range;

use rayon::prelude::*;
use vestnik_model::{EncoderConfig, TensorSource};
use vestnik_text::Batch;

use crate::architectures::{self, Parts};
use crate::arithmetic::Arithmetic;
use crate::attention::{Head, HeadOutput};
use crate::embeddings::Places;
use crate::error::Result;
use crate::groups::groups;
use crate::layer::{Layer, gather};
use crate::linear::Output;
use crate::operand::BLOCK;
use crate::options::{EngineDtype, EngineOptions};
use crate::tensors::Tensors;
use crate::workspace::{GroupStates, HeadScratch, RowScratch, Workspace};
#[cfg(target_arch = "x86_64")]
use crate::x86::Blocks;

/// Bytes that the widest activations of the rows which one thread treats at once should take: they stay in the
/// second-level cache.
const CACHE: usize = 3 << 19;
/// Fewest and most of these rows.
const ROWS: [usize; 2] = [64, 256];

/// An encoder on the CPU: packed weights and the memory of its forward passes. `Send + Sync`; several threads may use one at
/// the same time.
///
/// The states of a sequence do not depend, bit for bit, on the sequences beside it, nor on the number of threads. Work is
/// spread over the threads of the rayon pool that the call is made in.
#[derive(Debug)]
pub struct Engine {
    config: EncoderConfig,
    parts: Parts,
    workspace: Workspace,
}

/// How a group of sequences is computed.
#[derive(Clone, Copy)]
struct Group<'a> {
    engine: &'a Engine,
    places: &'a Places<'a>,
    positions: &'a [u32],
    /// The sequences, by tokens of the group.
    sequences: &'a [Range<usize>],
    /// The first token of the group in the batch.
    first: usize,
    n_tokens: usize,
    /// Rows of one task.
    rows: usize,
    /// Whether tasks are spread over threads.
    is_parallel: bool,
}

impl Engine {
    /// Packs the weights of an encoder, which are read one by one: from the [`Parameters`] of a model on the CPU, or from files
    /// ([`StoredEncoder`]), which takes least memory.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] when tensors are missing, or `VESTNIK_KERNELS` in the environment names no kernels; those of
    /// reading the tensors.
    ///
    /// [`Parameters`]: vestnik_model::Parameters
    /// [`StoredEncoder`]: vestnik_model::StoredEncoder
    pub fn new(
        config: &EncoderConfig,
        source: &dyn TensorSource,
        options: &EngineOptions,
    ) -> Result<Self> {
        let options = options.in_environment()?;
        let parts = architectures::load(&options, config, Tensors::new(source))?;
        Ok(Self {
            config: config.clone(),
            parts,
            workspace: Workspace::default(),
        })
    }

    /// Width of the states.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.parts.shape.hidden
    }

    /// The numbers in which products are computed.
    #[must_use]
    pub fn dtype(&self) -> EngineDtype {
        self.parts.shape.arithmetic.dtype
    }

    /// The kernels that are used: `amx`, `avx512`, `avx2` or `portable`.
    #[must_use]
    pub fn kernels(&self) -> &'static str {
        self.parts.shape.arithmetic.name()
    }

    /// The hidden states of the last layer, `[tokens, hidden]`, row-major.
    ///
    /// # Errors
    /// [`crate::Error::TooLong`] for a sequence beyond the positions of the model, [`crate::Error::TokenId`] for an id beyond
    /// the vocabulary, [`crate::Error::Argument`] for a segment that the model does not have.
    pub fn states(&self, batch: &Batch) -> Result<Vec<f32>> {
        let places = Places::new(&self.config, batch)?;
        let hidden = self.parts.shape.hidden;
        let mut out = vec![0.0; batch.ids.len() * hidden];
        let rows = self.rows();
        let threads = rayon::current_num_threads();
        let tokens = (batch.ids.len() / (4 * threads)).clamp(ROWS[0].min(rows), rows);
        let groups = groups(&batch.cumulative_lengths, tokens);
        if threads == 1 || groups.len() >= 2 * threads {
            let bounds = &batch.cumulative_lengths;
            let sizes = groups
                .iter()
                .map(|group| (bounds[group.end] - bounds[group.start]) * hidden);
            let tasks: Vec<_> = groups.iter().cloned().zip(split(&mut out, sizes)).collect();
            tasks.into_par_iter().for_each(|(group, out)| {
                self.compute(batch, &places, group, rows, false, out);
            });
        } else {
            let share = batch.ids.len().div_ceil(threads).next_multiple_of(BLOCK);
            let all = 0..batch.cumulative_lengths.len().saturating_sub(1);
            self.compute(batch, &places, all, share.min(rows), true, &mut out);
        }
        Ok(out)
    }

    /// Rows that one thread treats at once.
    fn rows(&self) -> usize {
        let widest = self.config.intermediate_size.max(self.config.hidden_size);
        (CACHE / 4 / widest / BLOCK * BLOCK).clamp(ROWS[0], ROWS[1])
    }

    /// The states of some sequences of a batch into `out`.
    fn compute(
        &self,
        batch: &Batch,
        places: &Places<'_>,
        group: Range<usize>,
        rows: usize,
        is_parallel: bool,
        out: &mut [f32],
    ) {
        let bounds = batch
            .cumulative_lengths
            .get(group.start..=group.end)
            .unwrap_or_default();
        let Some((&first, &end)) = bounds.first().zip(bounds.last()) else {
            return;
        };
        let sequences: Vec<Range<usize>> = bounds
            .windows(2)
            .map(|bounds| bounds[0] - first..bounds[1] - first)
            .filter(|sequence| !sequence.is_empty())
            .collect();
        let group = Group {
            engine: self,
            places,
            positions: &batch.position_ids[first..end],
            sequences: &sequences,
            first,
            n_tokens: end - first,
            rows,
            is_parallel,
        };
        self.workspace
            .groups
            .with(|memory| group.compute(memory, out));
    }
}

impl Group<'_> {
    fn compute(self, memory: &mut GroupStates, out: &mut [f32]) {
        let Parts {
            layers,
            convolution,
            final_norm,
            shape,
            ..
        } = &self.engine.parts;
        memory.states.resize(self.n_tokens * shape.stride());
        memory.qkv.resize(self.n_tokens * shape.qkv_stride());
        memory.context.resize(self.n_tokens * shape.hidden);
        let GroupStates {
            states,
            qkv,
            context,
            embedded,
        } = memory;
        if self.n_tokens == 0 {
            return;
        }
        self.embed(states);
        if convolution.is_some() {
            embedded.resize(states.len());
            embedded.copy_from_slice(states);
        }
        let embedded = &embedded[..];
        if let Some(layer) = layers.first() {
            self.each_rows(states, qkv, |rows, states, qkv, scratch| {
                layer.read(shape, states, &self.positions[rows], scratch, qkv);
            });
        }
        for (index, layer) in layers.iter().enumerate() {
            self.attend(layer, qkv, context);
            self.each_rows(states, qkv, |rows, states, qkv, scratch| {
                scratch.context.resize(rows.len() * shape.stride());
                gather(context, self.sequences, &rows, shape, &mut scratch.context);
                layer.write(shape, states, scratch);
                if let (0, Some(convolution)) = (index, convolution) {
                    let embedded = (embedded, shape.stride());
                    convolution.apply(embedded, self.sequences, &rows, states, scratch);
                }
                if let Some(next) = layers.get(index + 1) {
                    next.read(shape, states, &self.positions[rows], scratch, qkv);
                }
            });
        }
        for (out, states) in out
            .chunks_exact_mut(shape.hidden)
            .zip(states.chunks_exact_mut(shape.stride()))
        {
            if let Some(norm) = final_norm {
                norm.apply(states, states.len());
            }
            out.copy_from_slice(&states[..shape.hidden]);
        }
    }

    fn embed(self, states: &mut [f32]) {
        let stride = self.engine.parts.shape.stride();
        let step = self.rows * stride;
        for (index, states) in states.chunks_mut(step).enumerate() {
            let start = self.first + index * self.rows;
            let tokens = start..start + states.len() / stride;
            let mut out = Output {
                data: states,
                stride,
            };
            let embeddings = &self.engine.parts.embeddings;
            self.engine
                .workspace
                .rows
                .with(|scratch| embeddings.apply(self.places, tokens, scratch, &mut out));
        }
    }

    /// Calls `f` for pieces of rows: the tokens, their states, their queries, keys and values, and memory.
    fn each_rows(
        self,
        states: &mut [f32],
        qkv: &mut [f32],
        f: impl Fn(Range<usize>, &mut [f32], &mut [f32], &mut RowScratch) + Sync,
    ) {
        let shape = &self.engine.parts.shape;
        let (step, qkv_step) = (self.rows * shape.stride(), self.rows * shape.qkv_stride());
        let task = |(index, (states, qkv)): (usize, (&mut [f32], &mut [f32]))| {
            let rows = index * self.rows..index * self.rows + states.len() / shape.stride();
            self.engine
                .workspace
                .rows
                .with(|scratch| f(rows, states, qkv, scratch));
        };
        if self.is_parallel {
            let pieces = states
                .par_chunks_mut(step)
                .zip(qkv.par_chunks_mut(qkv_step));
            pieces.enumerate().for_each(task);
        } else {
            let pieces = states.chunks_mut(step).zip(qkv.chunks_mut(qkv_step));
            pieces.enumerate().for_each(task);
        }
    }

    /// Attention of all heads over all sequences.
    fn attend(self, layer: &Layer, qkv: &[f32], context: &mut [f32]) {
        let shape = &self.engine.parts.shape;
        let sizes = self.sequences.iter().flat_map(|sequence| {
            std::iter::repeat_n(sequence.len() * shape.head_width(), shape.n_heads)
        });
        let task = |(index, context): (usize, &mut [f32])| {
            let sequence = &self.sequences[index / shape.n_heads];
            self.attend_head(layer, qkv, sequence, index % shape.n_heads, context);
        };
        let heads = split(context, sizes).enumerate();
        if self.is_parallel {
            heads.collect::<Vec<_>>().into_par_iter().for_each(task);
        } else {
            heads.for_each(task);
        }
    }

    fn attend_head(
        self,
        layer: &Layer,
        qkv: &[f32],
        sequence: &Range<usize>,
        index: usize,
        context: &mut [f32],
    ) {
        let shape = &self.engine.parts.shape;
        let (width, stride) = (shape.head_width(), shape.qkv_stride());
        let head = Head {
            rows: &qkv[sequence.start * stride..sequence.end * stride],
            stride,
            columns: [0, 1, 2].map(|part| part * shape.hidden + index * width),
            width,
            length: sequence.len(),
            scale: ((width * shape.n_score_kinds) as f32).sqrt().recip(),
            window: layer.window,
            relative: layer.relative.as_ref().map(|relative| {
                let columns = [index * width, width, shape.hidden];
                relative.head(&shape.distances, sequence.len(), columns)
            }),
        };
        let out = HeadOutput {
            data: context,
            stride: width,
        };
        self.engine
            .workspace
            .heads
            .with(|scratch| attend(layer.arithmetic, &head, scratch, out));
    }
}

pub(crate) fn attend(
    arithmetic: Arithmetic,
    head: &Head<'_>,
    scratch: &mut HeadScratch,
    mut out: HeadOutput<'_>,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(processor) = arithmetic.processor
        && head.relative.is_none()
    {
        let is_precise = arithmetic.dtype == EngineDtype::F32;
        let tiles = processor.tiles();
        let Some(bf16) = processor.bf16().filter(|_| !is_precise || tiles.is_some()) else {
            return crate::x86::attend_in_floats(processor, head, &mut scratch.floats, &mut out);
        };
        let blocks = Blocks::new(processor);
        return crate::x86::attend(bf16, &blocks, head, is_precise, &mut scratch.x86, out);
    }
    let _ = arithmetic;
    crate::attention::attend(head, scratch, &mut out);
}

/// Cuts a slice into parts of these sizes.
fn split(data: &mut [f32], sizes: impl Iterator<Item = usize>) -> impl Iterator<Item = &mut [f32]> {
    let mut rest = data;
    sizes.map(move |size| {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(size);
        rest = behind;
        part
    })
}
