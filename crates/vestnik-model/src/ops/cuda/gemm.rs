//! Products of matrices by cuBLAS, with `f32` results whatever the factors.
#![expect(unsafe_code, reason = "cuBLAS is a C library")]

use std::ops::Deref;

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{DType, Result, Storage, Tensor, bail};
use half::bf16;

use super::launch::uninitialised;
use super::values::{Data, data_of};
use crate::Precision;

/// One factor: row-major matrices one after the other in a contiguous tensor, and whether they are meant transposed.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    tensor: &'a Tensor,
    rows: usize,
    cols: usize,
    transposed: bool,
}

impl<'a> Factor<'a> {
    /// Matrices of the last two dimensions of a tensor, `f32` or bf16.
    pub(super) fn new(tensor: &'a Tensor) -> Result<Self> {
        let [.., rows, cols] = *tensor.dims() else {
            bail!("a product of {:?}", tensor.shape());
        };
        Ok(Self {
            tensor,
            rows,
            cols,
            transposed: false,
        })
    }

    /// The same with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            transposed: !self.transposed,
            ..self
        }
    }

    /// Rows and columns of what is meant.
    fn shape(&self) -> (usize, usize) {
        match self.transposed {
            true => (self.cols, self.rows),
            false => (self.rows, self.cols),
        }
    }

    fn operation(&self) -> sys::cublasOperation_t {
        match self.transposed {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        }
    }

    fn n_matrices(&self) -> usize {
        let [outer @ .., _, _] = self.tensor.dims() else {
            return 0;
        };
        outer.iter().product()
    }

    fn data_type(&self) -> sys::cudaDataType_t {
        match self.tensor.dtype() {
            DType::BF16 => sys::cudaDataType_t::CUDA_R_16BF,
            _ => sys::cudaDataType_t::CUDA_R_32F,
        }
    }

    /// Where the elements begin.
    fn address(
        &self,
        data: &Data<'_, impl Deref<Target = Storage>>,
        device: &CudaDevice,
    ) -> Result<u64> {
        let stream = device.cuda_stream();
        Ok(match self.tensor.dtype() {
            DType::BF16 => data.view::<bf16>()?.device_ptr(&stream).0,
            _ => data.view::<f32>()?.device_ptr(&stream).0,
        })
    }
}

/// A factor in the number format of a precision.
pub(super) fn rounded(tensor: &Tensor, precision: Precision) -> Result<Tensor> {
    match precision {
        Precision::F32 | Precision::Tf32 => Ok(tensor.detach()),
        Precision::Bf16 => tensor.detach().to_dtype(DType::BF16),
    }
}

/// `a b` for each pair of matrices, one after the other.
///
/// # Errors
/// When the shapes or number formats do not fit, or cuBLAS fails.
pub(super) fn product(device: &CudaDevice, a: Factor<'_>, b: Factor<'_>) -> Result<CudaSlice<f32>> {
    product_in(Precision::F32, device, a, b)
}

/// The same; with [`Precision::Tf32`] cuBLAS rounds factors of `f32`.
///
/// # Errors
/// As above.
pub(super) fn product_in(
    precision: Precision,
    device: &CudaDevice,
    a: Factor<'_>,
    b: Factor<'_>,
) -> Result<CudaSlice<f32>> {
    let ((rows, inner), (b_inner, cols)) = (a.shape(), b.shape());
    let n = a.n_matrices();
    if inner != b_inner || n != b.n_matrices() || a.tensor.dtype() != b.tensor.dtype() {
        bail!("product: {:?} by {:?}", a.tensor, b.tensor);
    }
    let mut out = uninitialised::<f32>(device, n * rows * cols)?;
    if out.is_empty() {
        return Ok(out);
    }
    if inner == 0 {
        bail!("product over no elements");
    }
    let compute = match precision {
        Precision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        _ => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
    };
    let (one, zero) = (1f32, 0f32);
    let blas = device.cublas_handle();
    let (a_data, b_data) = (data_of(a.tensor), data_of(b.tensor));
    let (a_address, b_address) = (a.address(&a_data, device)?, b.address(&b_data, device)?);
    let stream = device.cuda_stream();
    let (out_address, written) = out.device_ptr_mut(&stream);
    // SAFETY: cuBLAS counts by columns, so that what it sees are the transposed matrices: it computes `bᵀ aᵀ = (a b)ᵀ`. The
    // extents were checked above, the leading dimensions are the stored row lengths, and the locks on the data are held.
    unsafe {
        result::gemm_strided_batched_ex(
            *blas.handle(),
            b.operation(),
            a.operation(),
            cols as i32,
            rows as i32,
            inner as i32,
            (&raw const one).cast(),
            b_address as *const _,
            b.data_type(),
            b.cols as i32,
            (b.rows * b.cols) as i64,
            a_address as *const _,
            a.data_type(),
            a.cols as i32,
            (a.rows * a.cols) as i64,
            (&raw const zero).cast(),
            out_address as *mut _,
            sys::cudaDataType_t::CUDA_R_32F,
            cols as i32,
            (rows * cols) as i64,
            n as i32,
            compute,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP,
        )
    }
    .w()?;
    drop(written);
    Ok(out)
}
