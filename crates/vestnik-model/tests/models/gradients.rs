//! Every trainable tensor learns: coverage and finite differences through whole models.

use candle_core::{Tensor, Var};
use vestnik_model::{Device, Mode, Parameters, TrainingPass};

use crate::support::{Case, Model, norm, own_name, training_case};

/// Every tensor has a gradient that is not zero, but where mathematics makes it so; in projections of queries, keys and
/// values also every head's rows.
pub(crate) fn check_coverage(folder: &str) {
    let (model, _) = Model::load(folder);
    let case = training_case(folder);
    let n_heads = model.config().encoder.num_attention_heads;
    let zeros = zero_gradients(&case, model.parameters());
    let gradients = loss(&model, &case).backward().unwrap();
    for (name, var) in model.parameters().iter() {
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("{name} gets no gradient"));
        assert_eq!(gradient.dims(), var.dims());
        if zeros.iter().any(|zero| zero == name) {
            continue;
        }
        assert!(norm(gradient) > 1e-7, "the gradient of {name} is zero");
        for rows in gradient.chunk(row_groups(name, n_heads), 0).unwrap() {
            assert!(norm(&rows) > 1e-7, "a head of {name} gets no gradient");
        }
    }
}

/// Tensors whose gradient the reference knows to be zero: the bias of the keys shifts all scores of a query alike, which
/// softmax does not see.
fn zero_gradients(case: &Case, parameters: &Parameters) -> Vec<String> {
    let zeros = case.gradient_norms.iter().filter(|(_, norm)| **norm == 0.0);
    zeros.map(|(name, _)| own_name(parameters, name)).collect()
}

/// The number of parts of a tensor's rows that belong to different heads.
fn row_groups(name: &str, n_heads: usize) -> usize {
    let projections = [
        "attention.self.",
        "q_lin.weight",
        "k_lin.weight",
        "v_lin.weight",
    ];
    if name.ends_with("Wqkv.weight") {
        3 * n_heads
    } else if name.ends_with("weight") && projections.iter().any(|part| name.contains(part)) {
        n_heads
    } else {
        1
    }
}

/// Three elements of every tensor: the gradient against a central difference of the loss.
pub(crate) fn check_finite_differences(folder: &str) {
    check_differences(&Model::load(folder).0, folder);
}

/// The same for every tensor of a model that learns.
pub(crate) fn check_differences(model: &Model, folder: &str) {
    const STEP: f32 = 1e-3;
    let case = training_case(folder);
    let gradients = loss(model, &case).backward().unwrap();
    for (name, var) in model.parameters().trainable() {
        let gradient = gradients.get(var).unwrap().flatten_all().unwrap();
        let gradient = gradient.to_vec1::<f32>().unwrap();
        // The largest gradient and two fixed places: a wrong sign or factor cannot hide in small numbers.
        let largest = (0..gradient.len())
            .max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()))
            .unwrap();
        for element in [largest, 0, gradient.len() / 2] {
            let [above, below] =
                [STEP, -STEP].map(|step| shifted(var, element, step, || loss(model, &case)));
            let expected = (above - below) / (2.0 * STEP);
            let got = gradient[element];
            let tolerance = 2e-3 + 3e-2 * expected.abs();
            assert!(
                (got - expected).abs() < tolerance,
                "{name}[{element}]: {got}, difference {expected}"
            );
        }
    }
}

/// The loss while training. The same dropout in every pass, so that differences see the function that was
/// differentiated.
pub(crate) fn loss(model: &Model, case: &Case) -> Tensor {
    let state = TrainingPass::new(11, 4);
    model.loss(case, Mode::Training(&state))
}

/// The loss with one element of a tensor shifted; the tensor is put back.
fn shifted(var: &Var, element: usize, step: f32, loss: impl Fn() -> Tensor) -> f32 {
    let original = var.as_tensor().copy().unwrap();
    let mut values = original.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values[element] += step;
    var.set(&Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap())
        .unwrap();
    let value = loss().to_scalar().unwrap();
    var.set(&original).unwrap();
    value
}
