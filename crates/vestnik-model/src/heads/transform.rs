//! What several heads do with the encoder's states before their last layer.

use candle_core::Tensor;

use crate::config::Activation;
use crate::layers::{LayerNorm, Linear};
use crate::{Mode, Result};

/// An affine layer, a function and, in some heads, a layer norm.
#[derive(Clone, Debug)]
pub(crate) struct Transform {
    pub(crate) dense: Linear,
    pub(crate) activation: Activation,
    pub(crate) norm: Option<LayerNorm>,
}

impl Transform {
    /// `[rows, hidden]` → `[rows, width of the affine layer]`.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let x = self.activation.forward(&self.dense.forward(x, mode)?)?;
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }
}
