//! Cross-entropy with smoothing, weights, focus and partial annotation.

use proptest::prelude::*;
use vestnik_model::losses::{
    self, CrossEntropyOptions, cross_entropy_with, cross_entropy_with_composed,
};
use vestnik_model::{Device, Result, Tensor, Var};

use crate::reference::{answers, assert_close, matrix};
use crate::twins::{check_finite_differences, check_twins, values, var};

fn options(label_smoothing: f64, class_weights: &[f32], focal_gamma: f64) -> CrossEntropyOptions {
    CrossEntropyOptions {
        label_smoothing,
        class_weights: class_weights.to_vec(),
        focal_gamma,
    }
}

fn scalar(loss: &Result<Tensor>) -> f32 {
    loss.as_ref().unwrap().to_scalar().unwrap()
}

#[test]
fn has_the_loss_and_the_gradient_of_the_reference() {
    for case in answers().cross_entropy {
        let logits = matrix(&case.logits);
        for loss in [cross_entropy_with, cross_entropy_with_composed] {
            let loss = loss(&logits, &case.labels, &case.allowed, &case.options()).unwrap();
            assert_close(&case.name, &loss, &[case.loss]);
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(&logits).unwrap();
            assert_close(&case.name, gradient, &case.gradient.concat());
        }
    }
}

#[test]
fn twins_agree_and_have_the_gradient_of_differences() {
    let labels = [0i64, -100, 3, 1, 0];
    let allowed = [0b10001u64, 0, 0, 0, 0b00111];
    let weights = [0.5f32, 2.0, 1.0, 0.0, 3.0];
    let convert = |result: Result<Tensor>| result.map_err(candle_core::Error::wrap);
    for options in [
        options(0.0, &[], 0.0),
        options(0.1, &[], 0.0),
        options(0.0, &weights, 0.0),
        options(0.0, &[], 2.0),
        options(0.3, &weights, 0.7),
    ] {
        let fused = |v: &[Var]| convert(cross_entropy_with(&v[0], &labels, &allowed, &options));
        let composed = |v: &[Var]| {
            convert(cross_entropy_with_composed(
                &v[0], &labels, &allowed, &options,
            ))
        };
        let inputs = [var(&[5, 5], 1)];
        check_twins(&inputs, 2e-6, fused, composed);
        check_finite_differences(&inputs, 1e-2, fused);
    }
}

#[test]
fn cross_entropy_by_hand() {
    let logits = Tensor::new(
        &[
            [0.0f32, 0.0, 0.0, 0.0],
            [100.0, 0.0, 0.0, 0.0],
            [5.0, 5.0, 5.0, 5.0],
        ],
        &Device::Cpu,
    )
    .unwrap();
    let loss = |labels: &[i64]| {
        losses::cross_entropy(&logits, labels)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    assert!((loss(&[2, -100, -100]) - 4f32.ln()).abs() < 1e-6);
    assert!(loss(&[-100, 0, -100]).abs() < 1e-6);
    assert!((loss(&[2, 1, -100]) - (4f32.ln() + 100.0) / 2.0).abs() < 1e-4);
    assert_eq!(loss(&[-100, -100, -100]), 0.0);
}

#[test]
fn partial_annotation_asks_for_any_of_the_possible_labels() {
    let logits = Tensor::zeros((1, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let loss = |allowed| {
        losses::partial_cross_entropy(&logits, &[0], &[allowed])
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
    };
    assert!(
        (loss(0) - 4f32.ln()).abs() < 1e-6,
        "an empty set means the label alone"
    );
    assert!((loss(0b1001) - 2f32.ln()).abs() < 1e-6);
    assert!(loss(0b1111).abs() < 1e-6);
}

#[test]
fn losses_refuse_what_does_not_fit() {
    let logits = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = |labels: &[i64]| {
        losses::cross_entropy(&logits, labels)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[0]),
        "labels: expected 2, one for every row of logits, got 1"
    );
    assert_eq!(message(&[0, 3]), "label: expected below 3, got 3");
}

#[test]
fn options_that_say_nothing_change_no_bit() {
    let logits = var(&[4, 5], 3);
    let (labels, allowed) = ([0i64, 4, -100, 2], [0b11u64, 0, 0, 0]);
    let plain = losses::partial_cross_entropy(&logits, &labels, &allowed);
    let gradient = |loss: &Tensor| {
        let gradients = loss.backward().unwrap();
        gradients.get(&logits).unwrap().to_vec2::<f32>().unwrap()
    };
    let ones = cross_entropy_with(&logits, &labels, &allowed, &options(0.0, &[1.0; 5], 0.0));
    assert_eq!(scalar(&plain), scalar(&ones));
    assert_eq!(gradient(&plain.unwrap()), gradient(&ones.unwrap()));
}

#[test]
fn extreme_logits_stay_finite() {
    let rows = vec![vec![90.0f32, -90.0, 0.0], vec![-1e4, 1e4, 0.0]];
    for gamma in [0.0, 0.5, 1.0, 5.0] {
        for labels in [[0i64, 1], [1, 0]] {
            let logits = matrix(&rows);
            let options = options(0.1, &[], gamma);
            let loss = cross_entropy_with(&logits, &labels, &[], &options).unwrap();
            assert!(loss.to_scalar::<f32>().unwrap().is_finite(), "{gamma}");
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(&logits).unwrap().to_vec2::<f32>().unwrap();
            assert!(gradient.concat().iter().all(|x| x.is_finite()), "{gamma}");
        }
    }
}

#[test]
fn rows_that_weigh_nothing_have_no_loss() {
    let logits = var(&[2, 3], 1);
    let loss = cross_entropy_with(&logits, &[1, 1], &[], &options(0.0, &[1.0, 0.0, 1.0], 0.0));
    assert_eq!(scalar(&loss), 0.0);
}

#[test]
fn options_out_of_range_are_refused() {
    let logits = Tensor::zeros((1, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let message = |options| {
        let refused = cross_entropy_with(&logits, &[0], &[], &options);
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        message(options(1.5, &[], 0.0)),
        "label smoothing: expected 0 to 1, got 1.5"
    );
    assert_eq!(
        message(options(0.0, &[], -1.0)),
        "focal gamma: expected 0 or more, got -1"
    );
    assert_eq!(
        message(options(0.0, &[1.0], 0.0)),
        "class weights: expected none, or one for each of 3 classes, got 1"
    );
    assert!(message(options(0.0, &[1.0, f32::NAN, 1.0], 0.0)).contains("NaN"));
}

proptest! {
    #[test]
    fn a_row_of_which_nothing_is_known_teaches_nothing(
        seed: u64,
        smoothing in 0.0..1.0f64,
        gamma in 0.0..4.0f64,
    ) {
        let logits = var(&[2, 4], seed);
        let options = options(smoothing, &[], gamma);
        let loss = cross_entropy_with(&logits, &[0, 2], &[0b1111, 0], &options).unwrap();
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&logits).unwrap().to_vec2::<f32>().unwrap();
        prop_assert!(gradient[0].iter().all(|x| x.abs() < 1e-5), "{:?}", gradient);
    }

    #[test]
    fn a_gradient_sums_to_zero_over_the_classes(
        seed: u64,
        smoothing in 0.0..1.0f64,
        gamma in 0.0..4.0f64,
        set in 0u64..16,
    ) {
        let weights: Vec<f32> = values(4, seed).iter().map(|x| x + 1.5).collect();
        let logits = var(&[1, 4], seed);
        let options = options(smoothing, &weights, gamma);
        let loss = cross_entropy_with(&logits, &[1], &[set], &options).unwrap();
        let gradients = loss.backward().unwrap();
        let sum = gradients.get(&logits).unwrap().sum_all().unwrap();
        prop_assert!(sum.to_scalar::<f32>().unwrap().abs() < 1e-5);
    }
}
