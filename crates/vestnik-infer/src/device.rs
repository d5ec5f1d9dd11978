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
            Self::Cuda(ordinal) => open_cuda(ordinal).map_err(|source| Error::Device {
                choice: self,
                source: Box::new(source),
            }),
        }
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

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let error = DeviceChoice::Cuda(0).open().unwrap_err();
        assert!(matches!(error, Error::Device { .. }));
        assert!(DeviceChoice::Auto.open().unwrap().is_cpu());
    }
}
