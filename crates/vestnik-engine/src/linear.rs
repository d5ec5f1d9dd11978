//! Affine maps with weights that were packed once.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;

use crate::arithmetic::Arithmetic;
use crate::buffer::Buffer;
use crate::finish::{Finish, Floats, Integers, Sums, Then};
use crate::operand::{BLOCK, Operand, Values};
use crate::options::EngineDtype;
use crate::quantized_weights::QuantizedWeights;

/// `y = x Wᵀ + b`. Outputs are filled up to a multiple of [`BLOCK`], with zeros.
pub(crate) struct Linear {
    /// Outputs, filled up.
    outputs: usize,
    inputs: usize,
    bias: Vec<f32>,
    weights: Weights,
}

enum Weights {
    Floats(PackedBMatrix<f32>),
    Bytes {
        packed: PackedBytes,
        scales: Vec<f32>,
        sums: Vec<f32>,
    },
    #[cfg(target_arch = "x86_64")]
    Parts {
        panels: Buffer<u16>,
        tiles: crate::x86::Amx,
    },
    #[cfg(target_arch = "x86_64")]
    Panels {
        panels: Buffer<f32>,
        processor: crate::x86::Processor,
    },
}

enum PackedBytes {
    Library(PackedBMatrix<i8>),
    #[cfg(target_arch = "x86_64")]
    Panels {
        panels: Buffer<i8>,
        processor: crate::x86::Processor,
    },
}

/// Sums of products before they are finished, where a library computes them.
#[derive(Debug, Default)]
pub(crate) struct SumBuffers {
    floats: Buffer<f32>,
    integers: Buffer<i32>,
}

/// Where results go: rows `stride` apart.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) stride: usize,
}

impl std::fmt::Debug for Linear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (outputs, inputs) = (self.outputs, self.inputs);
        write!(f, "Linear({inputs} -> {outputs})")
    }
}

impl Linear {
    /// From `weight [outputs, inputs]`, row-major, and a bias for each output or none.
    pub(crate) fn new(
        arithmetic: Arithmetic,
        mut weight: Vec<f32>,
        mut bias: Vec<f32>,
        inputs: usize,
    ) -> Self {
        let outputs = (weight.len() / inputs).next_multiple_of(BLOCK);
        weight.resize(outputs * inputs, 0.0);
        bias.resize(outputs, 0.0);
        let weights = match arithmetic.dtype {
            EngineDtype::F32 => float_weights(arithmetic, &weight, outputs, inputs),
            EngineDtype::Int8 => byte_weights(arithmetic, &weight, outputs, inputs),
        };
        Self {
            outputs,
            inputs,
            bias,
            weights,
        }
    }

    /// Rows of `x`, prepared, into rows of `out`.
    pub(crate) fn apply(
        &self,
        x: Operand<'_>,
        then: Then,
        out: &mut Output<'_>,
        buffers: &mut SumBuffers,
    ) {
        match (&self.weights, x.values) {
            (Weights::Floats(weights), Values::Floats(rows)) => {
                self.by_library(x, rows, weights, then, out, &mut buffers.floats);
            }
            (
                Weights::Bytes {
                    packed,
                    scales,
                    sums,
                },
                Values::Bytes {
                    bytes,
                    scales: row_scales,
                    zeros,
                },
            ) => {
                let ranges = Ranges {
                    row_scales,
                    row_zeros: zeros,
                    scales,
                    sums,
                };
                self.by_bytes(x, bytes, packed, ranges, then, out, &mut buffers.integers);
            }
            #[cfg(target_arch = "x86_64")]
            (Weights::Panels { panels, processor }, Values::Floats(rows)) => {
                let (stride, depth) = (x.stride, self.inputs);
                crate::x86::multiply_floats(
                    *processor,
                    rows,
                    stride,
                    panels,
                    depth,
                    |sums, row, column| {
                        self.finish_block(x, sums, [row, column], then, out);
                    },
                );
            }
            #[cfg(target_arch = "x86_64")]
            (Weights::Parts { panels, tiles }, Values::Parts(rows)) => {
                let tiles = crate::x86::Tiles::new(*tiles);
                let padded = x.n_rows.next_multiple_of(BLOCK) * x.stride;
                let rows = &rows[..padded];
                crate::x86::multiply_split(&tiles, rows, x.stride, panels, |sums, row, column| {
                    self.finish_block(x, sums, [row, column], then, out);
                });
            }
            _ => unreachable!("an operand that was prepared for another arithmetic"),
        }
    }

    fn by_library(
        &self,
        x: Operand<'_>,
        rows: &[f32],
        weights: &PackedBMatrix<f32>,
        then: Then,
        out: &mut Output<'_>,
        sums: &mut Buffer<f32>,
    ) {
        // The library multiplies a single row in another order than a matrix, so a single row is treated as two.
        let doubled = (x.n_rows == 1).then(|| rows[..x.stride].repeat(2));
        let n_rows = x.n_rows.max(2);
        let rows = doubled.as_deref().unwrap_or(rows);
        sums.resize(n_rows * self.outputs);
        let rows = matrix(rows, [n_rows, self.inputs], x.stride);
        GemmExecutor::<f32>::new()
            .gemm(
                sums,
                GemmInputA::Unpacked(rows),
                GemmInputB::Packed(weights),
                GemmOptions::default(),
            )
            .expect("the shapes fit together");
        let sums = Floats {
            sums,
            stride: self.outputs,
        };
        self.finish(sums, [x.n_rows, self.outputs], [0, 0], then, out);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one product")]
    fn by_bytes(
        &self,
        x: Operand<'_>,
        bytes: &[u8],
        weights: &PackedBytes,
        ranges: Ranges<'_>,
        then: Then,
        out: &mut Output<'_>,
        sums: &mut Buffer<i32>,
    ) {
        match weights {
            PackedBytes::Library(weights) => {
                sums.resize(x.n_rows * self.outputs);
                let rows = matrix(bytes, [x.n_rows, self.inputs], x.stride);
                GemmExecutor::<u8, i8, i32>::new()
                    .gemm(
                        sums,
                        GemmInputA::Unpacked(rows),
                        GemmInputB::Packed(weights),
                        GemmOptions::default(),
                    )
                    .expect("the shapes fit together");
                let sums = ranges.of(sums, self.outputs, [0, 0]);
                self.finish(sums, [x.n_rows, self.outputs], [0, 0], then, out);
            }
            #[cfg(target_arch = "x86_64")]
            PackedBytes::Panels { panels, processor } => {
                let blocks = crate::x86::Blocks::new(*processor);
                let padded = x.n_rows.next_multiple_of(BLOCK) * x.stride;
                crate::x86::multiply_bytes(
                    &blocks,
                    &bytes[..padded],
                    x.stride,
                    panels,
                    |sums, row, column| {
                        let sums = ranges.of(sums, BLOCK, [row, column]);
                        self.finish(
                            sums,
                            [BLOCK.min(x.n_rows - row), BLOCK],
                            [row, column],
                            then,
                            out,
                        );
                    },
                );
            }
        }
    }

    /// Finishes a block of 32 x 32 sums of numbers.
    #[cfg(target_arch = "x86_64")]
    fn finish_block(
        &self,
        x: Operand<'_>,
        sums: &[f32],
        [row, column]: [usize; 2],
        then: Then,
        out: &mut Output<'_>,
    ) {
        let sums = Floats {
            sums,
            stride: BLOCK,
        };
        let size = [BLOCK.min(x.n_rows - row), BLOCK];
        self.finish(sums, size, [row, column], then, out);
    }

    /// Finishes `rows x columns` sums, the first of which belongs to this row and column.
    fn finish(
        &self,
        sums: impl Sums,
        [rows, columns]: [usize; 2],
        [row, column]: [usize; 2],
        then: Then,
        out: &mut Output<'_>,
    ) {
        let out_column = if let Then::Gate(_) = then {
            column / 2
        } else {
            column
        };
        Finish {
            sums,
            rows,
            columns,
            bias: &self.bias[column..][..columns],
            then,
            is_rounded: matches!(self.weights, Weights::Bytes { .. }),
            out: &mut out.data[row * out.stride + out_column..],
            out_stride: out.stride,
        }
        .dispatch();
    }
}

/// Scales and zeros of both factors of a product of bytes.
#[derive(Clone, Copy)]
struct Ranges<'a> {
    row_scales: &'a [f32],
    row_zeros: &'a [f32],
    scales: &'a [f32],
    sums: &'a [f32],
}

impl<'a> Ranges<'a> {
    /// A block of sums whose first belongs to this row and column.
    fn of(self, sums: &'a [i32], stride: usize, [row, column]: [usize; 2]) -> Integers<'a> {
        Integers {
            sums,
            stride,
            row_scales: &self.row_scales[row..],
            row_zeros: &self.row_zeros[row..],
            column_scales: &self.scales[column..],
            column_sums: &self.sums[column..],
        }
    }
}

fn matrix<T>(data: &[T], shape: [usize; 2], stride: usize) -> NdTensorView<'_, T, 2> {
    NdTensorView::from_data_with_strides(shape, data, [stride, 1])
        .expect("rows lie inside of their slice")
}

/// The transpose of row-major weights.
fn transposed<T>(weight: &[T], outputs: usize, inputs: usize) -> NdTensorView<'_, T, 2> {
    NdTensorView::from_data_with_strides([inputs, outputs], weight, [1, inputs])
        .expect("weights fill their slice")
}

fn float_weights(arithmetic: Arithmetic, weight: &[f32], outputs: usize, inputs: usize) -> Weights {
    #[cfg(target_arch = "x86_64")]
    if let Some(tiles) = arithmetic.tiles() {
        let panels = crate::x86::split_weights(weight, outputs, inputs);
        return Weights::Parts { panels, tiles };
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(processor) = arithmetic.processor {
        let panels = crate::x86::weights_of_floats(processor, weight, outputs, inputs);
        return Weights::Panels { panels, processor };
    }
    let _ = arithmetic;
    Weights::Floats(GemmExecutor::<f32>::new().prepack_b(transposed(weight, outputs, inputs)))
}

fn byte_weights(arithmetic: Arithmetic, weight: &[f32], outputs: usize, inputs: usize) -> Weights {
    let QuantizedWeights {
        bytes,
        scales,
        sums,
    } = QuantizedWeights::new(weight, inputs, arithmetic.largest_weight());
    Weights::Bytes {
        packed: packed_bytes(arithmetic, &bytes, outputs, inputs),
        scales,
        sums,
    }
}

fn packed_bytes(
    arithmetic: Arithmetic,
    bytes: &[i8],
    outputs: usize,
    inputs: usize,
) -> PackedBytes {
    #[cfg(target_arch = "x86_64")]
    if let Some(processor) = arithmetic.processor {
        let panels = crate::x86::weights_of_bytes(bytes, outputs, inputs);
        return PackedBytes::Panels { panels, processor };
    }
    let _ = arithmetic;
    let gemm = GemmExecutor::<u8, i8, i32>::new();
    PackedBytes::Library(gemm.prepack_b(transposed(bytes, outputs, inputs)))
}
