//! How an engine computes.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The numbers in which products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineDtype {
    /// `f32`. With AMX each factor is the sum of three bf16 numbers, and a product the sum of six, which is as exact as `f32`.
    #[default]
    F32,
    /// 8-bit whole numbers: weights with a scale for every output, activations with a range for every token. What is
    /// between the products stays `f32`, attention is computed in bf16 or `f32`.
    Int8,
}

impl fmt::Display for EngineDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for EngineDtype {
    type Err = String;

    /// `f32` or `int8`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            _ => Err(format!(
                "unknown number type {text:?}, expected f32 or int8"
            )),
        }
    }
}

/// Which kernels an engine may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernels {
    /// The fastest that the processor has: AMX tiles (Linux on Intel Sapphire Rapids and later), otherwise AVX-512 vectors
    /// with VNNI (Intel Cascade Lake, AMD Zen 4, and later), otherwise AVX2 vectors (Intel Haswell, AMD Zen, and later), with
    /// VNNI where they have it (Intel Alder Lake and later), otherwise the portable ones. With `VESTNIK_KERNELS=avx512`,
    /// `=avxvnni`, `=avx2` or `=portable` in the environment, at most those.
    #[default]
    Fastest,
    /// At most AVX-512 vectors, where the processor has tiles, too.
    Avx512,
    /// At most AVX2 vectors with VNNI, where the processor has more, too.
    AvxVnni,
    /// At most AVX2 vectors without VNNI, where the processor has more, too.
    Avx2,
    /// Those of `rten-gemm`, which choose between AVX-512, AVX2, NEON and plain code themselves.
    Portable,
}

impl FromStr for Kernels {
    type Err = Error;

    /// `avx512`, `avxvnni`, `avx2` or `portable`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "avx512" => Ok(Self::Avx512),
            "avxvnni" => Ok(Self::AvxVnni),
            "avx2" => Ok(Self::Avx2),
            "portable" => Ok(Self::Portable),
            _ => Err(Error::Argument {
                what: "VESTNIK_KERNELS",
                expected: "avx512, avxvnni, avx2 or portable".to_owned(),
                got: format!("{text:?}"),
            }),
        }
    }
}

/// Settings of an engine.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Default: [`EngineDtype::F32`].
    pub dtype: EngineDtype,
    /// Default: [`Kernels::Fastest`].
    pub kernels: Kernels,
    /// Layers, from 0, that are computed in `f32` in any case: those that [`EngineDtype::Int8`] does harm. Default: none.
    pub f32_layers: Vec<usize>,
}

impl EngineOptions {
    /// Sets the numbers in which products are computed.
    #[must_use]
    pub fn with_dtype(mut self, dtype: EngineDtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// Sets the layers that stay in `f32`; numbers beyond the last layer say nothing.
    #[must_use]
    pub fn with_f32_layers(mut self, layers: impl IntoIterator<Item = usize>) -> Self {
        self.f32_layers = layers.into_iter().collect();
        self
    }

    /// The same, with at most the kernels that the environment names.
    pub(crate) fn in_environment(&self) -> Result<Self> {
        let options = self.clone();
        let Some(named) = std::env::var_os("VESTNIK_KERNELS") else {
            return Ok(options);
        };
        let named = named.to_string_lossy().parse()?;
        Ok(options.with_kernels(self.kernels.max(named)))
    }

    /// Sets the kernels.
    #[must_use]
    pub fn with_kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_names_and_an_order() {
        let names = ["avx512", "avxvnni", "avx2", "portable"];
        let kernels = names.map(|name| name.parse::<Kernels>().unwrap());
        assert_eq!(
            kernels,
            [
                Kernels::Avx512,
                Kernels::AvxVnni,
                Kernels::Avx2,
                Kernels::Portable
            ]
        );
        assert!(kernels.is_sorted() && Kernels::Fastest < kernels[0]);
        let error = "AVX2".parse::<Kernels>().unwrap_err();
        let expected = r#"VESTNIK_KERNELS: expected avx512, avxvnni, avx2 or portable, got "AVX2""#;
        assert_eq!(error.to_string(), expected);
    }
}
