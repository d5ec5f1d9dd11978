//! An affine layer.

use candle_core::Tensor;

use crate::Result;
use crate::builder::{Builder, Init};
use crate::ops;

/// `x Wᵀ + b` with the tensors `{name}.weight` and `{name}.bias`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Fresh weights are normal with `deviation`, fresh biases zero.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        name: &str,
        inputs: usize,
        outputs: usize,
        deviation: f64,
    ) -> Result<Self> {
        Ok(Self {
            weight: builder.tensor(
                &format!("{name}.weight"),
                &[outputs, inputs],
                Init::Normal(deviation),
            )?,
            bias: builder.tensor(&format!("{name}.bias"), &[outputs], Init::Zeros)?,
        })
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::linear(x, &self.weight, &self.bias)?)
    }
}
