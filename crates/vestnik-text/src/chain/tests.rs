//! Chains against the enumeration of all sequences.

use proptest::prelude::*;
use vestnik_core::{LabelSet, TagScheme, TagSet};

use super::*;

fn tags(bioes: bool) -> TagSet {
    let scheme = if bioes {
        TagScheme::Bioes
    } else {
        TagScheme::Bio
    };
    TagSet::new(scheme, &LabelSet::new(["PER"]).unwrap())
}

/// Every sequence of tags and its score.
fn paths(chain: &Chain<'_>) -> Vec<(Vec<usize>, f64)> {
    let (n_tags, n_words) = (chain.transitions.n_tags(), chain.n_words());
    let path = |mut number: usize| -> Vec<usize> {
        let digit = |_| {
            let tag = number % n_tags;
            number /= n_tags;
            tag
        };
        (0..n_words).map(digit).collect()
    };
    let score = |path: &[usize]| -> f64 {
        let words = path.iter().enumerate();
        let at_words: f64 = words.map(|(word, &tag)| chain.row(word)[tag]).sum();
        let pairs = path.windows(2);
        let between: f64 = pairs
            .map(|pair| chain.transitions.between(pair[0], pair[1]))
            .sum();
        let edges = path.first().map_or(0.0, |&tag| chain.start(tag))
            + path.last().map_or(0.0, |&tag| chain.end(tag));
        at_words + between + edges
    };
    (0..n_tags.pow(n_words as u32))
        .map(path)
        .map(|path| (path.clone(), score(&path)))
        .collect()
}

fn arbitrary() -> impl Strategy<Value = (TagSet, Transitions, Vec<f64>, bool, bool)> {
    let scores = |n| prop::collection::vec(-4f32..4.0, n);
    (any::<bool>(), 0_usize..5, any::<bool>(), any::<bool>()).prop_flat_map(
        move |(bioes, n_words, begins, ends)| {
            let n = tags(bioes).len();
            let emissions = prop::collection::vec(-4f64..4.0, n_words * n);
            (scores(n * n), scores(n), scores(n), emissions).prop_map(
                move |(between, start, end, emissions)| {
                    let tags = tags(bioes);
                    let transitions = Transitions::new(&tags, &between, &start, &end);
                    (tags, transitions, emissions, begins, ends)
                },
            )
        },
    )
}

proptest! {
    #[test]
    fn sums_and_maxima_are_those_of_all_sequences(
        (tags, transitions, emissions, begins, ends) in arbitrary(),
    ) {
        let chain = Chain::new(&transitions, emissions).part(begins, ends);
        let paths = paths(&chain);
        let total = log_sum_exp(paths.iter().map(|(_, score)| *score));
        prop_assert!((chain.log_partition() - total).abs() < 1e-9);

        let found = chain.best_path();
        let best = paths.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max);
        let score = paths.iter().find(|(path, _)| *path == found).unwrap().1;
        prop_assert!((score - best).abs() < 1e-9);

        let n = tags.len();
        let expected = chain.expectations();
        let mut by_hand = Expectations {
            log_partition: total,
            tags: vec![0.0; chain.n_words() * n],
            between: vec![0.0; n * n],
            start: vec![0.0; n],
            end: vec![0.0; n],
        };
        for (path, score) in &paths {
            let probability = (score - total).exp();
            for (word, tag) in path.iter().enumerate() {
                by_hand.tags[word * n + tag] += probability;
            }
            for pair in path.windows(2) {
                by_hand.between[pair[0] * n + pair[1]] += probability;
            }
            if let (Some(first), true) = (path.first(), begins) {
                by_hand.start[*first] += probability;
            }
            if let (Some(last), true) = (path.last(), ends) {
                by_hand.end[*last] += probability;
            }
        }
        prop_assert_eq!(&chain.marginals(), &expected.tags);
        for (got, expected) in [
            (&expected.tags, &by_hand.tags),
            (&expected.between, &by_hand.between),
            (&expected.start, &by_hand.start),
            (&expected.end, &by_hand.end),
        ] {
            for (got, expected) in got.iter().zip(expected) {
                prop_assert!((got - expected).abs() < 1e-9, "{got} {expected}");
            }
        }
    }

    #[test]
    fn temperature_keeps_the_order_of_paths(
        (_, transitions, emissions, begins, ends) in arbitrary(),
    ) {
        let chain = Chain::new(&transitions, emissions.clone()).part(begins, ends);
        let cooler = transitions.at_temperature(3.0);
        let emissions = emissions.iter().map(|x| x / 3.0).collect();
        let tempered = Chain::new(&cooler, emissions).part(begins, ends);
        prop_assert_eq!(chain.best_path(), tempered.best_path());
    }
}

#[test]
fn long_chains_neither_overflow_nor_vanish() {
    let tags = tags(true);
    let n = tags.len();
    let transitions = Transitions::new(&tags, &vec![30.0; n * n], &vec![0.0; n], &vec![0.0; n]);
    let chain = Chain::new(&transitions, vec![-500.0; 5000 * n]);
    assert!(chain.log_partition().is_finite());
    let sums: Vec<f64> = chain
        .marginals()
        .chunks_exact(n)
        .map(|row| row.iter().sum())
        .collect();
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
}

#[test]
fn what_is_impossible_has_no_path() {
    let tags = tags(false);
    let rules = Transitions::rules(&tags);
    let mut emissions = vec![f64::NEG_INFINITY; 3];
    emissions[2] = 0.0; // I-PER alone
    let chain = Chain::new(&rules, emissions);
    assert_eq!(chain.log_partition(), f64::NEG_INFINITY);
    assert_eq!(chain.clone().part(false, true).log_partition(), 0.0);
}
