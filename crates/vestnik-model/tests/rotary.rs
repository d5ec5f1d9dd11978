//! Rotary positions: values by hand, twins, gradients.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{DType, Device, Tensor};
use twins::{check_finite_differences, check_twins, largest_difference, values, var};
use vestnik_model::Mode;
use vestnik_model::ops::{self, AttentionOptions, RotaryAngles};

fn angles(position_ids: &[u32], theta: f64, head_width: usize) -> RotaryAngles {
    RotaryAngles::new(position_ids, theta, head_width, &Device::Cpu).unwrap()
}

#[test]
fn pairs_turn_by_position_times_frequency() {
    let x = Tensor::new(&[[1.0f32, 2.0, 3.0, 4.0]], &Device::Cpu).unwrap();
    let turned = ops::rotary(&x, &angles(&[5], 100.0, 4), 1).unwrap();
    let turned = turned.to_vec2::<f32>().unwrap();
    // Frequencies 1 and 100 ^ (-2 / 4) = 0.1; the pairs are (1, 3) and (2, 4).
    let expected = |(a, b): (f32, f32), angle: f32| {
        [
            a * angle.cos() - b * angle.sin(),
            b * angle.cos() + a * angle.sin(),
        ]
    };
    let (first, second) = (expected((1.0, 3.0), 5.0), expected((2.0, 4.0), 0.5));
    for (got, expected) in turned[0]
        .iter()
        .zip([first[0], second[0], first[1], second[1]])
    {
        assert!((got - expected).abs() < 1e-6, "{got}, expected {expected}");
    }
}

#[test]
fn position_0_stays_and_lengths_are_kept() {
    let x = var(&[3, 12], 1);
    let turned = ops::rotary(&x, &angles(&[0, 1, 4000], 10_000.0, 6), 2).unwrap();
    let first = |x: &Tensor| x.narrow(0, 0, 1).unwrap();
    assert_eq!(largest_difference(&first(&turned), &first(&x)), 0.0);
    let norms = |x: &Tensor| x.sqr().unwrap().sum(1).unwrap();
    assert!(largest_difference(&norms(&turned), &norms(&x)) < 1e-5);
}

#[test]
fn products_depend_on_distances_alone() {
    let (q, k) = (values(8, 1), values(8, 2));
    let rows = |row: &[f32]| Tensor::from_vec(row.repeat(2), (2, 8), &Device::Cpu).unwrap();
    let product = |from: u32, to: u32| {
        let [q, k] = [(&q, from), (&k, to)].map(|(row, position)| {
            let angles = angles(&[position, position + 90], 500.0, 8);
            ops::rotary(&rows(row), &angles, 1).unwrap()
        });
        (q * k).unwrap().sum(1).unwrap().to_vec1::<f32>().unwrap()
    };
    let products = product(3, 10);
    assert!((products[0] - products[1]).abs() < 1e-4, "{products:?}");
    assert!((product(3, 11)[0] - products[0]).abs() > 1e-3);
}

#[test]
fn fused_and_composed_agree() {
    let positions: Vec<u32> = (0..70).chain(0..3).chain(8100..8190).collect();
    let (tokens, angles) = (positions.len(), angles(&positions, 160_000.0, 4));
    check_twins(
        &[var(&[tokens, 12], 1)],
        1e-6,
        |v| ops::rotary(&v[0], &angles, 3),
        |v| ops::rotary_composed(&v[0], &angles, 3),
    );
}

#[test]
fn gradients_are_finite_differences_for_queries_and_keys() {
    let angles = angles(&[0, 1, 2, 0, 1], 100.0, 4);
    check_finite_differences(&[var(&[5, 8], 1)], 1e-2, |v| ops::rotary(&v[0], &angles, 2));
    let options = AttentionOptions {
        cumulative_lengths: &[0, 3, 5],
        n_heads: 2,
        dropout: 0.0,
        window: Some(1),
    };
    let inputs = [var(&[5, 8], 1), var(&[5, 8], 2), var(&[5, 8], 3)];
    check_finite_differences(&inputs, 1e-2, |v| {
        let (q, k) = (
            ops::rotary(&v[0], &angles, 2)?,
            ops::rotary(&v[1], &angles, 2)?,
        );
        ops::attention(&q, &k, &v[2], options, Mode::Inference)
    });
}

#[test]
fn short_formats_are_rotated_in_full_precision() {
    let (x, angles) = (var(&[2, 4], 1), angles(&[8190, 8191], 10_000.0, 4));
    let half = x.to_dtype(DType::F16).unwrap();
    let turned = ops::rotary(&half, &angles, 1).unwrap();
    assert_eq!(turned.dtype(), DType::F16);
    let exact = ops::rotary(&half.to_dtype(DType::F32).unwrap(), &angles, 1).unwrap();
    assert!(largest_difference(&turned.to_dtype(DType::F32).unwrap(), &exact) < 1e-3);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let message = |angles: &RotaryAngles, n_heads| {
        let x = var(&[2, 8], 1);
        let twins = [
            ops::rotary(&x, angles, n_heads),
            ops::rotary_composed(&x, angles, n_heads),
        ];
        let [fused, composed] = twins.map(|result| {
            let message = result.unwrap_err().to_string();
            message.lines().next().unwrap().to_owned() // without a backtrace
        });
        assert_eq!(fused, composed);
        fused
    };
    assert!(message(&angles(&[0, 1, 2], 100.0, 4), 2).contains("angles for 3 tokens"));
    assert!(message(&angles(&[0, 1], 100.0, 4), 4).contains("[2, 8] with 4 heads"));
    assert!(RotaryAngles::new(&[0], 100.0, 3, &Device::Cpu).is_err());
}
