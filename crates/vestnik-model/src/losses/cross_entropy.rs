//! Cross-entropy with ignored rows, partial annotation, smoothing, weights and focus, in one operation.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Exp, MaxNum, SumExpSub};

use super::CrossEntropyOptions;
use super::composed::{self, coefficient};
use super::target::{Target, targets};
use crate::Result;
use crate::ops::cpu;
#[cfg(feature = "cuda")]
use crate::ops::cuda;

/// Mean cross-entropy `-log softmax(logits)[label]` over the rows whose label is not negative
/// ([`vestnik_text::IGNORE`] by convention); zero when there is no such row.
///
/// **Shapes** `logits [rows, classes]`, `rows` labels → scalar.
///
/// # Errors
/// [`crate::Error::Argument`] when the number of labels is not that of the rows, or a label is not below the number of
/// classes.
pub fn cross_entropy(logits: &Tensor, labels: &[i64]) -> Result<Tensor> {
    partial_cross_entropy(logits, labels, &[])
}

/// [`cross_entropy`] under partial annotation: where `allowed` of a row is not 0, its bits are the classes that the
/// annotation leaves possible, and the loss is `-log` of their total probability (the marginal likelihood of
/// Tsuboi et al. 2008), so that a class that a corpus does not annotate is never counted as wrong.
///
/// **Shapes** `logits [rows, classes]`, `rows` labels, `rows` sets or none at all → scalar.
///
/// # Errors
/// [`crate::Error::Argument`] when the lengths differ, a label is not below the number of classes, or sets are given for
/// more than 64 classes.
pub fn partial_cross_entropy(logits: &Tensor, labels: &[i64], allowed: &[u64]) -> Result<Tensor> {
    cross_entropy_with(logits, labels, allowed, &CrossEntropyOptions::default())
}

/// [`partial_cross_entropy`] with label smoothing, class weights and focus, as [`CrossEntropyOptions`] defines them; the
/// weight of a row is that of its label, also where the annotation leaves others possible.
///
/// The same for tokens and for sequences: nothing but rows of logits is seen. Zero when all rows are ignored or weigh
/// nothing.
///
/// **Shapes** `logits [rows, classes]`, `rows` labels, `rows` sets or none at all → scalar.
///
/// # Errors
/// As [`partial_cross_entropy`], and [`crate::Error::Argument`] for options out of range.
pub fn cross_entropy_with(
    logits: &Tensor,
    labels: &[i64],
    allowed: &[u64],
    options: &CrossEntropyOptions,
) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if cuda::applies_to(logits) && allowed.is_empty() && options.is_plain() {
        return on_gpu(logits, labels, options);
    }
    if !cpu::is_cpu_f32(logits) {
        return cross_entropy_with_composed(logits, labels, allowed, options);
    }
    let rows = weighted_targets(logits, labels, allowed, options)?;
    let operation = CrossEntropySum {
        rows,
        shares: options.shares(logits.dim(1)?),
        options: options.clone(),
    };
    let total = logits.contiguous()?.apply_op1(operation)?;
    mean(&total, labels, options)
}

/// [`cross_entropy_with`] composed of candle's own differentiable operations: the reference in tests.
///
/// # Errors
/// As [`cross_entropy_with`].
pub fn cross_entropy_with_composed(
    logits: &Tensor,
    labels: &[i64],
    allowed: &[u64],
    options: &CrossEntropyOptions,
) -> Result<Tensor> {
    let rows = weighted_targets(logits, labels, allowed, options)?;
    let total = composed::cross_entropy_sum(logits, &rows, options)?;
    mean(&total, labels, options)
}

/// [`cross_entropy_with`] with one label a row and no more than weights, on a GPU.
#[cfg(feature = "cuda")]
fn on_gpu(logits: &Tensor, labels: &[i64], options: &CrossEntropyOptions) -> Result<Tensor> {
    let rows = weighted_targets(logits, labels, &[], options)?;
    let weights: Vec<f32> = rows.iter().map(|(_, weight)| *weight).collect();
    let classes: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let total = cuda::cross_entropy_sum(logits, &classes, &weights)?;
    mean(&total, labels, options)
}

/// What is asked of each row, and how much the row weighs.
fn weighted_targets(
    logits: &Tensor,
    labels: &[i64],
    allowed: &[u64],
    options: &CrossEntropyOptions,
) -> Result<Vec<(Target, f32)>> {
    options.check(logits.dims2()?.1)?;
    let targets = targets(logits, labels, allowed)?;
    let weights = labels.iter().map(|&label| options.weight(label));
    Ok(targets.into_iter().zip(weights).collect())
}

fn mean(total: &Tensor, labels: &[i64], options: &CrossEntropyOptions) -> Result<Tensor> {
    let weight = options.total_weight(labels);
    Ok((total / if weight > 0.0 { weight } else { 1.0 })?)
}

/// The sum of the losses of all rows.
struct CrossEntropySum {
    rows: Vec<(Target, f32)>,
    /// What smoothing asks for each class; empty without smoothing.
    shares: Vec<f32>,
    options: CrossEntropyOptions,
}

/// `log(sum(exp(row)))`, stable for large values.
fn row_log_sum_exp(row: &[f32]) -> f32 {
    let max = MaxNum::new(row).dispatch();
    SumExpSub::new(row, max).dispatch().ln() + max
}

/// [`row_log_sum_exp`] over the classes of a target.
fn target_log_sum_exp(row: &[f32], target: Target) -> f32 {
    if let Target::Class(label) = target {
        return row[label];
    }
    let inside = || {
        let row = row.iter().enumerate();
        row.filter(|(class, _)| target.contains(*class))
            .map(|(_, x)| *x)
    };
    let max = inside().fold(f32::NEG_INFINITY, f32::max);
    inside().map(|x| (x - max).exp()).sum::<f32>().ln() + max
}

impl CrossEntropySum {
    fn row_loss(&self, row: &[f32], (target, weight): (Target, f32)) -> f32 {
        if target == Target::Ignored {
            return 0.0;
        }
        let normalizer = row_log_sum_exp(row);
        let inside = target_log_sum_exp(row, target) - normalizer;
        let mut loss =
            coefficient(target, weight, &self.shares, &self.options) * self.modulated(inside);
        for (class, share) in self.shares.iter().enumerate() {
            if !target.contains(class) {
                loss += share * self.modulated(row[class] - normalizer);
            }
        }
        loss
    }

    /// Turns a row of logits into the gradient of its loss times `scale`.
    ///
    /// With `d(g)` the slope of the loss in the log-probability of the group `g` (the target, or a class outside of it) and
    /// `D` the sum of all, it is `d(g) p(c) / p(g) - D p(c)` for a class `c` of `g`.
    fn row_gradient(&self, row: &mut [f32], (target, weight): (Target, f32), scale: f32) {
        if target == Target::Ignored {
            return row.fill(0.0);
        }
        let normalizer = row_log_sum_exp(row);
        let inside = target_log_sum_exp(row, target);
        let coefficient = coefficient(target, weight, &self.shares, &self.options);
        let slope = coefficient * self.slope(inside - normalizer);
        let within: Vec<(usize, f32)> = match target {
            Target::Class(label) => vec![(label, slope)],
            _ => {
                let classes = (0..row.len()).filter(|class| target.contains(*class));
                let share = |class: usize| slope * (row[class] - inside).exp();
                classes.map(|class| (class, share(class))).collect()
            }
        };
        let outside = self.outside_slopes(row, target, normalizer);
        let total = slope + outside.iter().map(|(_, slope)| slope).sum::<f32>();
        row.iter_mut().for_each(|x| *x -= normalizer);
        Exp {}.map_mut(row);
        row.iter_mut().for_each(|x| *x *= -total * scale);
        for (class, slope) in within.into_iter().chain(outside) {
            row[class] += scale * slope;
        }
    }

    /// The slopes of the loss in the log-probabilities of the classes outside of the target; none without smoothing.
    fn outside_slopes(&self, row: &[f32], target: Target, normalizer: f32) -> Vec<(usize, f32)> {
        let shares = self.shares.iter().enumerate();
        shares
            .filter(|(class, _)| !target.contains(*class))
            .map(|(class, share)| (class, share * self.slope(row[class] - normalizer)))
            .collect()
    }

    /// `-(1 - p)^gamma log p` of a log-probability.
    fn modulated(&self, log_probability: f32) -> f32 {
        let gamma = self.options.focal_gamma as f32;
        if gamma == 0.0 {
            return -log_probability;
        }
        -log_probability * rest(log_probability).powf(gamma)
    }

    /// The slope of [`Self::modulated`] in the log-probability.
    fn slope(&self, log_probability: f32) -> f32 {
        let gamma = self.options.focal_gamma as f32;
        let rest = rest(log_probability);
        if gamma == 0.0 {
            -1.0
        } else if rest == 0.0 {
            0.0
        } else {
            let bend = gamma * log_probability.exp() * log_probability / rest;
            rest.powf(gamma) * (bend - 1.0)
        }
    }
}

/// `1 - p` of a log-probability, with all its digits near 1; a sum of probabilities may be above 1 by rounding.
fn rest(log_probability: f32) -> f32 {
    (-log_probability.exp_m1()).max(0.0)
}

impl CustomOp1 for CrossEntropySum {
    fn name(&self) -> &'static str {
        "cross_entropy_sum"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let classes = layout.shape().dims2()?.1;
        let rows = cpu::slice_of(logits, layout)?.par_chunks_exact(classes);
        let losses: Vec<f32> = rows
            .zip(&self.rows)
            .map(|(row, target)| self.row_loss(row, *target))
            .collect();
        let total: f64 = losses.iter().map(|loss| f64::from(*loss)).sum();
        Ok(cpu::output(vec![total as f32], ()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let scale = grad.to_scalar::<f32>()?;
        let classes = logits.dim(1)?;
        let mut out = cpu::data_of(logits).as_slice()?.to_vec();
        out.par_chunks_exact_mut(classes)
            .zip(&self.rows)
            .for_each(|(row, target)| self.row_gradient(row, *target, scale));
        Ok(Some(Tensor::from_vec(
            out,
            logits.shape(),
            logits.device(),
        )?))
    }
}
