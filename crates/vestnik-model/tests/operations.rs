//! Fused CPU operations equal their composed twins, and their gradients equal finite differences.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{Device, Tensor, Var};
use twins::{check_finite_differences, check_twins, largest_difference, values, var, weigh};
use vestnik_model::Precision::{Bf16, F32};
use vestnik_model::ops::{self, AttentionOptions};
use vestnik_model::{Mode, TrainingPass};

#[test]
fn linear() {
    let inputs = [var(&[7, 5], 1), var(&[3, 5], 2), var(&[3], 3)];
    let fused = |v: &[Var]| ops::linear(&v[0], &v[1], &v[2], F32);
    check_twins(&inputs, 1e-5, fused, |v| {
        ops::linear_composed(&v[0], &v[1], &v[2], F32)
    });
    check_finite_differences(&inputs, 1e-2, fused);
}

#[test]
fn linear_in_bf16() {
    let inputs = [var(&[37, 90], 1), var(&[53, 90], 2), var(&[53], 3)];
    let in_bf16 = |v: &[Var]| ops::linear(&v[0], &v[1], &v[2], Bf16);
    check_twins(&inputs, 5e-2, in_bf16, |v| {
        ops::linear(&v[0], &v[1], &v[2], F32)
    });
    let exact = ops::linear(&inputs[0], &inputs[1], &inputs[2], F32).unwrap();
    assert_ne!(largest_difference(&in_bf16(&inputs).unwrap(), &exact), 0.0);
    // Whole numbers up to 100 are bf16 numbers, and their sums `f32` numbers.
    let whole = inputs.map(|x| (x.as_tensor() * 100.0).unwrap().round().unwrap());
    let product = |precision| ops::linear(&whole[0], &whole[1], &whole[2], precision).unwrap();
    assert_eq!(largest_difference(&product(Bf16), &product(F32)), 0.0);
}

#[test]
fn linear_accepts_a_transposed_input() {
    let (x, weight, bias) = (var(&[5, 7], 1), var(&[3, 5], 2), var(&[3], 3));
    let x = x.t().unwrap();
    let fused = ops::linear(&x, &weight, &bias, F32).unwrap();
    assert!(
        largest_difference(
            &fused,
            &ops::linear_composed(&x, &weight, &bias, F32).unwrap()
        ) < 1e-5
    );
}

#[test]
fn frozen_tensors_get_no_gradient_and_cost_none() {
    let (x, weight, bias) = (var(&[7, 5], 1), var(&[3, 5], 2), var(&[3], 3));
    let output = ops::linear(&x, &weight.as_detached_tensor(), &bias, F32).unwrap();
    let gradients = weigh(&output).backward().unwrap();
    assert!(
        gradients.get(&x).is_some()
            && gradients.get(&bias).is_some()
            && gradients.get(&weight).is_none()
    );
}

/// Of every operation with several operands: with only the first tracked, its gradient is the one that it has with all of
/// them, and the only one that is computed.
#[test]
fn only_what_is_tracked_gets_a_gradient() {
    let wide = [(); 3].map(|()| [7, 6]);
    let check = |shapes: [[usize; 2]; 3], operation: &dyn Fn(&[Tensor]) -> Tensor| {
        let vars = [0, 1, 2].map(|i| {
            let shape = shapes[i];
            let shape = if shape[0] == 1 {
                &shape[1..]
            } else {
                &shape[..]
            };
            var(shape, i as u64 + 1)
        });
        let all = vars.each_ref().map(|var| var.as_tensor().clone());
        let expected = weigh(&operation(&all)).backward().unwrap();
        for learns in 0..3 {
            let mut inputs = vars.each_ref().map(Var::as_detached_tensor);
            inputs[learns] = vars[learns].as_tensor().clone();
            let gradients = weigh(&operation(&inputs)).backward().unwrap();
            // The weights of the sum are a constant of the test, for which candle computes one, too.
            assert!(gradients.get_ids().count() <= expected.get_ids().count() - 2);
            let [a, b] = [&gradients, &expected].map(|store| store.get(&vars[learns]).unwrap());
            assert!(largest_difference(a, b) < 1e-6, "operand {learns}");
        }
    };
    let affine = [[7, 5], [3, 5], [1, 3]];
    check(affine, &|v| ops::linear(&v[0], &v[1], &v[2], F32).unwrap());
    check([[7, 6], [1, 6], [1, 6]], &|v| {
        ops::layer_norm(&v[0], &v[1], &v[2], 1e-12).unwrap()
    });
    let options = AttentionOptions {
        cumulative_lengths: &[0, 3, 7],
        n_heads: 2,
        dropout: 0.1,
        window: None,
    };
    check(wide, &|v| {
        let pass = TrainingPass::new(3, 1);
        ops::attention(&v[0], &v[1], &v[2], options, Mode::Training(&pass)).unwrap()
    });
    check(wide, &|v| {
        ops::add(&ops::add(&v[0], &v[1]).unwrap(), &v[2]).unwrap()
    });
}

#[test]
fn composed_products_by_frozen_weights_cost_no_gradient_of_them() {
    let (x, weight, bias) = (var(&[7, 5], 1), var(&[3, 5], 2), var(&[3], 3));
    let expected = ops::linear_composed(&x, &weight, &bias, F32).unwrap();
    let [frozen, no_bias] = [&weight, &bias].map(Var::as_detached_tensor);
    let output = ops::linear_composed(&x, &frozen, &no_bias, F32).unwrap();
    assert_eq!(largest_difference(&output, &expected), 0.0);
    let [all, gradients] = [&expected, &output].map(|y| weigh(y).backward().unwrap());
    let [a, b] = [&all, &gradients].map(|store| store.get(&x).unwrap());
    assert!(largest_difference(a, b) < 1e-6);
    assert_eq!(gradients.get_ids().count(), all.get_ids().count() - 2);
}

#[test]
fn layer_norm() {
    for (rows, width) in [(1, 24), (5, 19), (130, 8)] {
        let inputs = [var(&[rows, width], 1), var(&[width], 2), var(&[width], 3)];
        let fused = |v: &[Var]| ops::layer_norm(&v[0], &v[1], &v[2], 1e-12);
        check_twins(&inputs, 3e-5, fused, |v| {
            ops::layer_norm_composed(&v[0], &v[1], &v[2], 1e-12)
        });
    }
    let inputs = [var(&[3, 9], 4), var(&[9], 5), var(&[9], 6)];
    check_finite_differences(&inputs, 2e-2, |v| {
        ops::layer_norm(&v[0], &v[1], &v[2], 1e-12)
    });
}

#[test]
fn layer_norm_keeps_its_digits_beside_an_outlier() {
    let mut row = values(64, 5);
    row[17] = 3000.0;
    let x = Tensor::from_vec(
        row.iter().map(|x| x + 500.0).collect::<Vec<_>>(),
        (1, 64),
        &Device::Cpu,
    )
    .unwrap();
    let (ones, zeros) = (
        Tensor::ones(64, candle_core::DType::F32, &Device::Cpu).unwrap(),
        Tensor::zeros(64, candle_core::DType::F32, &Device::Cpu).unwrap(),
    );
    let got = ops::layer_norm(&x, &ones, &zeros, 1e-12)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let x: Vec<f64> = row.iter().map(|x| f64::from(x + 500.0)).collect();
    let mean = x.iter().sum::<f64>() / 64.0;
    let deviation = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 64.0).sqrt();
    for (got, x) in got.iter().zip(&x) {
        assert!((f64::from(*got) - (x - mean) / deviation).abs() < 1e-5);
    }
}

#[test]
fn gelu() {
    let inputs = [var(&[40, 70], 1)];
    let wide = [Var::from_tensor(&(inputs[0].as_tensor() * 6.0).unwrap()).unwrap()];
    check_twins(&wide, 5e-6, |v| ops::gelu(&v[0]), |v| v[0].gelu_erf());
    check_finite_differences(&[var(&[5, 7], 2)], 1e-2, |v| ops::gelu(&v[0]));
}

#[test]
fn gather_rows() {
    let indices = [3u32, 0, 3, 4, 3];
    let inputs = [var(&[6, 4], 1)];
    let composed = |v: &[Var]| v[0].index_select(&Tensor::new(&indices, &Device::Cpu)?, 0);
    check_twins(
        &inputs,
        1e-6,
        |v| ops::gather_rows(&v[0], &indices),
        composed,
    );
    assert!(
        ops::gather_rows(&inputs[0], &[6])
            .unwrap_err()
            .to_string()
            .contains("index 6 in a table of 6 rows")
    );
}

fn qkv(tokens: usize, width: usize) -> Vec<Var> {
    (1..=3).map(|seed| var(&[tokens, width], seed)).collect()
}

#[test]
fn attention() {
    let lengths = [0, 1, 5, 5 + 17, 5 + 17 + 3];
    let options = AttentionOptions {
        cumulative_lengths: &lengths,
        n_heads: 3,
        dropout: 0.0,
        window: None,
    };
    check_twins(
        &qkv(25, 12),
        2e-5,
        |v| ops::attention(&v[0], &v[1], &v[2], options, Mode::Inference),
        |v| ops::attention_composed(&v[0], &v[1], &v[2], options, Mode::Inference),
    );
    let options = AttentionOptions {
        cumulative_lengths: &[0, 2, 5],
        n_heads: 2,
        dropout: 0.0,
        window: None,
    };
    check_finite_differences(&qkv(5, 6), 1e-2, |v| {
        ops::attention(&v[0], &v[1], &v[2], options, Mode::Inference)
    });
}

#[test]
fn attention_with_dropout_has_the_gradient_of_its_own_mask() {
    let options = AttentionOptions {
        cumulative_lengths: &[0, 3, 7],
        n_heads: 2,
        dropout: 0.3,
        window: None,
    };
    // A new state of the same seed and step before each pass: the same mask.
    check_finite_differences(&qkv(7, 6), 1e-2, |v| {
        let state = TrainingPass::new(5, 1);
        ops::attention(&v[0], &v[1], &v[2], options, Mode::Training(&state))
    });
}

#[test]
fn attention_does_not_see_other_sequences() {
    let inputs = qkv(9, 8);
    let attend = |inputs: &[Tensor], lengths: &[usize]| {
        let options = AttentionOptions {
            cumulative_lengths: lengths,
            n_heads: 2,
            dropout: 0.0,
            window: None,
        };
        ops::attention(&inputs[0], &inputs[1], &inputs[2], options, Mode::Inference).unwrap()
    };
    let all: Vec<Tensor> = inputs.iter().map(|x| x.as_tensor().clone()).collect();
    let together = attend(&all, &[0, 4, 9]).narrow(0, 4, 5).unwrap();
    let second: Vec<Tensor> = all
        .iter()
        .map(|x| x.narrow(0, 4, 5).unwrap().contiguous().unwrap())
        .collect();
    assert_eq!(
        largest_difference(&together, &attend(&second, &[0, 5])),
        0.0
    );
}

#[test]
fn range_means() {
    let inputs = [var(&[9, 5], 1)];
    let ranges = [0..4, 4..9, 3..5, 8..9, 0..9];
    let fused = |v: &[Var]| ops::range_means(&v[0], &ranges);
    check_twins(&inputs, 1e-6, fused, |v| {
        ops::range_means_composed(&v[0], &ranges)
    });
    check_finite_differences(&inputs, 1e-2, fused);
    for ranges in [&[0..4, 5..5][..], &[0..4, 0..10], &[]] {
        assert!(ops::range_means(&inputs[0], ranges).is_err());
    }
}

#[test]
fn dropout_add_is_dropout_and_a_sum() {
    let inputs = [var(&[130, 70], 1), var(&[130, 70], 2)];
    for probability in [0.0, 0.3] {
        let pass = || TrainingPass::new(3, 0);
        let fused =
            |v: &[Var]| ops::dropout_add(&v[0], &v[1], probability, Mode::Training(&pass()));
        check_twins(&inputs, 0.0, fused, |v| {
            ops::dropout(&v[0], probability, Mode::Training(&pass()))? + v[1].as_tensor()
        });
    }
    let sum = ops::dropout_add(&inputs[0], &inputs[1], 0.3, Mode::Inference).unwrap();
    let expected = (inputs[0].as_tensor() + inputs[1].as_tensor()).unwrap();
    assert_eq!(largest_difference(&sum, &expected), 0.0);
}

#[test]
fn dropout() {
    let x = var(&[30, 40], 1);
    let at_inference = ops::dropout(&x, 0.5, Mode::Inference).unwrap();
    assert_eq!(largest_difference(&at_inference, &x), 0.0);
    let drop = || {
        let state = TrainingPass::new(3, 8);
        ops::dropout(&x, 0.5, Mode::Training(&state)).unwrap()
    };
    assert_eq!(largest_difference(&drop(), &drop()), 0.0);
    // The gradient passes where the value passed, scaled alike.
    let output = drop();
    let gradients = output.sum_all().unwrap().backward().unwrap();
    let expected = (output / x.as_tensor()).unwrap();
    assert!(largest_difference(gradients.get(&x).unwrap(), &expected) < 1e-6);
}
