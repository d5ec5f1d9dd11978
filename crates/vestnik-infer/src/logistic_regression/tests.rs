//! The gradient against differences, the minimum against scikit-learn, and examples that are refused.

use ndarray::array;
use serde::Deserialize;

use super::*;

/// Written by `scripts/record_logistic_regression.py`.
const RECORDED: &str = include_str!("../../tests/logistic_regression.json");

#[derive(Deserialize)]
struct Recorded {
    features: Vec<Vec<f64>>,
    labels: Vec<usize>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    penalty: f64,
    probabilities: Vec<Vec<f64>>,
}

fn recorded() -> (Array2<f64>, Recorded) {
    let recorded: Recorded = serde_json::from_str(RECORDED).unwrap();
    let shape = (recorded.features.len(), recorded.features[0].len());
    let features = Array2::from_shape_vec(shape, recorded.features.concat()).unwrap();
    (features, recorded)
}

#[test]
fn the_probabilities_are_those_of_scikit_learn() {
    let (features, recorded) = recorded();
    for case in &recorded.cases {
        let fitted = LogisticRegression::fit(&features, &recorded.labels, 3, case.penalty).unwrap();
        let found = fitted.probabilities(&features).unwrap();
        for (found, expected) in found.iter().zip(case.probabilities.concat()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_value() {
    let (features, recorded) = recorded();
    let objective = Objective {
        features: with_ones(&features),
        labels: &recorded.labels,
        penalty: 0.7,
    };
    let shape = (features.ncols() + 1, 3);
    let at = Array2::from_shape_fn(shape, |(i, j)| ((i * 3 + j) as f64).sin());
    let (_, gradient) = objective.value_and_gradient(&at);
    for (place, gradient) in gradient.indexed_iter() {
        let value = |difference: f64| {
            let mut at = at.clone();
            at[place] += difference;
            objective.value_and_gradient(&at).0
        };
        let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
        assert!((slope - gradient).abs() < 1e-6, "{place:?}");
    }
}

#[test]
fn unsound_examples_are_refused() {
    let refused = |features: Array2<f64>, labels: &[usize], penalty: f64| {
        let fitted = LogisticRegression::fit(&features, labels, 2, penalty);
        assert!(matches!(fitted, Err(Error::Examples { .. })));
    };
    refused(Array2::zeros((0, 2)), &[], 1.0);
    refused(array![[1.0], [2.0]], &[0], 1.0);
    refused(array![[1.0], [2.0]], &[0, 2], 1.0);
    refused(array![[1.0], [f64::NAN]], &[0, 1], 1.0);
    refused(array![[1.0], [2.0]], &[0, 1], 0.0);
    let fitted = LogisticRegression::fit(&array![[1.0], [2.0]], &[0, 1], 2, 1.0).unwrap();
    assert!(fitted.probabilities(&array![[1.0, 2.0]]).is_err());
}
