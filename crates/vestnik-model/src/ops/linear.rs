//! Affine maps: `y = x Wᵀ + b`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use crate::ops::cpu::{self, Matrix};

/// `x Wᵀ + b`, differentiable in all three.
///
/// **Shapes** `x [rows, inputs]`, `weight [outputs, inputs]`, `bias [outputs]` → `[rows, outputs]`.
///
/// On the CPU in `f32` one product with the bias fused, forward and backward; elsewhere composed of candle's operations.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if cpu::is_cpu_f32(x) {
        x.contiguous()?.apply_op3(weight, bias, Linear)
    } else {
        linear_composed(x, weight, bias)
    }
}

/// [`linear`] composed of candle's own differentiable operations: the reference, and the path of other devices.
///
/// # Errors
/// When the shapes do not fit together.
pub fn linear_composed(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.contiguous()?.matmul(&weight.t()?)?.broadcast_add(bias)
}

struct Linear;

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
        let mut out = vec![0.0; rows * outputs];
        cpu::matmul_into(&mut out, x, weight.transposed(), 1.0, Some(bias))?;
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
                cpu::matmul(grad_matrix, weight)?,
                (rows, inputs),
                device,
            )?)
        } else {
            None
        };
        let grad_weight = if weight.track_op() {
            let x = Matrix::new(x_data.as_slice()?, rows, inputs);
            Some(Tensor::from_vec(
                cpu::matmul(grad_matrix.transposed(), x)?,
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
