//! The plain cross-entropy on a GPU.

use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::launch::{Argument, Grid, launch, uninitialised};
use super::values::{Once, copied, data_of, output, tensor};

/// The sum over the rows of `weight * -log softmax(row)[label]`; rows with a negative label do not count.
///
/// **Shapes** `logits [rows, classes]`, `rows` labels below `classes`, `rows` weights → scalar.
pub(crate) fn cross_entropy_sum(
    logits: &Tensor,
    labels: &[i32],
    weights: &[f32],
) -> Result<Tensor> {
    let logits = logits.contiguous()?;
    let device = data_of(&logits).device()?;
    let rows = Rows {
        labels: device.clone_htod(labels)?,
        weights: device.clone_htod(weights)?,
    };
    let (losses, normalizers) = rows.forward(&device, &logits)?;
    let losses = tensor(losses, &device, labels.len());
    let operation = CrossEntropySum {
        rows,
        normalizers,
        total: Once::new(losses.sum_all()?),
    };
    logits.apply_op1(operation)
}

/// What is asked of each row.
struct Rows {
    labels: CudaSlice<i32>,
    weights: CudaSlice<f32>,
}

impl Rows {
    /// Losses and normalizers of all rows.
    fn forward(
        &self,
        device: &CudaDevice,
        logits: &Tensor,
    ) -> Result<(CudaSlice<f32>, CudaSlice<f32>)> {
        let (rows, classes) = logits.dims2()?;
        let losses = uninitialised::<f32>(device, rows)?;
        let normalizers = uninitialised::<f32>(device, rows)?;
        let data = data_of(logits);
        let arguments = [
            Argument::F32s(data.view()?),
            Argument::I32s(self.labels.slice(..)),
            Argument::F32s(self.weights.slice(..)),
            Argument::F32s(losses.slice(..)),
            Argument::F32s(normalizers.slice(..)),
            Argument::U32(classes as u32),
        ];
        launch(
            device,
            "cross_entropy_forward",
            Grid::blocks(rows),
            &arguments,
        )?;
        Ok((losses, normalizers))
    }
}

struct CrossEntropySum {
    rows: Rows,
    normalizers: CudaSlice<f32>,
    total: Once<Tensor>,
}

impl CustomOp1 for CrossEntropySum {
    fn name(&self) -> &'static str {
        "cross_entropy_sum"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("cross_entropy_sum: an operation of a GPU on the CPU")
    }

    fn cuda_fwd(&self, logits: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        let total = self.total.take()?;
        let values = copied(&logits.device, &total)?;
        Ok(output(values, &logits.device, ()))
    }

    fn bwd(&self, logits: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, classes) = logits.dims2()?;
        let (data, grad) = (data_of(logits), data_of(grad));
        let device = data.device()?;
        let out = uninitialised::<f32>(&device, rows * classes)?;
        let arguments = [
            Argument::F32s(data.view()?),
            Argument::I32s(self.rows.labels.slice(..)),
            Argument::F32s(self.rows.weights.slice(..)),
            Argument::F32s(self.normalizers.slice(..)),
            Argument::F32s(grad.view()?),
            Argument::F32s(out.slice(..)),
            Argument::U32(classes as u32),
        ];
        launch(
            &device,
            "cross_entropy_backward",
            Grid::blocks(rows),
            &arguments,
        )?;
        Ok(Some(tensor(out, &device, logits.shape())))
    }
}
