//! From logits to probabilities, in double precision.

/// Of labels of which one holds; logits are divided by `temperature`. Stable for large logits.
pub(crate) fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp = |logit: &f32| (f64::from(logit - max) / temperature).exp();
    let exps: Vec<f64> = logits.iter().map(exp).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|exp| exp / sum).collect()
}

/// Of labels of which any number hold; logits are divided by `temperature`.
pub(crate) fn sigmoids(logits: &[f32], temperature: f64) -> Vec<f64> {
    let sigmoid = |&logit: &f32| 1.0 / (1.0 + (-f64::from(logit) / temperature).exp());
    logits.iter().map(sigmoid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_are_no_trouble() {
        assert_eq!(softmax(&[1000.0, 1000.0, -1000.0], 1.0), [0.5, 0.5, 0.0]);
        assert_eq!(sigmoids(&[2000.0, 0.0, -2000.0], 2.0), [1.0, 0.5, 0.0]);
    }
}
