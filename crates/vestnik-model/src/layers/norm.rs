//! Layer normalization with learnt scale and shift.

use candle_core::Tensor;

use crate::Result;
use crate::builder::{Builder, Init};
use crate::ops;

/// [`ops::layer_norm`] with the tensors `{name}.weight` and, where it has one, `{name}.bias`.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    /// Zeros that are no parameter in a layer without a bias.
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Fresh weights are one, fresh biases zero.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<Self> {
        Self::load_with(builder, name, width, eps, true)
    }

    /// [`Self::load`] with or without a bias.
    pub(crate) fn load_with(
        builder: &mut Builder<'_>,
        name: &str,
        width: usize,
        eps: f64,
        has_bias: bool,
    ) -> Result<Self> {
        Ok(Self {
            weight: builder.tensor(&format!("{name}.weight"), &[width], Init::Ones)?,
            bias: builder.bias(&format!("{name}.bias"), width, has_bias)?,
            eps,
        })
    }

    /// `[rows, width]` → `[rows, width]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm(x, &self.weight, &self.bias, self.eps)?)
    }
}
