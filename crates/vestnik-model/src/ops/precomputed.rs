//! Results of custom operations that candle's own operations computed before, on any device.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CudaStorage, Result, Shape, Storage, Tensor, bail};

/// What a custom operation gives when it is applied, once: a tensor whose graph, if it had one, is left behind. The
/// operation is there for its backward pass.
pub(crate) struct Precomputed(Mutex<Option<Tensor>>);

impl Precomputed {
    pub(crate) fn new(output: &Tensor) -> Self {
        Self(Mutex::new(Some(output.detach())))
    }

    /// The result of a custom operation's forward pass on the CPU.
    pub(crate) fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.take()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => bail!("a result is not on the device of its inputs"),
        }
    }

    /// The result of a custom operation's forward pass on a GPU.
    pub(crate) fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        match self.take()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => bail!("a result is not on the device of its inputs"),
        }
    }

    fn take(&self) -> Result<(Storage, Shape)> {
        let output = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(output) = output else {
            bail!("an operation with a result computed before was applied twice");
        };
        // A view would bring all of the data that it is a part of.
        let output = match output.layout().contiguous_offsets() {
            Some((0, _)) => output,
            _ => output.copy()?,
        };
        let (storage, layout) = output.storage_and_layout();
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }
}
