//! Attention within a window and over long sequences: its twins, its gradients, what it sees.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{Tensor, Var};
use twins::{check_finite_differences, check_twins, largest_difference, var, weigh};
use vestnik_model::ops::{self, AttentionOptions};
use vestnik_model::{Mode, TrainingPass};

fn options(
    cumulative_lengths: &[usize],
    n_heads: usize,
    window: Option<usize>,
) -> AttentionOptions<'_> {
    AttentionOptions {
        cumulative_lengths,
        n_heads,
        dropout: 0.0,
        window,
    }
}

fn qkv(tokens: usize, width: usize) -> Vec<Var> {
    (1..=3).map(|seed| var(&[tokens, width], seed)).collect()
}

fn attend(inputs: &[Tensor], options: AttentionOptions<'_>) -> Tensor {
    ops::attention(&inputs[0], &inputs[1], &inputs[2], options, Mode::Inference).unwrap()
}

fn check_lengths(cumulative_lengths: &[usize], n_heads: usize, window: Option<usize>) {
    let options = options(cumulative_lengths, n_heads, window);
    let tokens = *cumulative_lengths.last().unwrap();
    check_twins(
        &qkv(tokens, n_heads * 4),
        5e-5,
        |v| ops::attention(&v[0], &v[1], &v[2], options, Mode::Inference),
        |v| ops::attention_composed(&v[0], &v[1], &v[2], options, Mode::Inference),
    );
}

#[test]
fn fused_and_composed_agree_at_lengths_around_the_window() {
    for window in [0, 1, 4, 5] {
        for length in [1, 2, 3, 4, 5, 6, 7, 11] {
            check_lengths(&[0, length], 2, Some(window));
        }
    }
}

#[test]
fn fused_and_composed_agree_over_several_blocks_and_sequences() {
    check_lengths(&[0, 1, 34, 34 + 70, 34 + 70 + 33, 300], 3, Some(6));
    check_lengths(&[0, 200, 333], 2, Some(40));
    // Beyond 512 tokens without a window: whole blocks, and a block of a single row.
    check_lengths(&[0, 600], 1, None);
    check_lengths(&[0, 20, 20 + 513], 1, None);
}

#[test]
fn a_window_beyond_the_sequence_changes_nothing() {
    let inputs: Vec<Tensor> = qkv(40, 8).iter().map(|x| x.as_tensor().clone()).collect();
    let global = attend(&inputs, options(&[0, 30, 40], 2, None));
    for window in [29, 30, usize::MAX] {
        let local = attend(&inputs, options(&[0, 30, 40], 2, Some(window)));
        assert_eq!(largest_difference(&local, &global), 0.0, "window {window}");
    }
    let local = attend(&inputs, options(&[0, 30, 40], 2, Some(28)));
    assert!(largest_difference(&local, &global) > 0.0);
}

#[test]
fn a_token_sees_both_ends_of_its_window_and_no_further() {
    let (tokens, window, token) = (90, 7, 45);
    let inputs = qkv(tokens, 4);
    let lengths = [0, tokens];
    let options = options(&lengths, 1, Some(window));
    let outputs =
        ops::attention(&inputs[0], &inputs[1], &inputs[2], options, Mode::Inference).unwrap();
    let gradients = weigh(&outputs.narrow(0, token, 1).unwrap())
        .backward()
        .unwrap();
    for input in &inputs[1..] {
        let gradient = gradients.get(input).unwrap().to_vec2::<f32>().unwrap();
        for (place, row) in gradient.iter().enumerate() {
            let is_seen = row.iter().any(|x| *x != 0.0);
            assert_eq!(is_seen, place.abs_diff(token) <= window, "token {place}");
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for (lengths, window) in [(&[0, 2, 9][..], 2), (&[0, 37], 1)] {
        let options = options(lengths, 1, Some(window));
        check_finite_differences(&qkv(*lengths.last().unwrap(), 2), 1e-2, |v| {
            ops::attention(&v[0], &v[1], &v[2], options, Mode::Inference)
        });
    }
}

#[test]
fn dropout_in_several_blocks_has_the_gradient_of_its_own_mask() {
    let options = AttentionOptions {
        dropout: 0.3,
        ..options(&[0, 41], 1, Some(2))
    };
    check_finite_differences(&qkv(41, 2), 1e-2, |v| {
        let state = TrainingPass::new(5, 1);
        ops::attention(&v[0], &v[1], &v[2], options, Mode::Training(&state))
    });
}

#[test]
fn dropout_drops_different_weights_in_every_row() {
    // Equal weights and values of one: a row's output is the share of its weights that stayed.
    let tokens = 700;
    let zeros = var(&[tokens, 2], 1).zeros_like().unwrap();
    let ones = zeros.ones_like().unwrap();
    let lengths = [0, tokens];
    for window in [None, Some(40)] {
        let options = AttentionOptions {
            dropout: 0.5,
            ..options(&lengths, 1, window)
        };
        let state = TrainingPass::new(5, 1);
        let shares = ops::attention(&zeros, &zeros, &ones, options, Mode::Training(&state));
        let shares = shares.unwrap().to_vec2::<f32>().unwrap();
        let mean = shares.iter().map(|row| row[0]).sum::<f32>() / tokens as f32;
        assert!((mean - 1.0).abs() < 0.02, "window {window:?}: mean {mean}");
        let blocks: Vec<&[Vec<f32>]> = shares.chunks(256).collect();
        assert_ne!(
            blocks[0], blocks[1],
            "window {window:?}: blocks share a mask"
        );
    }
}

#[test]
fn other_sequences_change_no_bit() {
    let lengths = [0, 40, 640, 641];
    let inputs: Vec<Tensor> = qkv(641, 8).iter().map(|x| x.as_tensor().clone()).collect();
    for window in [None, Some(3), Some(64)] {
        let together = attend(&inputs, options(&lengths, 2, window));
        for pair in lengths.windows(2) {
            let n = pair[1] - pair[0];
            let alone: Vec<Tensor> = inputs
                .iter()
                .map(|x| x.narrow(0, pair[0], n).unwrap().contiguous().unwrap())
                .collect();
            let alone = attend(&alone, options(&[0, n], 2, window));
            let part = together.narrow(0, pair[0], n).unwrap();
            assert_eq!(
                largest_difference(&part, &alone),
                0.0,
                "{pair:?} {window:?}"
            );
        }
    }
}
