//! AdamW with decoupled weight decay.

mod groups;
pub(crate) mod kernels;
mod state;

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};
use vestnik_model::Parameters;

use crate::config::within;
use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::row_gradient::RowGradient;
use groups::Groups;
use kernels::{Descent, FirstMoment, RowMoment, SecondMoment};

/// Settings of [`AdamW`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdamWConfig {
    /// Peak learning rate; the schedule scales it. Default 3e-4.
    pub learning_rate: f64,
    /// Decoupled decay of weight matrices and embeddings; biases and norms are never decayed. Default 0.01.
    pub weight_decay: f64,
    /// Decay of the mean of the gradients. Default 0.9.
    pub beta1: f64,
    /// Decay of the mean of their squares. Default 0.999.
    pub beta2: f64,
    /// Added to the root of the second moment. Default 1e-8.
    pub epsilon: f64,
    /// Factor on the learning rate of the head (parameters whose name begins with `classifier`). Default 1.
    pub head_lr_factor: f64,
    /// Factor on the learning rate for each layer down from the head: a layer below the top one learns at this rate of
    /// the one above it, the embeddings below the lowest. Default 1.
    pub layer_lr_decay: f64,
    /// Longest gradient (Euclidean norm over all parameters); longer ones are shortened to it. 0 turns clipping off. Default 1.
    pub max_grad_norm: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            head_lr_factor: 1.0,
            layer_lr_decay: 1.0,
            max_grad_norm: 1.0,
        }
    }
}

impl AdamWConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first value out of its range.
    pub fn check(&self) -> Result<()> {
        within("optimizer.learning_rate", self.learning_rate, 0.0..=1.0)?;
        within("optimizer.weight_decay", self.weight_decay, 0.0..=1.0)?;
        within("optimizer.beta1", self.beta1, 0.0..=0.999_999)?;
        within("optimizer.beta2", self.beta2, 0.0..=0.999_999)?;
        within("optimizer.epsilon", self.epsilon, 1e-30..=1.0)?;
        within("optimizer.head_lr_factor", self.head_lr_factor, 0.0..=1e6)?;
        within("optimizer.layer_lr_decay", self.layer_lr_decay, 0.0..=1.0)?;
        within("optimizer.max_grad_norm", self.max_grad_norm, 0.0..=1e6)
    }
}

/// AdamW (Loshchilov & Hutter 2019, algorithm 2): Adam with bias correction and a decay of the weights that does not pass
/// through the moments.
///
/// Moments are f32 whatever the parameter. On the CPU and on GPUs every update is made in place in three passes (first
/// moment, second moment, weight), on the CPU in parallel, with the same bits for any number of threads; elsewhere it is composed
/// from tensor operations.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    step: u64,
    slots: Vec<Slot>,
}

/// A parameter, its group and its moments.
#[derive(Debug)]
struct Slot {
    name: String,
    var: Var,
    weight_decay: f64,
    lr_factor: f64,
    first: Tensor,
    second: Tensor,
    /// Updates of this parameter: those of a head that few batches are for are fewer than those of the encoder.
    step: u64,
}

/// The scalars of one update of one parameter.
struct Update {
    lr: f64,
    keep: f64,
    first_correction: f64,
    second_correction: f64,
    scale: f64,
}

impl AdamW {
    /// An optimizer with zero moments over these parameters.
    ///
    /// Groups: no decay for parameters of rank 0 or 1 (biases, norms) and for names that end in `.bias`;
    /// [`AdamWConfig::head_lr_factor`] for names that begin with `classifier`; [`AdamWConfig::layer_lr_decay`] by the
    /// number of the layer in the name.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting out of range, [`Error::Tensor`] when memory for the moments cannot be had.
    pub fn new<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a Var)>,
        config: AdamWConfig,
    ) -> Result<Self> {
        let parameters: Vec<_> = parameters.into_iter().collect();
        let names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        Self::with_names(parameters, names, config)
    }

    /// [`Self::new`] over the tensors of a model that learn; layers are counted over all tensors, those that are frozen
    /// included.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_model(parameters: &Parameters, config: AdamWConfig) -> Result<Self> {
        let names = parameters.iter().map(|(name, _)| name);
        Self::with_names(parameters.trainable(), names, config)
    }

    fn with_names<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a Var)>,
        names: impl IntoIterator<Item = &'a str>,
        config: AdamWConfig,
    ) -> Result<Self> {
        config.check()?;
        let groups = Groups::new(names, &config);
        let slots = parameters
            .into_iter()
            .map(|(name, var)| Slot::new(name, var, &groups))
            .collect::<candle_core::Result<Vec<_>>>()
            .map_err(Error::tensor("making the moments of AdamW"))?;
        Ok(Self {
            config,
            step: 0,
            slots,
        })
    }

    /// Updates made so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &AdamWConfig {
        &self.config
    }

    /// One update at learning rate `lr` with the gradients times `scale` (see [`crate::clip_factor`]).
    ///
    /// Parameters without a gradient keep their value and moments, and the step does not count for them, as in PyTorch.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a gradient has another shape, kind or device than its parameter.
    pub fn step(&mut self, gradients: &Gradients, lr: f64, scale: f64) -> Result<()> {
        self.step += 1;
        for slot in &mut self.slots {
            let (dense, rows) = (gradients.get(&slot.name), gradients.rows(&slot.name));
            if dense.is_none() && rows.is_none() {
                continue;
            }
            slot.step += 1;
            let update = Update::new(&self.config, slot, lr, scale);
            let applied = match (dense, rows) {
                (Some(gradient), _) => slot.apply(gradient, &self.config, &update),
                (None, Some(rows)) => slot.apply_rows(rows, &self.config, &update),
                (None, None) => Ok(()),
            };
            applied.map_err(Error::tensor("updating the weights"))?;
        }
        Ok(())
    }
}

impl Update {
    fn new(config: &AdamWConfig, slot: &Slot, lr: f64, scale: f64) -> Self {
        let lr = lr * slot.lr_factor;
        let correction = |beta: f64| 1.0 - beta.powf(slot.step as f64);
        Self {
            lr,
            keep: 1.0 - lr * slot.weight_decay,
            first_correction: correction(config.beta1),
            second_correction: correction(config.beta2),
            scale,
        }
    }
}

impl Slot {
    fn new(name: &str, var: &Var, groups: &Groups<'_>) -> candle_core::Result<Self> {
        let zeros = || Tensor::zeros(var.shape(), DType::F32, var.device());
        Ok(Self {
            name: name.to_owned(),
            var: var.clone(),
            weight_decay: groups.weight_decay(name, var.rank()),
            lr_factor: groups.lr_factor(name),
            first: zeros()?,
            second: zeros()?,
            step: 0,
        })
    }

    fn apply(
        &mut self,
        gradient: &Tensor,
        config: &AdamWConfig,
        update: &Update,
    ) -> candle_core::Result<()> {
        if kernels::apply_to(self.var.as_tensor()) {
            self.apply_in_place(gradient, config, update)
        } else {
            self.apply_composed(gradient, config, update)
        }
    }

    fn apply_in_place(
        &self,
        gradient: &Tensor,
        config: &AdamWConfig,
        update: &Update,
    ) -> candle_core::Result<()> {
        let scale = update.scale;
        let first = FirstMoment {
            beta: config.beta1,
            scale,
        };
        self.first.inplace_op2(gradient, &first)?;
        let second = SecondMoment {
            beta: config.beta2,
            scale,
        };
        self.second.inplace_op2(gradient, &second)?;
        self.descend(config, update)
    }

    /// [`Self::apply_in_place`] with a gradient that is zero in most rows: the same bits, without the zeros.
    fn apply_rows(
        &self,
        gradient: &RowGradient,
        config: &AdamWConfig,
        update: &Update,
    ) -> candle_core::Result<()> {
        let (beta, scale) = (config.beta1, update.scale);
        let first = RowMoment {
            gradient,
            moment: FirstMoment { beta, scale },
        };
        self.first.inplace_op1(&first)?;
        let beta = config.beta2;
        let second = RowMoment {
            gradient,
            moment: SecondMoment { beta, scale },
        };
        self.second.inplace_op1(&second)?;
        self.descend(config, update)
    }

    /// Moves the weights by the moments, in place.
    fn descend(&self, config: &AdamWConfig, update: &Update) -> candle_core::Result<()> {
        let descent = Descent {
            keep: update.keep as f32,
            rate: (update.lr / update.first_correction) as f32,
            root_correction: update.second_correction.sqrt().recip() as f32,
            epsilon: config.epsilon as f32,
        };
        self.var.inplace_op3(&self.first, &self.second, &descent)
    }

    fn apply_composed(
        &mut self,
        gradient: &Tensor,
        config: &AdamWConfig,
        update: &Update,
    ) -> candle_core::Result<()> {
        let gradient = gradient
            .detach()
            .to_dtype(DType::F32)?
            .affine(update.scale, 0.0)?;
        let first =
            (self.first.affine(config.beta1, 0.0)? + gradient.affine(1.0 - config.beta1, 0.0)?)?;
        let second = (self.second.affine(config.beta2, 0.0)?
            + gradient.sqr()?.affine(1.0 - config.beta2, 0.0)?)?;
        let root = second
            .sqrt()?
            .affine(update.second_correction.sqrt().recip(), config.epsilon)?;
        let descent = (&first / root)?.affine(update.lr / update.first_correction, 0.0)?;
        let weight = self
            .var
            .as_detached_tensor()
            .to_dtype(DType::F32)?
            .affine(update.keep, 0.0)?;
        self.var
            .set(&(weight - descent)?.to_dtype(self.var.dtype())?)?;
        (self.first, self.second) = (first, second);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
