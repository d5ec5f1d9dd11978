//! Losses over logits of tokens or sequences, with ignored rows and partial annotation.

mod binary_cross_entropy;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Exp, MaxNum, SumExpSub};

use crate::ops::cpu;
use crate::{Error, Result};

pub use binary_cross_entropy::{binary_cross_entropy, binary_cross_entropy_composed};

/// What the loss of one row of logits asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The row does not count.
    Ignored,
    /// Exactly this class.
    Class(usize),
    /// Any class whose bit is set: the annotation leaves open which.
    AnyOf(u64),
}

/// Mean cross-entropy `-log softmax(logits)[label]` over the rows whose label is not negative
/// ([`vestnik_text::IGNORE`] by convention); zero when there is no such row.
///
/// **Shapes** `logits [rows, classes]`, `rows` labels → scalar.
///
/// # Errors
/// [`Error::Argument`] when the number of labels is not that of the rows, or a label is not below the number of classes.
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
/// [`Error::Argument`] when the lengths differ, a label is not below the number of classes, or sets are given for more
/// than 64 classes.
pub fn partial_cross_entropy(logits: &Tensor, labels: &[i64], allowed: &[u64]) -> Result<Tensor> {
    let targets = targets(logits, labels, allowed)?;
    let n_counted = targets
        .iter()
        .filter(|target| **target != Target::Ignored)
        .count();
    let total = if cpu::is_cpu_f32(logits) {
        logits
            .contiguous()?
            .apply_op1(CrossEntropySum { targets })?
    } else {
        cross_entropy_sum_composed(logits, &targets)?
    };
    Ok((total / n_counted.max(1) as f64)?)
}

/// [`partial_cross_entropy`] composed of candle's own differentiable operations: the reference in tests.
///
/// # Errors
/// As [`partial_cross_entropy`].
pub fn partial_cross_entropy_composed(
    logits: &Tensor,
    labels: &[i64],
    allowed: &[u64],
) -> Result<Tensor> {
    let targets = targets(logits, labels, allowed)?;
    let n_counted = targets
        .iter()
        .filter(|target| **target != Target::Ignored)
        .count();
    Ok((cross_entropy_sum_composed(logits, &targets)? / n_counted.max(1) as f64)?)
}

fn targets(logits: &Tensor, labels: &[i64], allowed: &[u64]) -> Result<Vec<Target>> {
    let (rows, classes) = logits.dims2()?;
    let argument = |what, expected: String, got: String| {
        Err(Error::Argument {
            what,
            expected,
            got,
        })
    };
    if labels.len() != rows {
        return argument(
            "labels",
            format!("{rows}, one for every row of logits"),
            labels.len().to_string(),
        );
    }
    if !allowed.is_empty() && (allowed.len() != rows || classes > 64) {
        let expected = format!("none, or one for each of {rows} rows of at most 64 classes");
        return argument(
            "allowed sets",
            expected,
            format!("{} for {classes} classes", allowed.len()),
        );
    }
    if let Some(label) = labels.iter().find(|label| **label >= classes as i64) {
        return argument("label", format!("below {classes}"), label.to_string());
    }
    let target = |row: usize| match (labels[row], allowed.get(row)) {
        (label, _) if label < 0 => Target::Ignored,
        (_, Some(&set)) if set != 0 => Target::AnyOf(set),
        (label, _) => Target::Class(label as usize),
    };
    Ok((0..rows).map(target).collect())
}

/// Adds `-1e30` where a class is not in the target, and sums differences of log-sum-exps.
fn cross_entropy_sum_composed(logits: &Tensor, targets: &[Target]) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    let mut excluded = vec![0.0f32; rows * classes];
    let mut counted = vec![0.0f32; rows];
    for ((excluded, counted), target) in excluded
        .chunks_exact_mut(classes)
        .zip(&mut counted)
        .zip(targets)
    {
        *counted = if *target == Target::Ignored { 0.0 } else { 1.0 };
        for (class, excluded) in excluded.iter_mut().enumerate() {
            let inside = match *target {
                Target::Ignored => true,
                Target::Class(label) => class == label,
                Target::AnyOf(set) => set >> class & 1 == 1,
            };
            *excluded = if inside { 0.0 } else { -1e30 };
        }
    }
    let device = logits.device();
    let logits = logits.to_dtype(candle_core::DType::F32)?;
    let possible = (&logits + Tensor::from_vec(excluded, (rows, classes), device)?)?;
    let losses = (log_sum_exp(&logits)? - log_sum_exp(&possible)?)?;
    Ok((losses * Tensor::from_vec(counted, rows, device)?)?.sum_all()?)
}

fn log_sum_exp(x: &Tensor) -> Result<Tensor> {
    let max = x.max_keepdim(D::Minus1)?.detach();
    let sum = x.broadcast_sub(&max)?.exp()?.sum(D::Minus1)?;
    Ok((sum.log()? + max.squeeze(D::Minus1)?)?)
}

/// The sum of the losses of all rows.
struct CrossEntropySum {
    targets: Vec<Target>,
}

/// `log(sum(exp(row)))`, stable for large values.
fn row_log_sum_exp(row: &[f32]) -> f32 {
    let max = MaxNum::new(row).dispatch();
    SumExpSub::new(row, max).dispatch().ln() + max
}

/// [`row_log_sum_exp`] over the classes of a set.
fn set_log_sum_exp(row: &[f32], set: u64) -> f32 {
    let inside = || {
        row.iter()
            .enumerate()
            .filter(|(class, _)| set >> class & 1 == 1)
            .map(|(_, x)| *x)
    };
    let max = inside().fold(f32::NEG_INFINITY, f32::max);
    inside().map(|x| (x - max).exp()).sum::<f32>().ln() + max
}

fn row_loss(row: &[f32], target: Target) -> f32 {
    match target {
        Target::Ignored => 0.0,
        Target::Class(label) => row_log_sum_exp(row) - row[label],
        Target::AnyOf(set) => row_log_sum_exp(row) - set_log_sum_exp(row, set),
    }
}

/// Turns a row of logits into the gradient of its loss times `scale`: `softmax - softmax within the target`.
fn row_gradient(row: &mut [f32], target: Target, scale: f32) {
    let within: Vec<(usize, f32)> = match target {
        Target::Ignored => return row.fill(0.0),
        Target::Class(label) => vec![(label, 1.0)],
        Target::AnyOf(set) => {
            let normalizer = set_log_sum_exp(row, set);
            let inside = row
                .iter()
                .enumerate()
                .filter(|(class, _)| set >> class & 1 == 1);
            inside
                .map(|(class, x)| (class, (x - normalizer).exp()))
                .collect()
        }
    };
    let normalizer = row_log_sum_exp(row);
    row.iter_mut().for_each(|x| *x -= normalizer);
    Exp {}.map_mut(row);
    row.iter_mut().for_each(|x| *x *= scale);
    for (class, probability) in within {
        row[class] -= scale * probability;
    }
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
            .zip(&self.targets)
            .map(|(row, target)| row_loss(row, *target))
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
            .zip(&self.targets)
            .for_each(|(row, target)| row_gradient(row, *target, scale));
        Ok(Some(Tensor::from_vec(
            out,
            logits.shape(),
            logits.device(),
        )?))
    }
}
