//! Learning from the distributions that another model gives.

use candle_core::{D, DType, Tensor};

use crate::{Error, Result};

/// `T² · KL(softmax(teacher / T) ‖ softmax(logits / T))`, mean over the rows whose label is not negative; zero when there
/// is no such row.
///
/// Hinton, Vinyals & Dean 2015, section 2: a temperature `T` above 1 lets the student see how the teacher ranks the wrong
/// classes; gradients of such targets shrink as `1/T²`, so the factor keeps the balance with the loss of hard labels.
///
/// `teacher` holds logits or log-probabilities (a constant that is added to a row does not matter), `-∞` for what the
/// teacher holds impossible; rows that do not count may hold anything.
///
/// **Shapes** `logits [rows, classes]`, `teacher` of `rows · classes` numbers, row by row, `rows` labels → scalar.
///
/// # Errors
/// [`Error::Argument`] when the lengths differ, or the temperature is not above 0.
pub fn distillation(
    logits: &Tensor,
    teacher: &[f32],
    labels: &[i64],
    temperature: f64,
) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    check("numbers of the teacher", teacher.len(), rows * classes)?;
    check("labels", labels.len(), rows)?;
    if temperature <= 0.0 || !temperature.is_finite() {
        return Err(Error::Argument {
            what: "temperature",
            expected: "above 0".to_owned(),
            got: temperature.to_string(),
        });
    }
    let targets = Targets::new(teacher, labels, classes, temperature);
    let device = logits.device();
    let probabilities = Tensor::from_vec(targets.probabilities, (rows, classes), device)?;
    let softened = (logits.to_dtype(DType::F32)? / temperature)?;
    let crossed = (log_softmax(&softened)? * probabilities)?.sum_all()?;
    let scale = temperature * temperature / targets.n_counted.max(1) as f64;
    Ok(crossed.affine(-scale, targets.negative_entropy * scale)?)
}

/// What the teacher says, softened.
struct Targets {
    /// Zero in rows that do not count.
    probabilities: Vec<f32>,
    /// The sum of `p ln p` over all rows that count.
    negative_entropy: f64,
    n_counted: usize,
}

impl Targets {
    fn new(teacher: &[f32], labels: &[i64], classes: usize, temperature: f64) -> Self {
        let mut targets = Self {
            probabilities: vec![0.0; teacher.len()],
            negative_entropy: 0.0,
            n_counted: labels.iter().filter(|&&label| label >= 0).count(),
        };
        let rows = targets.probabilities.chunks_exact_mut(classes);
        let rows = rows.zip(teacher.chunks_exact(classes)).zip(labels);
        for ((row, teacher), _) in rows.filter(|(_, label)| **label >= 0) {
            targets.negative_entropy += soften(teacher, temperature, row);
        }
        targets
    }
}

/// Writes `softmax(teacher / temperature)` and gives its `Σ p ln p`.
fn soften(teacher: &[f32], temperature: f64, probabilities: &mut [f32]) -> f64 {
    let max = teacher.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponent = |x: f32| f64::from(x - max) / temperature;
    let normalizer = teacher.iter().map(|&x| exponent(x).exp()).sum::<f64>().ln();
    let mut sum = 0.0;
    for (probability, &x) in probabilities.iter_mut().zip(teacher) {
        let log = exponent(x) - normalizer;
        *probability = log.exp() as f32;
        // Zero times minus infinity is zero here.
        sum += if log.is_finite() {
            log.exp() * log
        } else {
            0.0
        };
    }
    sum
}

/// Out of candle's own operations, which have gradients.
fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    let normalizer = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    Ok(shifted.broadcast_sub(&normalizer)?)
}

fn check(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Argument {
        what,
        expected: expected.to_string(),
        got: got.to_string(),
    })
}
