//! Affine maps: `y = x Wᵀ + b`.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, DType, Layout, Result, Shape, Tensor,
};

use crate::Precision;
use crate::ops::cpu::{self, Matrix};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::{Precomputed, bf16};
use crate::tape;

/// `x Wᵀ + b`, differentiable in all three.
///
/// **Shapes** `x [rows, inputs]`, `weight [outputs, inputs]`, `bias [outputs]` → `[rows, outputs]`.
///
/// With [`Precision::Bf16`] the factors of the products, forward and backward, are rounded to bf16, and the products
/// summed in `f32`. On the CPU in `f32` one product with the bias fused; elsewhere composed of candle's operations.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, precision: Precision) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        return tape::apply3([&x.contiguous()?, weight, bias], Linear { precision });
    }
    #[cfg(feature = "cuda")]
    if cuda::applies_to(x) {
        return cuda::linear(x, weight, bias, precision);
    }
    linear_composed(x, weight, bias, precision)
}

/// [`linear`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear_composed(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    precision: Precision,
) -> Result<Tensor> {
    let is_frozen = !weight.track_op() && !bias.track_op();
    if !x.track_op() || !is_frozen {
        return product(x, &weight.t()?, precision)?.broadcast_add(bias);
    }
    // candle's own product would compute the gradient of frozen weights, too.
    let y = product(&x.detach(), &weight.t()?, precision)?.broadcast_add(bias)?;
    x.apply_op1(FrozenLinear {
        output: Precomputed::new(&y),
        weight: weight.clone(),
        precision,
    })
}

fn product(a: &Tensor, b: &Tensor, precision: Precision) -> Result<Tensor> {
    match precision {
        Precision::F32 | Precision::Tf32 => a.contiguous()?.matmul(b),
        // The casts have gradients, so the factors of the backward products are rounded too.
        Precision::Bf16 => a
            .to_dtype(DType::BF16)?
            .contiguous()?
            .matmul(&b.to_dtype(DType::BF16)?)?
            .to_dtype(a.dtype()),
    }
}

/// [`linear_composed`] by weights that do not learn.
struct FrozenLinear {
    output: Precomputed,
    weight: Tensor,
    precision: Precision,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen_linear"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output.cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.output.cuda()
    }

    fn bwd(&self, _x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        product(grad, &self.weight, self.precision).map(Some)
    }
}

struct Linear {
    precision: Precision,
}

impl Linear {
    /// `a b (+ bias on every row)`.
    fn product(&self, a: Matrix<'_>, b: Matrix<'_>, bias: Option<&[f32]>) -> Result<Vec<f32>> {
        match self.precision {
            Precision::F32 | Precision::Tf32 => {
                let mut out = vec![0.0; a.n_rows() * b.n_cols()];
                cpu::matmul_into(&mut out, a, b, 1.0, bias)?;
                Ok(out)
            }
            Precision::Bf16 => bf16::matmul(a, b, bias),
        }
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, weight_inputs) = weight_layout.shape().dims2()?;
        if inputs != weight_inputs || bias_layout.shape().dims1()? != outputs {
            candle_core::bail!(
                "linear: x {:?}, weight {:?}, bias {:?}",
                x_layout.shape(),
                weight_layout.shape(),
                bias_layout.shape()
            );
        }
        let x = Matrix::new(cpu::slice_of(x, x_layout)?, rows, inputs);
        let weight = Matrix::new(cpu::slice_of(weight, weight_layout)?, outputs, inputs);
        let bias = cpu::slice_of(bias, bias_layout)?;
        let out = self.product(x, weight.transposed(), Some(bias))?;
        Ok(cpu::output(out, (rows, outputs)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (rows, inputs) = x.dims2()?;
        let outputs = grad.dim(1)?;
        let device = x.device();
        let (x_data, weight_data, grad_data) =
            (cpu::data_of(x), cpu::data_of(weight), cpu::data_of(&grad));
        let grad_slice = grad_data.as_slice()?;
        let grad_matrix = Matrix::new(grad_slice, rows, outputs);
        // Frozen tensors are not tracked: their gradients would be thrown away.
        let grad_x = if x.track_op() {
            let weight = Matrix::new(weight_data.as_slice()?, outputs, inputs);
            Some(Tensor::from_vec(
                self.product(grad_matrix, weight, None)?,
                (rows, inputs),
                device,
            )?)
        } else {
            None
        };
        let grad_weight = if weight.track_op() {
            let x = Matrix::new(x_data.as_slice()?, rows, inputs);
            Some(Tensor::from_vec(
                self.product(grad_matrix.transposed(), x, None)?,
                (outputs, inputs),
                device,
            )?)
        } else {
            None
        };
        let grad_bias = if bias.track_op() {
            Some(Tensor::from_vec(
                cpu::column_sums(grad_slice, outputs),
                outputs,
                device,
            )?)
        } else {
            None
        };
        Ok((grad_x, grad_weight, grad_bias))
    }
}
