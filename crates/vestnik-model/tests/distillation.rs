//! The loss of soft labels equals its formula, and its gradient equals finite differences.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{Result, Tensor};
use twins::{check_finite_differences, check_twins, largest_difference, values, var, weigh};
use vestnik_model::losses;

const ROWS: usize = 5;
const CLASSES: usize = 4;
/// The third row does not count.
const LABELS: [i64; ROWS] = [0, 3, -1, 1, 2];

fn loss(logits: &Tensor, teacher: &[f32], temperature: f64) -> Result<Tensor> {
    Ok(losses::distillation(logits, teacher, &LABELS, temperature).unwrap())
}

fn softmax(row: &[f32], temperature: f64) -> Vec<f64> {
    let exp: Vec<f64> = row
        .iter()
        .map(|&x| (f64::from(x) / temperature).exp())
        .collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|x| x / sum).collect()
}

fn expected(logits: &[f32], teacher: &[f32], temperature: f64) -> f64 {
    let rows = logits.chunks(CLASSES).zip(teacher.chunks(CLASSES));
    let counted = rows.zip(LABELS).filter(|(_, label)| *label >= 0);
    let divergence = |((student, teacher), _): ((&[f32], &[f32]), i64)| -> f64 {
        let (q, p) = (softmax(student, temperature), softmax(teacher, temperature));
        p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum()
    };
    temperature.powi(2) * counted.map(divergence).sum::<f64>() / 4.0
}

#[test]
fn the_loss_is_the_scaled_divergence() {
    let teacher: Vec<f32> = values(ROWS * CLASSES, 5).iter().map(|x| x * 4.0).collect();
    let logits = var(&[ROWS, CLASSES], 1);
    let numbers = logits.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for temperature in [0.5, 1.0, 2.0, 10.0] {
        let found = loss(&logits, &teacher, temperature).unwrap();
        let found = f64::from(found.to_scalar::<f32>().unwrap());
        let expected = expected(&numbers, &teacher, temperature);
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    let same = loss(&logits, &numbers, 2.0).unwrap();
    assert!(same.to_scalar::<f32>().unwrap().abs() < 1e-6);
}

#[test]
fn gradients_are_finite_differences() {
    let teacher: Vec<f32> = values(ROWS * CLASSES, 5).iter().map(|x| x * 4.0).collect();
    for temperature in [1.0, 3.0] {
        check_finite_differences(&[var(&[ROWS, CLASSES], 2)], 1e-2, |v| {
            loss(&v[0], &teacher, temperature)
        });
    }
}

#[test]
fn a_constant_in_a_row_of_the_teacher_does_not_matter() {
    let teacher = values(ROWS * CLASSES, 5);
    let shifted: Vec<f32> = teacher.iter().map(|x| x - 30.0).collect();
    check_twins(
        &[var(&[ROWS, CLASSES], 2)],
        1e-5,
        |v| loss(&v[0], &teacher, 2.0),
        |v| loss(&v[0], &shifted, 2.0),
    );
}

#[test]
fn impossible_classes_and_rows_that_do_not_count_give_no_nan() {
    let mut teacher = values(ROWS * CLASSES, 5);
    teacher[1] = f32::NEG_INFINITY;
    teacher[2 * CLASSES..3 * CLASSES].fill(f32::NAN);
    let logits = var(&[ROWS, CLASSES], 2);
    let output = loss(&logits, &teacher, 2.0).unwrap();
    assert!(output.to_scalar::<f32>().unwrap().is_finite());
    let gradients = weigh(&output).backward().unwrap();
    let gradient = gradients.get(&logits).unwrap();
    let third = gradient.narrow(0, 2, 1).unwrap();
    assert_eq!(
        largest_difference(&third, &third.zeros_like().unwrap()),
        0.0
    );
    let none = losses::distillation(&logits, &teacher, &[-1; ROWS], 2.0).unwrap();
    assert_eq!(none.to_scalar::<f32>().unwrap(), 0.0);
}

#[test]
fn wrong_lengths_and_temperatures_are_refused() {
    let logits = var(&[ROWS, CLASSES], 2);
    let teacher = values(ROWS * CLASSES, 5);
    assert!(losses::distillation(&logits, &teacher[1..], &LABELS, 2.0).is_err());
    assert!(losses::distillation(&logits, &teacher, &LABELS[1..], 2.0).is_err());
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(losses::distillation(&logits, &teacher, &LABELS, temperature).is_err());
    }
}
