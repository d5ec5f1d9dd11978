//! The numbers in which products are computed.

use std::fmt;
use std::str::FromStr;

use vestnik_engine::EngineDtype;
use vestnik_model::Precision;

use crate::error::{Error, Result};

/// The numbers in which products are computed. What is between the products is `f32` in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 32-bit floats, on any device.
    #[default]
    F32,
    /// 32-bit floats whose factors a GPU rounds to TensorFloat-32 (11 bits of precision) in affine maps; on GPUs alone.
    Tf32,
    /// Factors rounded to 16-bit "brain" floats (8 bits of precision), sums in `f32`; on GPUs alone.
    Bf16,
    /// 8-bit whole numbers, weights with a scale for every output, activations with a range for every token; on the CPU
    /// alone.
    Int8,
}

impl Dtype {
    const ALL: [Self; 4] = [Self::F32, Self::Tf32, Self::Bf16, Self::Int8];

    /// As the CPU's engine knows it.
    pub(crate) fn of_engine(self) -> Result<EngineDtype> {
        match self {
            Self::F32 => Ok(EngineDtype::F32),
            Self::Int8 => Ok(EngineDtype::Int8),
            Self::Tf32 | Self::Bf16 => Err(Error::Dtype {
                dtype: self,
                device: "the CPU",
                known: &[Self::F32, Self::Int8],
            }),
        }
    }

    /// As other devices know it.
    pub(crate) fn precision(self) -> Result<Precision> {
        match self {
            Self::F32 => Ok(Precision::F32),
            Self::Tf32 => Ok(Precision::Tf32),
            Self::Bf16 => Ok(Precision::Bf16),
            Self::Int8 => Err(Error::Dtype {
                dtype: self,
                device: "GPUs",
                known: &[Self::F32, Self::Tf32, Self::Bf16],
            }),
        }
    }
}

impl From<EngineDtype> for Dtype {
    fn from(dtype: EngineDtype) -> Self {
        match dtype {
            EngineDtype::F32 => Self::F32,
            EngineDtype::Int8 => Self::Int8,
        }
    }
}

impl From<Precision> for Dtype {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Tf32 => Self::Tf32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Dtype {
    type Err = String;

    /// `f32`, `tf32`, `bf16` or `int8`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        all.find(|dtype| dtype.to_string() == text).ok_or_else(|| {
            format!(
                "unknown number type {text:?}, expected f32, tf32 or bf16 (GPUs), or int8 (CPU)"
            )
        })
    }
}
