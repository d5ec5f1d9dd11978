//! The low-rank update of an affine layer.

use std::ops::Range;

use candle_core::{DType, Tensor};

use crate::builder::Builder;
use crate::parameters::LowRankUpdate;
use crate::{LoraTarget, Mode, Result, ops};

/// Which outputs of which affine layer of a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    /// The layer, such as `bert.encoder.layer.0.output.dense`.
    pub(crate) layer: &'a str,
    /// Where the layer holds several: the name of these, and which they are.
    pub(crate) part: Option<(&'a str, &'a Range<usize>)>,
    pub(crate) target: LoraTarget,
}

impl<'a> Site<'a> {
    /// All outputs of a layer.
    pub(crate) fn whole(layer: &'a str, target: LoraTarget) -> Self {
        Self {
            layer,
            part: None,
            target,
        }
    }
}

/// `scale · B A` (Hu et al. 2021).
#[derive(Clone, Debug)]
pub(crate) struct LowRank {
    a: Tensor,
    b: Tensor,
    /// Zeros for the outputs of `A` and of `B`.
    no_bias: [Tensor; 2],
    scale: f64,
    dropout: f64,
}

impl LowRank {
    /// For weights `[outputs, inputs]`; `None` where the run asks for no update.
    pub(crate) fn load(
        builder: &mut Builder<'_>,
        site: Site<'_>,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Option<Self>> {
        let Some(lora) = builder.lora_at(site.layer, site.target) else {
            return Ok(None);
        };
        let (first, base) = match site.part {
            Some((name, outputs)) => (outputs.start, format!("{}.{name}", site.layer)),
            None => (0, site.layer.to_owned()),
        };
        let update = LowRankUpdate {
            weight: format!("{}.weight", site.layer),
            first,
            a: format!("{base}.lora_A.weight"),
            b: format!("{base}.lora_B.weight"),
            scale: lora.scale(),
        };
        let device = builder.device().clone();
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &device);
        let no_bias = [zeros(lora.rank)?, zeros(outputs)?];
        let [a, b] = builder.low_rank_update(update, lora.rank, [outputs, inputs])?;
        Ok(Some(Self {
            a,
            b,
            no_bias,
            scale: lora.scale(),
            dropout: lora.dropout,
        }))
    }

    /// `[rows, inputs]` → what the layer's outputs `[rows, outputs]` change by.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode<'_>) -> Result<Tensor> {
        let (precision, [no_a, no_b]) = (mode.precision(), &self.no_bias);
        let x = ops::dropout(x, self.dropout, mode)?;
        let narrow = (ops::linear(&x, &self.a, no_a, precision)? * self.scale)?;
        Ok(ops::linear(&narrow, &self.b, no_b, precision)?)
    }
}
