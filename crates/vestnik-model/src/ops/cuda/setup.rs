//! What is set once for a GPU, and what there is to know about it.
#![expect(unsafe_code, reason = "the driver is a C library")]

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{result, sys};
use candle_core::{Device, DeviceLocation, Result};

/// A GPU as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuDescription {
    /// Its number, from 0, among those that the process may see.
    pub ordinal: usize,
    /// Its name.
    pub name: String,
    /// Its memory in bytes.
    pub memory_bytes: u64,
    /// Its compute capability: major and minor number.
    pub compute_capability: (i32, i32),
    /// The newest version of CUDA that the driver knows: major and minor number.
    pub driver: (i32, i32),
}

/// Makes a GPU ready for this library: memory that was freed is kept for the next allocation in place of being given back at
/// every synchronization, and uses of tensors are not tracked by events, since all work is on one stream.
///
/// Nothing to do on the CPU. To be called once, before tensors are made.
///
/// # Errors
/// When the driver fails.
pub fn prepare(device: &Device) -> Result<()> {
    let Device::Cuda(cuda) = device else {
        return Ok(());
    };
    // SAFETY: every tensor of a candle device lives on the one stream of the device; no other stream is made.
    unsafe { cuda.disable_event_tracking() };
    let mut kept_bytes = u64::MAX;
    // SAFETY: the device number is that of a device that is open, the pool its own, and the attribute a `u64`.
    unsafe {
        let pool = result::device::get_default_mem_pool(driver_device(device)?).w()?;
        sys::cuMemPoolSetAttribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut kept_bytes).cast(),
        )
        .result()
        .w()?;
    }
    Ok(())
}

/// What the driver says of a GPU; `None` for the CPU.
///
/// # Errors
/// When the driver fails.
pub fn describe(device: &Device) -> Result<Option<GpuDescription>> {
    let Some(ordinal) = ordinal(device) else {
        return Ok(None);
    };
    let gpu = driver_device(device)?;
    let attribute = |attribute| {
        // SAFETY: the device is open.
        unsafe { result::device::get_attribute(gpu, attribute) }.w()
    };
    use sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    };
    let mut version = 0;
    // SAFETY: the driver writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .w()?;
    Ok(Some(GpuDescription {
        ordinal,
        name: result::device::get_name(gpu).w()?,
        // SAFETY: the device is open.
        memory_bytes: unsafe { result::device::total_mem(gpu) }.w()? as u64,
        compute_capability: (
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        driver: (version / 1000, version % 1000 / 10),
    }))
}

fn ordinal(device: &Device) -> Option<usize> {
    match device {
        Device::Cuda(cuda) => match cuda.location() {
            DeviceLocation::Cuda { gpu_id } => Some(gpu_id),
            _ => None,
        },
        _ => None,
    }
}

fn driver_device(device: &Device) -> Result<sys::CUdevice> {
    result::device::get(ordinal(device).unwrap_or_default() as i32).w()
}
