//! How operations are tested: a fused one equals its composed twin, gradients equal finite differences.

use candle_core::{Device, Result, Tensor, Var};

/// Deterministic values in about -1..1, different for every `seed`.
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// A trainable tensor of [`values`].
pub(crate) fn var(shape: &[usize], seed: u64) -> Var {
    let values = values(shape.iter().product(), seed);
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// The largest absolute difference of two tensors of one shape.
pub(crate) fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .flatten_all()
        .unwrap()
        .max(0)
        .unwrap()
        .to_scalar()
        .unwrap()
}

/// A scalar that weighs every output differently.
pub(crate) fn weigh(output: &Tensor) -> Tensor {
    let weights =
        Tensor::from_vec(values(output.elem_count(), 99), output.dims(), &Device::Cpu).unwrap();
    (output * weights).unwrap().sum_all().unwrap()
}

/// Outputs and all gradients of two computations agree within `tolerance`.
pub(crate) fn check_twins(
    inputs: &[Var],
    tolerance: f32,
    fused: impl Fn(&[Var]) -> Result<Tensor>,
    composed: impl Fn(&[Var]) -> Result<Tensor>,
) {
    let (fused, composed) = (fused(inputs).unwrap(), composed(inputs).unwrap());
    assert!(
        largest_difference(&fused, &composed) <= tolerance,
        "outputs differ: {fused} {composed}"
    );
    let (fused, composed) = (
        weigh(&fused).backward().unwrap(),
        weigh(&composed).backward().unwrap(),
    );
    for (index, input) in inputs.iter().enumerate() {
        let (fused, composed) = (fused.get(input).unwrap(), composed.get(input).unwrap());
        let difference = largest_difference(fused, composed);
        assert!(
            difference <= tolerance,
            "gradient {index} differs by {difference}"
        );
    }
}

/// Gradients of a computation agree with central differences at every element.
pub(crate) fn check_finite_differences(
    inputs: &[Var],
    tolerance: f32,
    compute: impl Fn(&[Var]) -> Result<Tensor>,
) {
    const STEP: f32 = 1e-2;
    let gradients = weigh(&compute(inputs).unwrap()).backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let gradient = gradients
            .get(input)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        let original = input.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let at = |element: usize, step: f32| -> f32 {
            let mut changed = original.clone();
            changed[element] += step;
            let changed = Tensor::from_vec(changed, input.dims(), &Device::Cpu).unwrap();
            let mut inputs = inputs.to_vec();
            inputs[index] = Var::from_tensor(&changed).unwrap();
            weigh(&compute(&inputs).unwrap()).to_scalar().unwrap()
        };
        for (element, gradient) in gradient.iter().enumerate() {
            let expected = (at(element, STEP) - at(element, -STEP)) / (2.0 * STEP);
            assert!(
                (gradient - expected).abs() <= tolerance * (1.0 + expected.abs()),
                "input {index} element {element}: gradient {gradient}, finite difference {expected}"
            );
        }
    }
}
