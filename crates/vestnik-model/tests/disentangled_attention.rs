//! Disentangled attention: its twins, its gradients, its buckets of distances.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod twins;

use candle_core::{Result, Tensor, Var};
use twins::{check_finite_differences, check_twins, largest_difference, var, weigh};
use vestnik_model::ops::{self, AttentionOptions, PositionTables, RelativePositions};
use vestnik_model::{Mode, TrainingPass};

const CLAMPED: RelativePositions = RelativePositions::Clamped { span: 3 };
const BUCKETS: RelativePositions = RelativePositions::LogBuckets {
    span: 6,
    max_distance: 20,
};

/// Which tables there are.
#[derive(Clone, Copy)]
enum Tables {
    Keys,
    Queries,
    Both,
}

const ALL_TABLES: [Tables; 3] = [Tables::Keys, Tables::Queries, Tables::Both];

/// q, k, v and the tables, as far as there are any.
fn inputs(tokens: usize, width: usize, tables: Tables, rows: RelativePositions) -> Vec<Var> {
    let n_tables = if matches!(tables, Tables::Both) { 2 } else { 1 };
    let tokens = (1..=3).map(|seed| var(&[tokens, width], seed));
    let tables = (4..4 + n_tables).map(|seed| var(&[2 * rows.span(), width], seed));
    tokens.chain(tables).collect()
}

fn positions(inputs: &[Var], tables: Tables, rows: RelativePositions) -> PositionTables<'_> {
    let (keys, queries) = match tables {
        Tables::Keys => (Some(&inputs[3]), None),
        Tables::Queries => (None, Some(&inputs[3])),
        Tables::Both => (Some(&inputs[3]), Some(&inputs[4])),
    };
    PositionTables {
        keys: keys.map(Var::as_tensor),
        queries: queries.map(Var::as_tensor),
        positions: rows,
        first_row: 0,
    }
}

fn options(cumulative_lengths: &[usize], n_heads: usize) -> AttentionOptions<'_> {
    AttentionOptions {
        cumulative_lengths,
        n_heads,
        dropout: 0.0,
        window: None,
    }
}

fn qkv(inputs: &[Var]) -> [&Tensor; 3] {
    [&inputs[0], &inputs[1], &inputs[2]]
}

#[test]
fn fused_equals_composed() {
    // One token, two, an odd number, more than there are buckets.
    let options = options(&[0, 1, 3, 8, 8 + 31], 3);
    for rows in [CLAMPED, BUCKETS] {
        for tables in ALL_TABLES {
            check_twins(
                &inputs(39, 12, tables, rows),
                3e-5,
                |v| {
                    let positions = positions(v, tables, rows);
                    ops::disentangled_attention(qkv(v), positions, options, Mode::Inference)
                },
                |v| {
                    let positions = positions(v, tables, rows);
                    ops::disentangled_attention_composed(
                        qkv(v),
                        positions,
                        options,
                        Mode::Inference,
                    )
                },
            );
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    for rows in [CLAMPED, BUCKETS] {
        for tables in ALL_TABLES {
            check_finite_differences(&inputs(10, 6, tables, rows), 1e-2, |v| {
                let positions = positions(v, tables, rows);
                let options = options(&[0, 1, 3, 10], 2);
                ops::disentangled_attention(qkv(v), positions, options, Mode::Inference)
            });
        }
    }
}

#[test]
fn dropout_has_the_gradient_of_its_own_mask() {
    let options = AttentionOptions {
        dropout: 0.3,
        window: None,
        ..options(&[0, 3, 7], 2)
    };
    let attend = |v: &[Var], step| {
        let state = TrainingPass::new(5, step);
        let positions = positions(v, Tables::Both, BUCKETS);
        ops::disentangled_attention(qkv(v), positions, options, Mode::Training(&state))
    };
    let inputs = inputs(7, 6, Tables::Both, BUCKETS);
    check_finite_differences(&inputs, 1e-2, |v| attend(v, 1));
    let (one, other) = (attend(&inputs, 1).unwrap(), attend(&inputs, 2).unwrap());
    assert!(largest_difference(&one, &other) > 1e-3);
}

/// The output of both tables' attention, and the gradients of all inputs.
fn outputs_and_gradients(inputs: &[Var], lengths: &[usize]) -> Vec<Tensor> {
    let positions = positions(inputs, Tables::Both, BUCKETS);
    let output =
        ops::disentangled_attention(qkv(inputs), positions, options(lengths, 2), Mode::Inference)
            .unwrap();
    let gradients = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let gradients = inputs.iter().map(|x| gradients.get(x).unwrap().clone());
    std::iter::once(output).chain(gradients).collect()
}

#[test]
fn a_batch_equals_its_sequences_bit_for_bit() {
    let all = inputs(20, 8, Tables::Both, BUCKETS);
    let together = outputs_and_gradients(&all, &[0, 7, 20]);
    let part = |start, length| {
        let tokens = all[..3].iter().map(|x| x.narrow(0, start, length).unwrap());
        let tokens = tokens.map(|x| Var::from_tensor(&x.contiguous().unwrap()).unwrap());
        let inputs: Vec<Var> = tokens.chain(all[3..].iter().cloned()).collect();
        outputs_and_gradients(&inputs, &[0, length])
    };
    let (first, second) = (part(0, 7), part(7, 13));
    for (index, whole) in together.iter().enumerate() {
        let of_parts = if index < 4 {
            Tensor::cat(&[&first[index], &second[index]], 0)
        } else {
            &first[index] + &second[index] // the gradients of the tables
        };
        assert_eq!(largest_difference(whole, &of_parts.unwrap()), 0.0);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let inputs = inputs(60, 16, Tables::Both, BUCKETS);
    let with_threads = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build();
        pool.unwrap()
            .install(|| outputs_and_gradients(&inputs, &[0, 9, 10, 31, 60]))
    };
    let one = with_threads(1);
    for _ in 0..5 {
        for (one, many) in one.iter().zip(with_threads(4)) {
            assert_eq!(largest_difference(one, &many), 0.0);
        }
    }
}

#[test]
fn frozen_tables_get_no_gradient() {
    let v = inputs(5, 4, Tables::Both, CLAMPED);
    let frozen = [v[3].as_detached_tensor(), v[4].as_detached_tensor()];
    let positions = PositionTables {
        keys: Some(&frozen[0]),
        queries: Some(&frozen[1]),
        positions: CLAMPED,
        first_row: 0,
    };
    let output =
        ops::disentangled_attention(qkv(&v), positions, options(&[0, 5], 1), Mode::Inference)
            .unwrap();
    let gradients = weigh(&output).backward().unwrap();
    assert!(gradients.get(&v[0]).is_some() && gradients.get(&frozen[0]).is_none());
}

#[test]
fn tables_need_only_the_rows_that_are_used() {
    let v = inputs(5, 4, Tables::Both, BUCKETS);
    let used = BUCKETS.used_rows(3);
    assert_eq!(used, 4..9);
    let attend = |inputs: &[Tensor], first_row| {
        let positions = PositionTables {
            keys: Some(&inputs[0]),
            queries: Some(&inputs[1]),
            positions: BUCKETS,
            first_row,
        };
        ops::disentangled_attention(qkv(&v), positions, options(&[0, 2, 5], 2), Mode::Inference)
            .unwrap()
    };
    let whole = [v[3].as_tensor().clone(), v[4].as_tensor().clone()];
    let cut = whole
        .each_ref()
        .map(|table| table.narrow(0, used.start, used.len()).unwrap());
    let difference = largest_difference(&attend(&whole, 0), &attend(&cut, used.start));
    assert_eq!(difference, 0.0);
}

#[test]
fn without_tables_it_is_plain_attention() {
    let v = inputs(5, 4, Tables::Keys, CLAMPED);
    let positions = PositionTables {
        keys: None,
        queries: None,
        positions: CLAMPED,
        first_row: 0,
    };
    let options = options(&[0, 2, 5], 2);
    let attend = |attend: fn(_, _, _, _) -> Result<Tensor>| {
        attend(qkv(&v), positions, options, Mode::Inference)
    };
    let plain = ops::attention(&v[0], &v[1], &v[2], options, Mode::Inference).unwrap();
    for attended in [
        attend(ops::disentangled_attention),
        attend(ops::disentangled_attention_composed),
    ] {
        assert!(largest_difference(&attended.unwrap(), &plain) < 1e-6);
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let v = inputs(5, 4, Tables::Keys, CLAMPED);
    let message = |qkv, table: &Tensor, lengths: &[usize]| {
        let positions = PositionTables {
            keys: Some(table),
            queries: None,
            positions: CLAMPED,
            first_row: 0,
        };
        ops::disentangled_attention(qkv, positions, options(lengths, 2), Mode::Inference)
            .unwrap_err()
            .to_string()
    };
    let short = v[3].narrow(0, 0, 5).unwrap();
    assert!(message(qkv(&v), &short, &[0, 5]).contains("positions 0..5, 5 tokens need 0..6"));
    assert!(message(qkv(&v), &v[3], &[0, 4]).contains("lengths [0, 4]"));
    let narrow = v[2].narrow(0, 0, 4).unwrap();
    let message = message([&v[0], &v[1], &narrow], &v[3], &[0, 5]);
    assert!(message.contains("[[5, 4], [5, 4], [4, 4]]"), "{message}");
}

#[test]
fn a_window_is_refused() {
    let v = inputs(5, 4, Tables::Keys, CLAMPED);
    let options = AttentionOptions {
        window: Some(2),
        ..options(&[0, 5], 2)
    };
    for attend in [
        ops::disentangled_attention,
        ops::disentangled_attention_composed,
    ] {
        let attended = attend(
            qkv(&v),
            positions(&v, Tables::Keys, CLAMPED),
            options,
            Mode::Inference,
        );
        let message = attended.unwrap_err().to_string();
        assert!(message.contains("window of 2"), "{message}");
    }
}

#[test]
fn clamped_rows() {
    let rows: Vec<usize> = (-5..=5).map(|distance| CLAMPED.row(distance)).collect();
    assert_eq!(rows, [0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5]);
}

/// Where the buckets of distances up to 2,000 begin, after those of one distance each, as recorded from
/// `make_log_bucket_position` of transformers 5.23.0 with torch 2.15.0: `(span, max_distance, starts)`. Several are
/// powers that f32 meets exactly or just misses.
const RECORDED_BUCKETS: [(usize, usize, &[isize]); 6] = [
    (2, 10, &[]),
    (6, 20, &[4, 8, 20]),
    (8, 257, &[5, 17, 65, 257]),
    (9, 40, &[5, 9, 19, 40, 84]),
    (
        32,
        128,
        &[
            17, 19, 22, 25, 28, 32, 37, 43, 49, 56, 64, 74, 84, 97, 111, 128,
        ],
    ),
    (
        256,
        512,
        &[
            129, 130, 131, 133, 134, 136, 137, 139, 140, 142, 143, 145, 146, 148, 150, 151, 153,
            155, 156, 158, 160, 161, 163, 165, 167, 169, 170, 172, 174, 176, 178, 180, 182, 184,
            186, 188, 190, 192, 194, 196, 198, 201, 203, 205, 207, 210, 212, 214, 216, 219, 221,
            224, 226, 229, 231, 234, 236, 239, 241, 244, 247, 249, 252, 255, 258, 260, 263, 266,
            269, 272, 275, 278, 281, 284, 287, 290, 294, 297, 300, 303, 307, 310, 313, 317, 320,
            324, 327, 331, 335, 338, 342, 346, 349, 353, 357, 361, 365, 369, 373, 377, 381, 385,
            390, 394, 398, 403, 407, 411, 416, 420, 425, 430, 434, 439, 444, 449, 454, 459, 464,
            469, 474, 479, 484, 490, 495, 500, 506, 512,
        ],
    ),
];

#[test]
fn log_buckets_begin_where_those_of_the_reference_do() {
    for (span, max_distance, starts) in RECORDED_BUCKETS {
        let rows = RelativePositions::LogBuckets { span, max_distance };
        let last = rows.span() as isize;
        for distance in 0..=2000 {
            let single = distance.min(span as isize / 2);
            let beyond = starts.iter().filter(|start| **start <= distance).count();
            let bucket = single + beyond as isize;
            let expected = [bucket.min(last - 1) + last, last - bucket.min(last)];
            let got = [distance, -distance].map(|distance| rows.row(distance) as isize);
            assert_eq!(got, expected, "{rows:?} at {distance}");
        }
    }
}
