//! Affine maps on a GPU.

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::gemm::{Factor, product_in, rounded};
use super::launch::{Argument, Grid, launch, uninitialised};
use super::values::{data_of, output, tensor, view};
use crate::Precision;
use crate::tape;

/// [`crate::ops::linear`] on a GPU: one product and a pass for the bias.
pub(in crate::ops) fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    precision: Precision,
) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let operation = Linear {
        x: rounded(&x, precision)?,
        weight: rounded(&weight, precision)?,
        precision,
    };
    tape::apply3([&x, &weight, &bias.contiguous()?], operation)
}

/// With its factors as the products take them.
struct Linear {
    /// `[rows, inputs]`.
    x: Tensor,
    /// `[outputs, inputs]`.
    weight: Tensor,
    precision: Precision,
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        bail!("linear: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        bias: &CudaStorage,
        bias_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let device = &x.device;
        let (rows, outputs) = (self.x.dim(0)?, self.weight.dim(0)?);
        let bias = view::<f32>(bias, bias_layout)?;
        if bias.len() != outputs {
            bail!("linear: {outputs} outputs, {} biases", bias.len());
        }
        let out = product_in(
            self.precision,
            device,
            Factor::new(&self.x)?,
            Factor::new(&self.weight)?.transposed(),
        )?;
        let arguments = [
            Argument::F32s(out.slice(..)),
            Argument::F32s(bias),
            Argument::U32(outputs as u32),
            Argument::U64(out.len() as u64),
        ];
        launch(device, "add_bias", Grid::groups(out.len()), &arguments)?;
        Ok(output(out, device, (rows, outputs)))
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
        let factor = rounded(&grad, self.precision)?;
        let factor = Factor::new(&factor)?;
        // Frozen tensors are not tracked: their gradients would be thrown away.
        let gradient = |of: &Tensor, a, b: &Tensor| -> Result<Tensor> {
            let values = product_in(self.precision, &device, a, Factor::new(b)?)?;
            Ok(tensor(values, &device, of.shape()))
        };
        let grad_x = x.track_op().then(|| gradient(x, factor, &self.weight));
        let grad_weight = weight
            .track_op()
            .then(|| gradient(weight, factor.transposed(), &self.x));
        let grad_bias = bias.track_op().then(|| column_sums(&device, &grad));
        Ok((
            grad_x.transpose()?,
            grad_weight.transpose()?,
            grad_bias.transpose()?,
        ))
    }
}

/// Parts that sums over rows are split into, so that all of a GPU has work.
pub(super) const PARTS: usize = 128;

/// The sums of the columns of a matrix.
fn column_sums(device: &CudaDevice, x: &Tensor) -> Result<Tensor> {
    let (rows, cols) = x.dims2()?;
    let data = data_of(x);
    let partial = uninitialised::<f32>(device, PARTS * cols)?;
    let arguments = [
        Argument::F32s(data.view()?),
        Argument::F32s(partial.slice(..)),
        Argument::U32(rows as u32),
        Argument::U32(cols as u32),
    ];
    let grid = Grid::tiles(cols.div_ceil(32), PARTS);
    launch(device, "column_sums", grid, &arguments)?;
    Ok(tensor(sum_partials(device, &partial, cols)?, device, cols))
}

/// Adds up [`PARTS`] partial sums of `cols` columns.
pub(super) fn sum_partials(
    device: &CudaDevice,
    partial: &CudaSlice<f32>,
    cols: usize,
) -> Result<CudaSlice<f32>> {
    let sums = uninitialised::<f32>(device, cols)?;
    let arguments = [
        Argument::F32s(partial.slice(..)),
        Argument::F32s(sums.slice(..)),
        Argument::U32(PARTS as u32),
        Argument::U32(cols as u32),
    ];
    launch(device, "sum_partials", Grid::elements(cols), &arguments)?;
    Ok(sums)
}
