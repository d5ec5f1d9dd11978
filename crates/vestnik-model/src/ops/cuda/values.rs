//! Contiguous data of tensors on a GPU.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// The elements of a contiguous storage that `layout` covers.
pub(super) fn view<'a, T: CudaDType>(
    storage: &'a CudaStorage,
    layout: &Layout,
) -> Result<CudaView<'a, T>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("an operation on a GPU got a tensor that is not contiguous: {layout:?}");
    };
    Ok(storage.as_cuda_slice::<T>()?.slice(start..end))
}

/// A read lock on the data of a contiguous tensor.
pub(super) struct Data<'a, Guard> {
    storage: Guard,
    layout: &'a Layout,
}

/// Locks the data of a tensor for reading.
pub(super) fn data_of(tensor: &Tensor) -> Data<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Data { storage, layout }
}

impl<Guard: Deref<Target = Storage>> Data<'_, Guard> {
    pub(super) fn view<T: CudaDType>(&self) -> Result<CudaView<'_, T>> {
        view(self.cuda()?, self.layout)
    }

    pub(super) fn device(&self) -> Result<CudaDevice> {
        Ok(self.cuda()?.device.clone())
    }

    pub(super) fn cuda(&self) -> Result<&CudaStorage> {
        match &*self.storage {
            Storage::Cuda(storage) => Ok(storage),
            _ => bail!("an operation on a GPU got a tensor of another device"),
        }
    }
}

/// What a forward pass of a custom operation returns on a GPU.
pub(super) fn output<T: CudaDType>(
    values: CudaSlice<T>,
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> (CudaStorage, Shape) {
    let storage = CudaStorage::wrap_cuda_slice(values, device.clone());
    (storage, shape.into())
}

/// A tensor without a graph.
pub(super) fn tensor<T: CudaDType>(
    values: CudaSlice<T>,
    device: &CudaDevice,
    shape: impl Into<Shape>,
) -> Tensor {
    let (storage, shape) = output(values, device, shape);
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

/// A copy of the values of a contiguous tensor.
pub(super) fn copied(device: &CudaDevice, tensor: &Tensor) -> Result<CudaSlice<f32>> {
    let data = data_of(tensor);
    device.cuda_stream().clone_dtod(&data.view::<f32>()?).w()
}

/// What a custom operation gives when it is applied, once: computed before, where the operation has to keep parts of it.
pub(super) struct Once<T>(Mutex<Option<T>>);

impl<T> Once<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    pub(super) fn take(&self) -> Result<T> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match value {
            Some(value) => Ok(value),
            None => bail!("an operation with a result computed before was applied twice"),
        }
    }
}
