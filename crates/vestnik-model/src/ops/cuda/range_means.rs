//! Means of ranges of rows on a GPU.

use std::ops::Range;

use candle_core::cuda_backend::cudarc::driver::CudaSlice;

use crate::tape;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, launch, uninitialised};
use super::values::{data_of, output, tensor, view};

/// [`crate::ops::range_means`] on a GPU; no range is empty or goes beyond the rows.
pub(in crate::ops) fn range_means(x: &Tensor, ranges: &[Range<usize>]) -> Result<Tensor> {
    let x = x.contiguous()?;
    let device = data_of(&x).device()?;
    let bounds = |bound: fn(&Range<usize>) -> usize| -> Result<CudaSlice<u32>> {
        let bounds: Vec<u32> = ranges.iter().map(|range| bound(range) as u32).collect();
        device.clone_htod(&bounds)
    };
    let operation = RangeMeans {
        begins: bounds(|range| range.start)?,
        ends: bounds(|range| range.end)?,
    };
    tape::apply1(&x, operation)
}

struct RangeMeans {
    begins: CudaSlice<u32>,
    ends: CudaSlice<u32>,
}

impl CustomOp1 for RangeMeans {
    fn name(&self) -> &'static str {
        "range_means"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("range_means: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, width) = (self.begins.len(), layout.shape().dims2()?.1);
        let out = uninitialised::<f32>(&x.device, n * width)?;
        let arguments = [
            Argument::F32s(view(x, layout)?),
            Argument::U32s(self.begins.slice(..)),
            Argument::U32s(self.ends.slice(..)),
            Argument::F32s(out.slice(..)),
            Argument::U32(width as u32),
        ];
        launch(
            &x.device,
            "range_means_forward",
            Grid::blocks(n),
            &arguments,
        )?;
        Ok(output(out, &x.device, (n, width)))
    }

    fn bwd(&self, x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (rows, width) = x.dims2()?;
        let data = data_of(&grad);
        let device = data.device()?;
        let out = uninitialised::<f32>(&device, rows * width)?;
        let arguments = [
            Argument::F32s(data.view()?),
            Argument::U32s(self.begins.slice(..)),
            Argument::U32s(self.ends.slice(..)),
            Argument::F32s(out.slice(..)),
            Argument::U32(self.begins.len() as u32),
            Argument::U32(width as u32),
        ];
        launch(
            &device,
            "range_means_backward",
            Grid::blocks(rows),
            &arguments,
        )?;
        Ok(Some(tensor(out, &device, x.shape())))
    }
}
