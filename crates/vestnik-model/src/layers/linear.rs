//! An affine layer.

use std::ops::Range;

use candle_core::Tensor;

use crate::builder::{Builder, Init};
use crate::layers::{LowRank, Site};
use crate::ops;
use crate::{LoraTarget, Mode, Result};

/// `x Wᵀ + b` with the tensors `{name}.weight` and, where it has one, `{name}.bias`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    weight: Tensor,
    /// Zeros that are no parameter in a layer without a bias.
    bias: Tensor,
    update: Option<LowRank>,
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
        Self::load_with(builder, name, [inputs, outputs], deviation, true)
    }

    /// [`Self::load`] for `[inputs, outputs]`, with a low-rank update where the run asks for one.
    pub(crate) fn load_adapted(
        builder: &mut Builder<'_>,
        name: &str,
        target: LoraTarget,
        [inputs, outputs]: [usize; 2],
        deviation: f64,
    ) -> Result<Self> {
        Self::load(builder, name, inputs, outputs, deviation)?
            .adapted(builder, Site::whole(name, target))
    }

    /// [`Self::load`] for `[inputs, outputs]`, with or without a bias.
    pub(crate) fn load_with(
        builder: &mut Builder<'_>,
        name: &str,
        [inputs, outputs]: [usize; 2],
        deviation: f64,
        has_bias: bool,
    ) -> Result<Self> {
        let init = Init::Normal(deviation);
        Ok(Self {
            weight: builder.tensor(&format!("{name}.weight"), &[outputs, inputs], init)?,
            bias: builder.bias(&format!("{name}.bias"), outputs, has_bias)?,
            update: None,
        })
    }

    /// The layer that gives only some of the outputs, without an update.
    pub(crate) fn outputs(&self, range: &Range<usize>) -> Result<Self> {
        Ok(Self {
            weight: self.weight.narrow(0, range.start, range.len())?,
            bias: self.bias.narrow(0, range.start, range.len())?,
            update: None,
        })
    }

    /// The layer with a low-rank update, where the run asks for one at this site.
    pub(crate) fn adapted(mut self, builder: &mut Builder<'_>, site: Site<'_>) -> Result<Self> {
        self.update = LowRank::load(builder, site, self.weight.dims2()?.into())?;
        Ok(self)
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let y = ops::linear(x, &self.weight, &self.bias, mode.precision())?;
        match &self.update {
            Some(update) => Ok(ops::add(&y, &update.forward(x, mode)?)?),
            None => Ok(y),
        }
    }
}
