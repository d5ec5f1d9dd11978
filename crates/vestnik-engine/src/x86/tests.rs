//! Products of blocks by every processor that this one can be.

use vestnik_x86::{BLOCK, PANEL_STEP, STEP_BYTES};

use super::packing::{PARTS, split_weights, weights_of_bytes, weights_of_floats};
use super::softmax::exponentials;
use super::{Blocks, Processor};

const DEPTHS: [usize; 5] = [1, 31, 64, 100, 384];

/// Numbers between -1 and 1.
fn numbers(n: usize) -> Vec<f32> {
    let place = |i: usize| (i * 7919 % 2003) as f32;
    (0..n).map(|i| place(i) / 1001.0 - 1.0).collect()
}

/// `rows weightsᵀ`, 32 by 32.
fn product(rows: &[f32], weights: &[f32], depth: usize) -> Vec<f32> {
    let sum = |x: &[f32], y: &[f32]| -> f64 {
        let products = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
        products.sum()
    };
    let each = rows.chunks_exact(depth).flat_map(|row| {
        let weights = weights.chunks_exact(depth);
        weights.map(move |weights| sum(row, weights) as f32)
    });
    each.collect()
}

/// Rows of `depth` numbers, filled up with zeros to `stride`.
fn filled_up<T: Copy + Default>(rows: &[T], depth: usize, stride: usize) -> Vec<T> {
    let mut out = vec![T::default(); rows.len() / depth * stride];
    for (out, row) in out.chunks_exact_mut(stride).zip(rows.chunks_exact(depth)) {
        out[..depth].copy_from_slice(row);
    }
    out
}

/// 64 bytes of each row of `stride` bytes, then the next 64.
fn step_by_step(rows: &[u8], stride: usize) -> Vec<u8> {
    let steps = (0..stride).step_by(STEP_BYTES);
    let pieces = steps.flat_map(|step| {
        let rows = rows.chunks_exact(stride);
        rows.flat_map(move |row| &row[step..step + STEP_BYTES])
    });
    pieces.copied().collect()
}

/// This processor, and what it would be with less.
fn processors() -> impl Iterator<Item = Processor> {
    let all = [
        Processor::detect(),
        Processor::vectors(),
        Processor::avx_vnni(),
        Processor::avx2(),
    ];
    all.into_iter().flatten()
}

/// Whether the product of a block of these bytes and weights is what it is in `f32`, which holds all of these sums.
fn assert_exact(processor: Processor, depth: usize, rows: &[u8], weights: &[i8]) {
    let floats = [
        rows.iter().map(|x| f32::from(*x)).collect::<Vec<_>>(),
        weights.iter().map(|x| f32::from(*x)).collect(),
    ];
    let expected = product(&floats[0], &floats[1], depth);
    let stride = depth.next_multiple_of(STEP_BYTES);
    let mut rows = filled_up(rows, depth, stride);
    if processor.tiles().is_some() {
        rows = step_by_step(&rows, stride);
    }
    let panel = weights_of_bytes(weights, BLOCK, depth);
    let mut out = vec![0; BLOCK * BLOCK];
    Blocks::new(processor).bytes(&rows, stride, &panel, &mut out, BLOCK);
    let out: Vec<f32> = out.into_iter().map(|sum| sum as f32).collect();
    assert_eq!(out, expected, "{depth}, {processor:?}");
}

#[test]
fn products_of_bytes_are_exact() {
    for processor in processors() {
        let (largest_byte, largest) = processor.largest_bytes();
        let n_bytes = usize::from(largest_byte) + 1;
        let byte = |i: usize| (i * 31 % n_bytes) as u8;
        let weight = |i: usize| (i as i32 * 57 % i32::from(largest)) as i8;
        for depth in DEPTHS {
            let n = BLOCK * depth;
            let rows: Vec<u8> = (0..n).map(byte).collect();
            let weights: Vec<i8> = (0..n).map(|i| weight(i) * [1, -1][i % 2]).collect();
            assert_exact(processor, depth, &rows, &weights);
            for weight in [largest, -largest] {
                assert_exact(processor, depth, &vec![largest_byte; n], &vec![weight; n]);
            }
        }
    }
}

#[test]
fn products_of_rounded_numbers_are_near() {
    for processor in processors() {
        let Some(proof) = processor.bf16() else {
            continue;
        };
        let blocks = Blocks::new(processor);
        for depth in DEPTHS {
            let rows = numbers(BLOCK * depth);
            let expected = product(&rows, &rows, depth);
            // Of their three parts the first one.
            let largest = split_weights(&rows, BLOCK, depth);
            let panel: Vec<u16> = largest
                .chunks_exact(PANEL_STEP / 2)
                .step_by(PARTS)
                .flatten()
                .copied()
                .collect();
            let stride = depth.next_multiple_of(STEP_BYTES / 2);
            let halves: Vec<u16> = rows.iter().map(|x| (x.to_bits() >> 16) as u16).collect();
            let halves = filled_up(&halves, depth, stride);
            let mut out = vec![0.0; BLOCK * BLOCK];
            blocks.rounded(proof, &halves, stride, &panel, &mut out, BLOCK);
            for (x, y) in out.iter().zip(&expected) {
                assert!(
                    (x - y).abs() < 0.004 * depth as f32 + 0.01,
                    "{depth}: {x} {y}"
                );
            }
        }
    }
}

#[test]
fn products_of_numbers_are_exact_for_any_number_of_rows() {
    for processor in processors() {
        for depth in DEPTHS {
            let weights = numbers(BLOCK * depth);
            let panels = weights_of_floats(processor, &weights, BLOCK, depth);
            let columns = processor.columns();
            for n_rows in [1, 5, 7, 8, 9, 25, 31, 32] {
                let rows = numbers(n_rows * depth);
                let expected = product(&rows, &weights, depth);
                let mut out = [0.0; BLOCK * BLOCK];
                for (index, panel) in panels.chunks_exact(columns * depth).enumerate() {
                    processor.floats(&rows, depth, panel, &mut out[index * columns..], BLOCK);
                }
                for (x, y) in out.iter().zip(&expected) {
                    assert!((x - y).abs() < 1e-4, "{depth}, {n_rows}: {x} {y}");
                }
            }
        }
    }
}

/// The exponentials of scores, rounded to bf16, and their sum.
fn rounded_exponentials(scores: &[f32], visible: std::ops::Range<usize>) -> (Vec<f32>, f32) {
    let mut out = vec![0; scores.len()];
    // SAFETY: the callers have a `Bf16`.
    let sum = unsafe { exponentials(scores, &visible, 0.5, false, &mut out) };
    let number = |half: u16| f32::from_bits(u32::from(half) << 16);
    (out.into_iter().map(number).collect(), sum)
}

#[test]
fn exponentials_are_near_for_bf16() {
    if processors().next().and_then(Processor::bf16).is_none() {
        return;
    }
    for size in [1.0, 30.0, 1e4] {
        let scores: Vec<f32> = numbers(320).iter().map(|x| size * x).collect();
        let visible = 3..301;
        let max = scores[visible.clone()]
            .iter()
            .copied()
            .fold(f32::MIN, f32::max);
        let (powers, sum) = rounded_exponentials(&scores, visible.clone());
        let mut expected_sum = 0.0;
        for (index, (power, score)) in powers.iter().zip(&scores).enumerate() {
            let expected = if visible.contains(&index) {
                (0.5 * (score - max)).exp()
            } else {
                0.0
            };
            // The polynomial, bf16, and the score as a number of 24 bits.
            let tolerance = expected * (0.0007 + 0.004 + 1e-6 * size) + 1e-37;
            assert!(
                (power - expected).abs() <= tolerance,
                "{size}: {power} {expected}"
            );
            expected_sum += expected;
        }
        assert!(
            (sum / expected_sum - 1.0).abs() < 0.001 + 1e-6 * size,
            "{sum} {expected_sum}"
        );
    }
}

#[test]
fn exponentials_of_extreme_scores_are_numbers() {
    if processors().next().and_then(Processor::bf16).is_none() {
        return;
    }
    for extreme in [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
    ] {
        let mut scores = numbers(32);
        scores[7] = extreme;
        for scores in [scores, vec![extreme; 32]] {
            let (powers, sum) = rounded_exponentials(&scores, 0..32);
            assert!(
                powers.iter().all(|power| (0.0..=1.1).contains(power)),
                "{extreme}: {powers:?}"
            );
            assert!(sum > 0.0 && sum.recip().is_finite(), "{extreme}: {sum}");
        }
    }
}
