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
    if !cpu::is_cpu_f32(logits) {
        return binary_cross_entropy_composed(logits, targets);
    }
    let targets = targets.to_vec();
    let operation = BinaryCrossEntropy { targets };
    Ok(logits.contiguous()?.apply_op1(operation)?)
}

/// [`binary_cross_entropy`] composed of candle's own differentiable operations: the reference in tests.
///
/// # Errors
/// As [`binary_cross_entropy`].
pub fn binary_cross_entropy_composed(logits: &Tensor, targets: &[f32]) -> Result<Tensor> {
    check(logits, targets)?;
    let targets = Tensor::from_slice(targets, logits.shape(), logits.device())?;
    let x = logits.to_dtype(candle_core::DType::F32)?;
    // log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)) cannot overflow.
    let softplus = (x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    Ok((softplus - (x * targets)?)?.mean_all()?)
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
        let total: f64 = logits.iter().zip(&self.targets).map(loss).sum();
        let mean = total / logits.len().max(1) as f64;
        Ok(cpu::output(vec![mean as f32], ()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let scale = grad.to_scalar::<f32>()? / self.targets.len().max(1) as f32;
        let data = cpu::data_of(logits);
        let pairs = data.as_slice()?.iter().zip(&self.targets);
        let gradient: Vec<f32> = pairs
            .map(|(x, target)| scale * (sigmoid(*x) - target))
            .collect();
        let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
        Ok(Some(gradient))
    }
}
