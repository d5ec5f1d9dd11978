//! Which device to compute on.

use std::fmt;
use std::str::FromStr;

use vestnik_model::Device;

use crate::error::{Error, Result};

/// A wish for a device, as written on a command line: `auto`, `cpu`, `cuda` or `cuda:1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this number, from 0. Never replaced by another device.
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::Device`] if a CUDA device was asked for and is not there, or this build has no CUDA.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            // What was built says nothing of the machine: the GPU is tried.
            Self::Auto => Ok(open_cuda(0).unwrap_or(Device::Cpu)),
            Self::Cuda(ordinal) => open_cuda(ordinal).map_err(|error| Error::Device {
                choice: self,
                reason: why_not(&error),
            }),
        }
    }
}

/// The driver's names of what goes wrong most, in words.
const REASONS: [(&str, &str); 8] = [
    (
        "CUDA_ERROR_NO_DEVICE",
        "there is no NVIDIA GPU here, or no driver for it",
    ),
    (
        "CUDA_ERROR_STUB_LIBRARY",
        "there is no NVIDIA GPU here, or no driver for it",
    ),
    (
        "CUDA_ERROR_INVALID_DEVICE",
        "there is no GPU of this number among those that may be used (CUDA_VISIBLE_DEVICES)",
    ),
    (
        "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        "its driver is older than the CUDA toolkit that this program was built with",
    ),
    (
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "this program was built for another generation of GPUs (CUDA_COMPUTE_CAP)",
    ),
    (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "its driver and the library of it are of different versions",
    ),
    (
        "CUDA_ERROR_OUT_OF_MEMORY",
        "its memory is taken by other programs",
    ),
    (
        "CUBLAS_STATUS_NOT_INITIALIZED",
        "the library cuBLAS is missing, or no memory is left for it",
    ),
];

/// Why a GPU does not open, in one line.
fn why_not(error: &candle_core::Error) -> String {
    let error = match error {
        candle_core::Error::WithBacktrace { inner, .. } => inner,
        error => error,
    };
    if matches!(error, candle_core::Error::NotCompiledWithCudaSupport) {
        return "this program was built without CUDA".to_owned();
    }
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default();
    match REASONS.iter().find(|(name, _)| said.contains(name)) {
        Some((name, reason)) => format!("{reason} ({name})"),
        None => said.to_owned(),
    }
}

/// Opens a GPU and makes it ready.
fn open_cuda(ordinal: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda(ordinal)?;
    #[cfg(feature = "cuda")]
    vestnik_model::ops::cuda::prepare(&device)?;
    Ok(device)
}

/// What a device is, for messages: `cpu`, or `cuda` with number, name, memory, compute capability and driver.
#[must_use]
pub fn device_name(device: &Device) -> String {
    #[cfg(feature = "cuda")]
    if let Ok(Some(gpu)) = vestnik_model::ops::cuda::describe(device) {
        let (major, minor) = gpu.compute_capability;
        return format!(
            "cuda:{} ({}, {} GB, compute capability {major}.{minor}, driver for CUDA {}.{})",
            gpu.ordinal,
            gpu.name,
            gpu.memory_bytes / 1_000_000_000,
            gpu.driver.0,
            gpu.driver.1
        );
    }
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(_) => "cuda".to_owned(),
        Device::Metal(_) => "metal".to_owned(),
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::UnknownDevice {
            text: text.to_owned(),
        };
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let ordinal = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                ordinal.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::Cuda(0)
        );
        for text in ["", "gpu", "cuda:", "cuda:-1", "CPU"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_drivers_errors_are_put_in_words() {
        let driver = |name: &str| {
            candle_core::Error::Msg(format!("DriverError({name}, \"no such thing\")\n0: frame"))
        };
        assert_eq!(
            why_not(&driver("CUDA_ERROR_NO_DEVICE")),
            "there is no NVIDIA GPU here, or no driver for it (CUDA_ERROR_NO_DEVICE)"
        );
        assert_eq!(
            why_not(&driver("CUDA_ERROR_UNKNOWN").bt()),
            "DriverError(CUDA_ERROR_UNKNOWN, \"no such thing\")"
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let error = DeviceChoice::Cuda(0).open().unwrap_err();
        assert!(matches!(error, Error::Device { .. }));
        assert!(DeviceChoice::Auto.open().unwrap().is_cpu());
    }
}
