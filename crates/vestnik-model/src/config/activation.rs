//! The functions between two affine layers.

use candle_core::Tensor;

use crate::{Result, ops};

/// A function of single values, by its name in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// `x Φ(x)` with the error function (Hendrycks & Gimpel 2016): `gelu`, `gelu_python`.
    Gelu,
    /// The approximation of GELU by the hyperbolic tangent: `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`,
    /// `gelu_python_tanh`.
    GeluTanh,
    /// `max(x, 0)`: `relu`.
    Relu,
    /// `x σ(x)`: `silu`, `swish`.
    Silu,
    /// The hyperbolic tangent: `tanh`.
    Tanh,
}

impl Activation {
    /// The names that are understood, for messages.
    pub(crate) const NAMES: &str = "gelu, gelu_python, gelu_new, gelu_pytorch_tanh, gelu_fast, gelu_python_tanh, relu, silu, swish, tanh";

    /// The function that the reference has under this name (transformers, `activations.py`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" | "gelu_python" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "gelu_python_tanh" => {
                Some(Self::GeluTanh)
            }
            "relu" => Some(Self::Relu),
            "silu" | "swish" => Some(Self::Silu),
            "tanh" => Some(Self::Tanh),
            _ => None,
        }
    }

    /// The function of every element.
    pub(crate) fn forward(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Gelu => ops::gelu(x)?,
            Self::GeluTanh => x.gelu()?,
            Self::Relu => x.relu()?,
            Self::Silu => x.silu()?,
            Self::Tanh => x.tanh()?,
        })
    }
}
