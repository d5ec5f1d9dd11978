//! Access to contiguous `f32` data of CPU tensors, and the matrix product of all CPU kernels.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

/// True where the fused CPU kernels of this module's neighbours apply to `tensor`.
pub(crate) fn is_cpu_f32(tensor: &Tensor) -> bool {
    matches!(tensor.device(), Device::Cpu) && tensor.dtype() == DType::F32
}

/// The elements of a contiguous CPU `f32` storage that `layout` covers.
pub(crate) fn slice_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a fused CPU operation got a tensor that is not contiguous: {layout:?}");
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// A read lock on the data of a contiguous CPU `f32` tensor.
pub(crate) struct CpuData<'a, Guard> {
    storage: Guard,
    layout: &'a Layout,
}

/// Locks the data of a tensor for reading.
pub(crate) fn data_of(tensor: &Tensor) -> CpuData<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    CpuData { storage, layout }
}

impl<Guard: Deref<Target = Storage>> CpuData<'_, Guard> {
    pub(crate) fn as_slice(&self) -> Result<&[f32]> {
        match &*self.storage {
            Storage::Cpu(storage) => slice_of(storage, self.layout),
            _ => bail!("a fused CPU operation got a tensor of another device"),
        }
    }
}

/// What a forward pass of a custom operation returns on the CPU.
pub(crate) fn output(data: Vec<f32>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F32(data), shape.into())
}

/// A view of a matrix inside a slice.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A row-major matrix that fills `data`.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            strides: [cols, 1],
        }
    }

    /// `rows` rows of `cols` elements, `row_stride` elements apart, from the start of `data`.
    pub(crate) fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        Self {
            data,
            rows,
            cols,
            strides: [row_stride, 1],
        }
    }

    /// Some of its rows, which follow each other.
    pub(crate) fn rows(self, range: &Range<usize>) -> Self {
        Self {
            data: &self.data[range.start * self.strides[0]..],
            rows: range.len(),
            ..self
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        let [row_stride, col_stride] = self.strides;
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            strides: [col_stride, row_stride],
        }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn n_cols(&self) -> usize {
        self.cols
    }

    /// Elements between neighbours in a column and in a row; one of them is 1.
    pub(crate) fn strides(&self) -> [usize; 2] {
        self.strides
    }

    /// What the elements lie in, from the first on.
    pub(crate) fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The elements, row by row.
    pub(crate) fn elements(self) -> impl Iterator<Item = f32> {
        let [row_stride, col_stride] = self.strides;
        (0..self.rows).flat_map(move |row| {
            (0..self.cols).map(move |col| self.data[row * row_stride + col * col_stride])
        })
    }

    fn view(self) -> NdTensorView<'a, f32, 2> {
        NdTensorView::from_data_with_strides([self.rows, self.cols], self.data, self.strides)
            .expect("a matrix view lies inside its slice")
    }
}

/// `out = alpha * a b (+ bias on every row)`, with `out` row-major.
///
/// A row of the result does not depend on how many other rows there are. The library multiplies a single row in another
/// order than a matrix, so a single row is treated as a matrix of two.
pub(crate) fn matmul_into(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Matrix<'_>,
    alpha: f32,
    bias: Option<&[f32]>,
) -> Result<()> {
    let options = GemmOptions {
        alpha,
        bias: bias.map(BiasVector::Row),
        ..GemmOptions::default()
    };
    if a.rows != 1 {
        return gemm(out, a, b, options);
    }
    let row: Vec<f32> = a
        .data
        .iter()
        .step_by(a.strides[1])
        .take(a.cols)
        .copied()
        .collect();
    let mut two_rows = vec![0.0; 2 * b.cols];
    gemm(
        &mut two_rows,
        Matrix::new(&row.repeat(2), 2, a.cols),
        b,
        options,
    )?;
    out.copy_from_slice(&two_rows[..b.cols]);
    Ok(())
}

/// `out += alpha * a b`, with `out` row-major.
pub(crate) fn matmul_add(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, alpha: f32) -> Result<()> {
    if a.rows == 1 {
        let mut row = vec![0.0; b.cols];
        matmul_into(&mut row, a, b, alpha, None)?;
        out.iter_mut().zip(row).for_each(|(out, x)| *out += x);
        return Ok(());
    }
    let options = GemmOptions {
        alpha,
        beta: 1.0,
        ..GemmOptions::default()
    };
    gemm(out, a, b, options)
}

fn gemm(
    out: &mut [f32],
    a: Matrix<'_>,
    b: Matrix<'_>,
    options: GemmOptions<'_, f32, f32, f32>,
) -> Result<()> {
    GemmExecutor::<f32>::new()
        .gemm(
            out,
            GemmInputA::Unpacked(a.view()),
            GemmInputB::Unpacked(b.view()),
            options,
        )
        .map_err(candle_core::Error::wrap)
}

/// `a b` as a new row-major matrix.
pub(crate) fn matmul(a: Matrix<'_>, b: Matrix<'_>) -> Result<Vec<f32>> {
    let mut out = vec![0.0; a.rows * b.cols];
    matmul_into(&mut out, a, b, 1.0, None)?;
    Ok(out)
}

/// Sums of the columns of a row-major matrix with `cols` columns, each added from the first row to the last.
pub(crate) fn column_sums(data: &[f32], cols: usize) -> Vec<f32> {
    use rayon::prelude::*;
    const BLOCK: usize = 64;
    let mut sums = vec![0.0; cols];
    sums.par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(block, sums)| {
            for row in data.chunks_exact(cols) {
                let row = &row[block * BLOCK..][..sums.len()];
                for (sum, x) in sums.iter_mut().zip(row) {
                    *sum += x;
                }
            }
        });
    sums
}
