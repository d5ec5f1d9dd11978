//! The gated unit: twins and gradients.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{Device, Tensor, Var};
use twins::{check_finite_differences, check_twins, largest_difference, var, weigh};
use vestnik_model::ops;

fn wide(shape: &[usize], seed: u64) -> Var {
    Var::from_tensor(&(var(shape, seed).as_tensor() * 4.0).unwrap()).unwrap()
}

#[test]
fn the_first_half_is_the_input_and_the_second_the_gate() {
    let x = Tensor::new(&[[1.0f32, -2.0, 10.0, 100.0]], &Device::Cpu).unwrap();
    let gelu = ops::gelu(&x.narrow(1, 0, 2).unwrap().contiguous().unwrap()).unwrap();
    let expected = (gelu * x.narrow(1, 2, 2).unwrap()).unwrap();
    assert_eq!(largest_difference(&ops::geglu(&x).unwrap(), &expected), 0.0);
}

#[test]
fn fused_and_composed_agree() {
    // The last is wider than the blocks in which the slope is computed.
    for (rows, width) in [(1, 1), (130, 19), (3, 2500)] {
        check_twins(
            &[wide(&[rows, 2 * width], 1)],
            2e-5,
            |v| ops::geglu(&v[0]),
            |v| ops::geglu_composed(&v[0]),
        );
    }
}

#[test]
fn gradients_are_finite_differences() {
    check_finite_differences(&[var(&[5, 14], 2)], 1e-2, |v| ops::geglu(&v[0]));
}

#[test]
fn a_transposed_input_is_accepted_and_an_odd_width_refused() {
    let x = var(&[6, 5], 1);
    let output = ops::geglu(&x.t().unwrap()).unwrap();
    assert_eq!(output.dims(), [5, 3]);
    let gradients = weigh(&output).backward().unwrap();
    assert_eq!(gradients.get(&x).unwrap().dims(), [6, 5]);
    let twins = [ops::geglu(&x), ops::geglu_composed(&x)];
    for result in twins {
        assert!(result.unwrap_err().to_string().contains("odd width 5"));
    }
}
