//! Activations as the left factor of a product.

use crate::arithmetic::Arithmetic;
use crate::buffer::Buffer;
use crate::options::EngineDtype;
use crate::rows::{self, QuantizedRows};

/// Rows of a block of results; left factors have a multiple of them.
pub(crate) const BLOCK: usize = 32;

/// Memory for left factors.
#[derive(Debug, Default)]
pub(crate) struct OperandBuffers {
    bytes: Buffer<u8>,
    scales: Buffer<f32>,
    zeros: Buffer<f32>,
    #[cfg(target_arch = "x86_64")]
    parts: Buffer<u16>,
}

/// A left factor of `n_rows` rows; there is memory for a multiple of [`BLOCK`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    pub(crate) n_rows: usize,
    /// Numbers between rows.
    pub(crate) stride: usize,
    pub(crate) values: Values<'a>,
}

/// The numbers of a left factor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values<'a> {
    /// As they are.
    Floats(&'a [f32]),
    /// Bytes with a scale and a zero for each row, laid out as the kernels read them.
    Bytes {
        bytes: &'a [u8],
        scales: &'a [f32],
        zeros: &'a [f32],
    },
    /// The parts of numbers.
    #[cfg(target_arch = "x86_64")]
    Parts(&'a [u16]),
}

impl OperandBuffers {
    /// Makes a left factor of `rows`, `stride` numbers apart, of which `width` count.
    pub(crate) fn prepare<'a>(
        &'a mut self,
        arithmetic: Arithmetic,
        rows: &'a [f32],
        stride: usize,
        width: usize,
    ) -> Operand<'a> {
        let n_rows = rows.len() / stride;
        match arithmetic.dtype {
            EngineDtype::Int8 => self.quantize(arithmetic, rows, stride, width),
            #[cfg(target_arch = "x86_64")]
            EngineDtype::F32 if arithmetic.tiles().is_some() => {
                self.split(arithmetic, rows, stride, width)
            }
            EngineDtype::F32 => Operand {
                n_rows,
                stride,
                values: Values::Floats(rows),
            },
        }
    }

    fn quantize(
        &mut self,
        arithmetic: Arithmetic,
        rows: &[f32],
        stride: usize,
        width: usize,
    ) -> Operand<'_> {
        let n_rows = rows.len() / stride;
        let padded = n_rows.next_multiple_of(BLOCK);
        let bytes_stride = width.next_multiple_of(64);
        self.bytes.resize(padded * bytes_stride);
        self.scales.resize(padded);
        self.zeros.resize(padded);
        let into = QuantizedRows {
            largest: arithmetic.largest_byte(),
            layout: arithmetic.layout(),
            bytes: &mut self.bytes,
            stride: bytes_stride,
            scales: &mut self.scales,
            zeros: &mut self.zeros,
        };
        rows::quantize(rows, stride, width, into);
        Operand {
            n_rows,
            stride: bytes_stride,
            values: Values::Bytes {
                bytes: &self.bytes,
                scales: &self.scales,
                zeros: &self.zeros,
            },
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn split(
        &mut self,
        arithmetic: Arithmetic,
        rows: &[f32],
        stride: usize,
        width: usize,
    ) -> Operand<'_> {
        let n_rows = rows.len() / stride;
        let parts_stride = width.next_multiple_of(BLOCK) * crate::x86::PARTS;
        self.parts
            .resize(n_rows.next_multiple_of(BLOCK) * parts_stride);
        if let Some(tiles) = arithmetic.tiles() {
            crate::x86::split_rows(tiles, rows, stride, width, &mut self.parts, parts_stride);
        }
        Operand {
            n_rows,
            stride: parts_stride,
            values: Values::Parts(&self.parts),
        }
    }
}
