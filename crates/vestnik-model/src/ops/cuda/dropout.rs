//! Dropout with or without a residual on a GPU, with the masks of the CPU.

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail,
};

use super::launch::{Argument, Grid, launch, uninitialised};
use super::values::{data_of, output, tensor, view};
use crate::ops::random::DropoutMask;
use crate::tape;

/// `dropout(x) (+ residual)`; without a mask nothing is dropped.
pub(in crate::ops) fn dropout_add(
    x: &Tensor,
    residual: Option<&Tensor>,
    mask: Option<DropoutMask>,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    match residual {
        Some(residual) if residual.shape() != x.shape() => bail!(
            "dropout_add: {:?} and {:?} differ in shape",
            x.shape(),
            residual.shape()
        ),
        Some(residual) => tape::apply2(&x, &residual.contiguous()?, Dropout { mask }),
        None => tape::apply1(&x, Dropout { mask }),
    }
}

struct Dropout {
    mask: Option<DropoutMask>,
}

impl Dropout {
    fn run(
        &self,
        device: &CudaDevice,
        x: &CudaView<'_, f32>,
        residual: Option<CudaView<'_, f32>>,
    ) -> Result<CudaSlice<f32>> {
        let n = x.len();
        let out = uninitialised::<f32>(device, n)?;
        let (key, threshold, scale) = self.mask.map_or((0, 0, 1.0), DropoutMask::parts);
        let arguments = [
            Argument::F32s(x.slice(..)),
            Argument::U32(residual.is_some().into()),
            Argument::F32s(residual.unwrap_or_else(|| x.slice(..))),
            Argument::F32s(out.slice(..)),
            Argument::U64(n as u64),
            Argument::U64(key),
            Argument::U32(threshold),
            Argument::F32(scale),
        ];
        launch(device, "dropout", Grid::groups(n), &arguments)?;
        Ok(out)
    }

    /// The gradient of what the mask was applied to.
    fn grad(&self, grad: &Tensor) -> Result<Tensor> {
        if self.mask.is_none() {
            return Ok(grad.clone());
        }
        let grad = grad.contiguous()?;
        let data = data_of(&grad);
        let device = data.device()?;
        let values = self.run(&device, &data.view()?, None)?;
        Ok(tensor(values, &device, grad.shape()))
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("dropout: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let out = self.run(&x.device, &view(x, layout)?, None)?;
        Ok(output(out, &x.device, layout.shape()))
    }

    fn bwd(&self, _x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.grad(grad).map(Some)
    }
}

impl CustomOp2 for Dropout {
    fn name(&self) -> &'static str {
        "dropout_add"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        bail!("dropout_add: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        residual: &CudaStorage,
        residual_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let residual = view(residual, residual_layout)?;
        let out = self.run(&x.device, &view(x, x_layout)?, Some(residual))?;
        Ok(output(out, &x.device, x_layout.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        residual: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad_x = x.track_op().then(|| self.grad(grad)).transpose()?;
        Ok((grad_x, residual.track_op().then(|| grad.clone())))
    }
}
