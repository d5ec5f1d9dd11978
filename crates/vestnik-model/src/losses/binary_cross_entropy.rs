//! The loss of labels that hold independently of each other.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};

use crate::ops::cpu;
use crate::{Error, Result};

/// Mean of `-t log σ(x) - (1 - t) log(1 - σ(x))` over all logits `x` with targets `t` in `0..=1`: the loss of a
/// multi-label classifier (PyTorch's `BCEWithLogitsLoss`).
///
/// **Shapes** `logits [rows, labels]`, `rows * labels` targets, row by row → scalar.
///
/// # Errors
/// [`Error::Argument`] when the number of targets is not that of the logits, or a target is not in `0..=1`.
pub fn binary_cross_entropy(logits: &Tensor, targets: &[f32]) -> Result<Tensor> {
    check(logits, targets)?;
    weighted(logits, targets, None)
}

/// [`binary_cross_entropy`] with a weight for each logit, by which the mean is taken: `Σ w l / Σ w`. A label of which the
/// annotation says nothing has the weight 0, and a loss without any weight is 0.
///
/// **Shapes** `logits [rows, labels]`, as many targets and weights, row by row → scalar.
///
/// # Errors
/// As [`binary_cross_entropy`], and [`Error::Argument`] when the weights are not as many as the logits, or one is below 0.
pub fn weighted_binary_cross_entropy(
    logits: &Tensor,
    targets: &[f32],
    weights: &[f32],
) -> Result<Tensor> {
    check(logits, targets)?;
    check_weights(logits, weights)?;
    weighted(logits, targets, Some(shares(weights)))
}

/// What each weight is of the sum of all.
fn shares(weights: &[f32]) -> Vec<f32> {
    let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    let share = |&weight: &f32| (f64::from(weight) * scale) as f32;
    weights.iter().map(share).collect()
}

fn weighted(logits: &Tensor, targets: &[f32], shares: Option<Vec<f32>>) -> Result<Tensor> {
    if !cpu::is_cpu_f32(logits) {
        return composed(logits, targets, shares.as_deref());
    }
    let targets = targets.to_vec();
    let operation = BinaryCrossEntropy { targets, shares };
    Ok(logits.contiguous()?.apply_op1(operation)?)
}

/// [`binary_cross_entropy`] composed of candle's own differentiable operations: the reference in tests.
///
/// # Errors
/// As [`binary_cross_entropy`].
pub fn binary_cross_entropy_composed(logits: &Tensor, targets: &[f32]) -> Result<Tensor> {
    check(logits, targets)?;
    composed(logits, targets, None)
}

/// [`weighted_binary_cross_entropy`] composed of candle's own differentiable operations: the reference in tests.
///
/// # Errors
/// As [`weighted_binary_cross_entropy`].
pub fn weighted_binary_cross_entropy_composed(
    logits: &Tensor,
    targets: &[f32],
    weights: &[f32],
) -> Result<Tensor> {
    check(logits, targets)?;
    check_weights(logits, weights)?;
    composed(logits, targets, Some(&shares(weights)))
}

fn composed(logits: &Tensor, targets: &[f32], shares: Option<&[f32]>) -> Result<Tensor> {
    let targets = Tensor::from_slice(targets, logits.shape(), logits.device())?;
    let x = logits.to_dtype(candle_core::DType::F32)?;
    // log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)) cannot overflow.
    let softplus = (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let losses = (softplus - (x * targets)?)?;
    Ok(match shares {
        None => losses.mean_all()?,
        Some(shares) => {
            let shares = Tensor::from_slice(shares, logits.shape(), logits.device())?;
            (losses * shares)?.sum_all()?
        }
    })
}

fn check_weights(logits: &Tensor, weights: &[f32]) -> Result<()> {
    let argument = |expected: String, got: String| {
        Err(Error::Argument {
            what: "weights",
            expected,
            got,
        })
    };
    let (expected, got) = (logits.elem_count(), weights.len());
    if expected != got {
        let expected = format!("{expected}, one for every logit");
        return argument(expected, got.to_string());
    }
    match weights
        .iter()
        .find(|weight| !(0.0..=f32::MAX).contains(*weight))
    {
        Some(weight) => argument("numbers of at least 0".to_owned(), weight.to_string()),
        None => Ok(()),
    }
}

fn check(logits: &Tensor, targets: &[f32]) -> Result<()> {
    let argument = |expected: String, got: String| {
        Err(Error::Argument {
            what: "targets",
            expected,
            got,
        })
    };
    let (expected, got) = (logits.elem_count(), targets.len());
    if expected != got {
        let expected = format!("{expected}, one for every logit");
        return argument(expected, got.to_string());
    }
    match targets.iter().find(|target| !(0.0..=1.0).contains(*target)) {
        Some(target) => argument("numbers from 0 to 1".to_owned(), target.to_string()),
        None => Ok(()),
    }
}

struct BinaryCrossEntropy {
    targets: Vec<f32>,
    /// What each loss is of the mean; without, all count alike.
    shares: Option<Vec<f32>>,
}

impl BinaryCrossEntropy {
    fn share(&self, place: usize) -> f64 {
        match &self.shares {
            Some(shares) => f64::from(shares[place]),
            None => 1.0,
        }
    }

    /// What the sum of all losses is divided by.
    fn divisor(&self) -> f64 {
        match self.shares {
            Some(_) => 1.0,
            None => self.targets.len().max(1) as f64,
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl CustomOp1 for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let logits = cpu::slice_of(logits, layout)?;
        let loss = |(x, target): (&f32, &f32)| {
            f64::from(x.max(0.0) - x * target + (-x.abs()).exp().ln_1p())
        };
        let losses = logits.iter().zip(&self.targets).map(loss);
        let total: f64 = (0..)
            .zip(losses)
            .map(|(place, loss)| self.share(place) * loss)
            .sum();
        let mean = total / self.divisor();
        Ok(cpu::output(vec![mean as f32], ()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let scale = grad.to_scalar::<f32>()? / self.divisor() as f32;
        let data = cpu::data_of(logits);
        let pairs = data.as_slice()?.iter().zip(&self.targets);
        let gradient: Vec<f32> = (0..)
            .zip(pairs)
            .map(|(place, (x, target))| scale * self.share(place) as f32 * (sigmoid(*x) - target))
            .collect();
        let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
        Ok(Some(gradient))
    }
}
