//! The cross-entropy out of candle's own operations: the reference in tests, and the path on other devices.

use candle_core::{D, DType, Tensor};

use super::CrossEntropyOptions;
use super::target::Target;
use crate::Result;

/// What counts as impossible beside a logit: its exponential is zero, and it is finite.
const EXCLUDED: f32 = -1e30;

/// The sum of the losses of all rows.
pub(super) fn cross_entropy_sum(
    logits: &Tensor,
    targets: &[(Target, f32)],
    options: &CrossEntropyOptions,
) -> Result<Tensor> {
    let logits = logits.to_dtype(DType::F32)?;
    let (rows, classes) = logits.dims2()?;
    let shares = options.shares(classes);
    let excluded = matrix(&logits, targets, |target, class| {
        if target.contains(class) {
            0.0
        } else {
            EXCLUDED
        }
    })?;
    let normalizer = log_sum_exp(&logits)?;
    let inside = (log_sum_exp(&(&logits + excluded)?)? - &normalizer)?;
    let coefficients: Vec<f32> = targets
        .iter()
        .map(|(target, weight)| coefficient(*target, *weight, &shares, options))
        .collect();
    let coefficients = Tensor::from_vec(coefficients, rows, logits.device())?;
    let total = (modulated(&inside, options)? * coefficients)?.sum_all()?;
    if shares.is_empty() {
        return Ok(total);
    }
    let outside = matrix(&logits, targets, |target, class| {
        if target.contains(class) {
            0.0
        } else {
            shares[class]
        }
    })?;
    let log_probabilities = logits.broadcast_sub(&normalizer.unsqueeze(1)?)?;
    let smoothed = (modulated(&log_probabilities, options)? * outside)?;
    Ok((total + smoothed.sum_all()?)?)
}

/// A number for each row and class.
fn matrix(
    logits: &Tensor,
    targets: &[(Target, f32)],
    value: impl Fn(Target, usize) -> f32,
) -> Result<Tensor> {
    let classes = logits.dim(1)?;
    let values: Vec<f32> = targets
        .iter()
        .flat_map(|&(target, _)| (0..classes).map(move |class| (target, class)))
        .map(|(target, class)| value(target, class))
        .collect();
    Ok(Tensor::from_vec(values, logits.shape(), logits.device())?)
}

/// How much the classes that the annotation leaves possible count together.
pub(super) fn coefficient(
    target: Target,
    weight: f32,
    shares: &[f32],
    options: &CrossEntropyOptions,
) -> f32 {
    if target == Target::Ignored {
        return 0.0;
    }
    let inside = shares.iter().enumerate();
    let shares: f32 = inside
        .filter(|(class, _)| target.contains(*class))
        .map(|(_, share)| share)
        .sum();
    (1.0 - options.label_smoothing as f32) * weight + shares
}

/// `-(1 - p)^gamma log p` of log-probabilities.
fn modulated(log_probabilities: &Tensor, options: &CrossEntropyOptions) -> Result<Tensor> {
    let losses = log_probabilities.neg()?;
    if options.focal_gamma == 0.0 {
        return Ok(losses);
    }
    // A power of zero has no slope.
    let rest = (1.0 - log_probabilities.exp()?)?.maximum(1e-12)?;
    Ok((rest.powf(options.focal_gamma)? * losses)?)
}

fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let max = x.max_keepdim(D::Minus1)?.detach();
    let sum = x.broadcast_sub(&max)?.exp()?.sum(D::Minus1)?;
    Ok((sum.log()? + max.squeeze(D::Minus1)?)?)
}
