//! Every trainable tensor learns: coverage and finite differences through whole models.

use crate::support::{MASKED_LMS, TOKEN_CLASSIFIERS, expected, open};
use candle_core::{Tensor, Var};
use vestnik_model::{Device, DropoutState, MaskedLm, Mode, Parameters, TokenClassifier, losses};
use vestnik_text::Batch;

/// The bias of the keys shifts all scores of a query alike, which softmax does not see: its gradient is zero by
/// mathematics, not by mistake.
fn is_invisible(name: &str) -> bool {
    name.ends_with("attention.self.key.bias")
}

fn norm(tensor: &Tensor) -> f32 {
    tensor
        .sqr()
        .unwrap()
        .sum_all()
        .unwrap()
        .sqrt()
        .unwrap()
        .to_scalar()
        .unwrap()
}

/// Every tensor has a gradient that is not zero; in projections of queries, keys and values also every head's rows.
fn check_coverage(model: &str, parameters: &Parameters, loss: &Tensor) {
    let gradients = loss.backward().unwrap();
    for (name, var) in parameters.iter() {
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("{model}: {name} gets no gradient"));
        assert_eq!(gradient.dims(), var.dims());
        if is_invisible(name) {
            continue;
        }
        assert!(
            norm(gradient) > 1e-7,
            "{model}: the gradient of {name} is zero"
        );
        if name.contains(".attention.self.") && name.ends_with("weight") {
            for head in gradient.chunk(4, 0).unwrap() {
                assert!(
                    norm(&head) > 1e-7,
                    "{model}: a head of {name} gets no gradient"
                );
            }
        }
    }
}

/// Three elements of every tensor: the gradient against a central difference of the loss.
fn check_finite_differences(model: &str, parameters: &Parameters, loss: impl Fn() -> Tensor) {
    const STEP: f32 = 5e-3;
    let gradients = loss().backward().unwrap();
    for (name, var) in parameters.iter() {
        let gradient = gradients
            .get(var)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        // The largest gradient and two fixed places: a wrong sign or factor cannot hide in small numbers.
        let largest = (0..gradient.len())
            .max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()))
            .unwrap();
        for element in [largest, 0, gradient.len() / 2] {
            let expected = (shifted(var, element, STEP, &loss)
                - shifted(var, element, -STEP, &loss))
                / (2.0 * STEP);
            let got = gradient[element];
            let tolerance = 2e-3 + 3e-2 * expected.abs();
            assert!(
                (got - expected).abs() < tolerance,
                "{model}: {name}[{element}]: {got}, difference {expected}"
            );
        }
    }
}

/// The loss with one element of a tensor shifted; the tensor is put back.
fn shifted(var: &Var, element: usize, step: f32, loss: &impl Fn() -> Tensor) -> f32 {
    let original = var.as_tensor().copy().unwrap();
    let mut values = original.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values[element] += step;
    var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap())
        .unwrap();
    let value = loss().to_scalar().unwrap();
    var.set(&original).unwrap();
    value
}

fn training_batch(name: &str) -> Batch {
    let mut cases = expected(name).cases;
    cases.retain(|case| case.labels.is_some());
    cases.swap_remove(0).batch()
}

fn token_classifier_loss(model: &TokenClassifier, batch: &Batch) -> Tensor {
    // The same dropout in every pass, so that differences see the function that was differentiated.
    let state = DropoutState::new(11, 4);
    let logits = model.forward(batch, Mode::Training(&state)).unwrap();
    losses::cross_entropy(&logits, batch.labels.as_ref().unwrap()).unwrap()
}

#[test]
fn token_classifiers_train_every_tensor() {
    for name in TOKEN_CLASSIFIERS {
        let (model, _) = TokenClassifier::load(&open(name), &Device::Cpu).unwrap();
        let batch = training_batch(name);
        check_coverage(
            name,
            model.parameters(),
            &token_classifier_loss(&model, &batch),
        );
        check_finite_differences(name, model.parameters(), || {
            token_classifier_loss(&model, &batch)
        });
    }
}

#[test]
fn masked_language_models_train_every_tensor() {
    for name in MASKED_LMS {
        let (model, _) = MaskedLm::load(&open(name), 0, &Device::Cpu).unwrap();
        let batch = training_batch(name);
        let positions: Vec<u32> = (0..batch.ids.len() as u32).collect();
        let loss = || {
            let state = DropoutState::new(2, 9);
            let logits = model
                .logits(&batch, &positions, Mode::Training(&state))
                .unwrap();
            losses::cross_entropy(&logits, batch.labels.as_ref().unwrap()).unwrap()
        };
        check_coverage(name, model.parameters(), &loss());
        check_finite_differences(name, model.parameters(), loss);
    }
}
