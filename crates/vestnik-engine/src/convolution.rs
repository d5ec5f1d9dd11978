//! The convolution over neighbouring tokens that large DeBERTa-v2 models have beside their first layer.

use std::ops::Range;

use vestnik_model::{Activation, ConvolutionOptions, EncoderConfig};

use crate::arithmetic::Arithmetic;
use crate::buffer::Buffer;
use crate::error::Result;
use crate::finish::Then;
use crate::linear::{Linear, Output};
use crate::operand::BLOCK;
use crate::rows::Norm;
use crate::tensors::Tensors;
use crate::workspace::RowScratch;

/// A convolution along each sequence, with zeros beyond both ends; what it gives is added to the first layer's states, and
/// the sum normalized.
#[derive(Debug)]
pub(crate) struct Convolution {
    /// For each group of channels an affine layer over the channels of `kernel` tokens, one token after the other.
    groups: Vec<Linear>,
    kernel: usize,
    /// Channels of a group.
    channels: usize,
    activation: Activation,
    norm: Norm,
    arithmetic: Arithmetic,
}

impl Convolution {
    pub(crate) fn load(
        arithmetic: Arithmetic,
        config: &EncoderConfig,
        options: &ConvolutionOptions,
        tensors: Tensors<'_>,
    ) -> Result<Self> {
        let (kernel, channels) = (options.kernel_size, config.hidden_size / options.groups);
        let weight = tensors.read("deberta.encoder.conv.conv.weight")?;
        let bias = tensors.read("deberta.encoder.conv.conv.bias")?;
        let inputs = kernel * channels;
        let group = |(weight, bias): (&[f32], &[f32])| {
            let weight = weight.chunks_exact(inputs);
            let weight = weight
                .flat_map(|output| by_tokens(output, kernel))
                .collect();
            Linear::new(arithmetic, weight, bias.to_vec(), inputs)
        };
        let groups = weight.chunks_exact(channels * inputs);
        Ok(Self {
            groups: groups.zip(bias.chunks_exact(channels)).map(group).collect(),
            kernel,
            channels,
            activation: options.activation,
            norm: tensors.norm("deberta.encoder.conv.LayerNorm", config.layer_norm_eps)?,
            arithmetic,
        })
    }

    /// Adds the convolution of `embedded`, the rows of all sequences, to the states of the tokens `rows`, and normalizes.
    pub(crate) fn apply(
        &self,
        (embedded, stride): (&[f32], usize),
        sequences: &[Range<usize>],
        rows: &Range<usize>,
        states: &mut [f32],
        scratch: &mut RowScratch,
    ) {
        let width = (self.kernel * self.channels).next_multiple_of(BLOCK);
        let out_stride = self.channels.next_multiple_of(BLOCK);
        let mut out = Buffer::default();
        out.resize(rows.len() * out_stride);
        for (index, linear) in self.groups.iter().enumerate() {
            let columns = index * self.channels..(index + 1) * self.channels;
            scratch.rows.resize(rows.len() * width);
            scratch.rows.fill(0.0);
            self.gather(
                (embedded, stride),
                sequences,
                rows,
                &columns,
                width,
                &mut scratch.rows,
            );
            let operand = scratch.operands.prepare(
                self.arithmetic,
                &scratch.rows,
                width,
                self.kernel * self.channels,
            );
            let mut output = Output {
                data: &mut out,
                stride: out_stride,
            };
            let then = Then::Activate(self.activation);
            linear.apply(operand, then, &mut output, &mut scratch.sums);
            for (states, out) in states.chunks_mut(stride).zip(out.chunks(out_stride)) {
                let states = states[columns.clone()].iter_mut();
                states.zip(out).for_each(|(state, x)| *state += x);
            }
        }
        self.norm.apply(states, stride);
    }

    /// The channels of the tokens around each token, those in its sequence.
    fn gather(
        &self,
        (embedded, stride): (&[f32], usize),
        sequences: &[Range<usize>],
        rows: &Range<usize>,
        columns: &Range<usize>,
        width: usize,
        out: &mut [f32],
    ) {
        let half = self.kernel / 2;
        for sequence in sequences {
            let tokens = sequence.start.max(rows.start)..sequence.end.min(rows.end);
            for token in tokens {
                let out = &mut out[(token - rows.start) * width..][..width];
                for (place, out) in out
                    .chunks_exact_mut(self.channels)
                    .take(self.kernel)
                    .enumerate()
                {
                    let neighbour = (token + place).checked_sub(half);
                    if let Some(neighbour) = neighbour.filter(|token| sequence.contains(token)) {
                        out.copy_from_slice(&embedded[neighbour * stride..][columns.clone()]);
                    }
                }
            }
        }
    }
}

/// The weights of an output, `[channels, kernel]`, as `[kernel, channels]`.
fn by_tokens(output: &[f32], kernel: usize) -> Vec<f32> {
    let places = 0..kernel;
    places
        .flat_map(|place| output.iter().skip(place).step_by(kernel).copied())
        .collect()
}
