//! The Gaussian error linear unit on a GPU.

use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::tape;

use super::launch::{Argument, Grid, launch, uninitialised};
use super::values::{data_of, output, tensor, view};

/// [`crate::ops::gelu`] on a GPU.
pub(in crate::ops) fn gelu(x: &Tensor) -> Result<Tensor> {
    tape::apply1(&x.contiguous()?, Gelu)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("gelu: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (device, n) = (&x.device, layout.shape().elem_count());
        let out = uninitialised::<f32>(device, n)?;
        let arguments = [
            Argument::F32s(view(x, layout)?),
            Argument::F32s(out.slice(..)),
            Argument::U64(n as u64),
        ];
        launch(device, "gelu_forward", Grid::groups(n), &arguments)?;
        Ok(output(out, device, layout.shape()))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let n = grad.elem_count();
        let (x_data, grad_data) = (data_of(x), data_of(&grad));
        let device = grad_data.device()?;
        let out = uninitialised::<f32>(&device, n)?;
        let arguments = [
            Argument::F32s(x_data.view()?),
            Argument::F32s(grad_data.view()?),
            Argument::F32s(out.slice(..)),
            Argument::U64(n as u64),
        ];
        launch(&device, "gelu_backward", Grid::groups(n), &arguments)?;
        Ok(Some(tensor(out, &device, x.shape())))
    }
}
