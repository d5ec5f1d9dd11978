//! Layer normalization on a GPU.

use std::sync::OnceLock;

use candle_core::cuda_backend::CudaDevice;

use crate::tape;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, launch, uninitialised};
use super::linear::{PARTS, sum_partials};
use super::values::{data_of, output, tensor, view};

/// [`crate::ops::layer_norm`] on a GPU.
pub(in crate::ops) fn layer_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let operation = LayerNorm {
        eps: eps as f32,
        statistics: OnceLock::new(),
    };
    tape::apply3(
        [&x.contiguous()?, &weight.contiguous()?, &bias.contiguous()?],
        operation,
    )
}

struct LayerNorm {
    eps: f32,
    /// Mean and reciprocal deviation of each row, from the forward pass.
    statistics: OnceLock<[Tensor; 2]>,
}

impl LayerNorm {
    fn statistics(&self) -> Result<&[Tensor; 2]> {
        let Some(statistics) = self.statistics.get() else {
            bail!("layer_norm: backward before forward");
        };
        Ok(statistics)
    }

    fn grad_x(
        &self,
        device: &CudaDevice,
        x: &Tensor,
        weight: &Tensor,
        grad: &Tensor,
    ) -> Result<Tensor> {
        let (rows, cols) = x.dims2()?;
        let [means, scales] = self.statistics()?;
        let out = uninitialised::<f32>(device, rows * cols)?;
        let data = [grad, x, weight, means, scales].map(data_of);
        let arguments = [
            Argument::F32s(data[0].view()?),
            Argument::F32s(data[1].view()?),
            Argument::F32s(data[2].view()?),
            Argument::F32s(data[3].view()?),
            Argument::F32s(data[4].view()?),
            Argument::F32s(out.slice(..)),
            Argument::U32(rows as u32),
            Argument::U32(cols as u32),
        ];
        launch(device, "layer_norm_backward", Grid::warps(rows), &arguments)?;
        Ok(tensor(out, device, x.shape()))
    }

    /// The gradients of weight and bias.
    fn grad_affine(&self, device: &CudaDevice, x: &Tensor, grad: &Tensor) -> Result<[Tensor; 2]> {
        let (rows, cols) = x.dims2()?;
        let [means, scales] = self.statistics()?;
        let partials = [(); 2].map(|()| uninitialised::<f32>(device, PARTS * cols));
        let [weights, biases] = partials;
        let (weights, biases) = (weights?, biases?);
        let data = [grad, x, means, scales].map(data_of);
        let arguments = [
            Argument::F32s(data[0].view()?),
            Argument::F32s(data[1].view()?),
            Argument::F32s(data[2].view()?),
            Argument::F32s(data[3].view()?),
            Argument::F32s(weights.slice(..)),
            Argument::F32s(biases.slice(..)),
            Argument::U32(rows as u32),
            Argument::U32(cols as u32),
        ];
        let grid = Grid::tiles(cols.div_ceil(32), PARTS);
        launch(device, "layer_norm_sums", grid, &arguments)?;
        let [weights, biases] =
            [weights, biases].map(|partial| sum_partials(device, &partial, cols));
        Ok([
            tensor(weights?, device, cols),
            tensor(biases?, device, cols),
        ])
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("layer_norm: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
        bias: &CudaStorage,
        bias_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let device = &x.device;
        let (rows, cols) = x_layout.shape().dims2()?;
        let (weight, bias) = (view(weight, weight_layout)?, view(bias, bias_layout)?);
        if weight.len() != cols || bias.len() != cols {
            bail!("layer_norm: width {cols}, weight {}", weight.len());
        }
        let out = uninitialised::<f32>(device, rows * cols)?;
        let means = uninitialised::<f32>(device, rows)?;
        let scales = uninitialised::<f32>(device, rows)?;
        let arguments = [
            Argument::F32s(view(x, x_layout)?),
            Argument::F32s(weight),
            Argument::F32s(bias),
            Argument::F32s(out.slice(..)),
            Argument::F32s(means.slice(..)),
            Argument::F32s(scales.slice(..)),
            Argument::U32(rows as u32),
            Argument::U32(cols as u32),
            Argument::F32(self.eps),
        ];
        launch(device, "layer_norm_forward", Grid::warps(rows), &arguments)?;
        let statistics = [means, scales].map(|values| tensor(values, device, rows));
        if self.statistics.set(statistics).is_err() {
            bail!("layer_norm: an operation was applied twice");
        }
        Ok(output(out, device, x_layout.shape()))
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
        let device = data_of(&grad).device()?;
        let grad_x = x
            .track_op()
            .then(|| self.grad_x(&device, x, weight, &grad))
            .transpose()?;
        if !weight.track_op() && !bias.track_op() {
            return Ok((grad_x, None, None));
        }
        let [grad_weight, grad_bias] = self.grad_affine(&device, x, &grad)?;
        Ok((
            grad_x,
            weight.track_op().then_some(grad_weight),
            bias.track_op().then_some(grad_bias),
        ))
    }
}
