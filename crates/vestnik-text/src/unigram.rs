//! Training of a unigram language model over pieces of words (Kudo 2018, <https://arxiv.org/abs/1804.10959>).
//!
//! It follows SentencePiece: seeds from a suffix array, expectation maximisation, pruning by the loss of likelihood. The
//! trainer in `tokenizers` is not used: it looks for seeds without the counts of words, so that a frequent form which
//! begins no longer word (`которые`) never becomes a piece, and the suffix array that it takes in pure Rust fails on some
//! texts. Results depend on nothing but the words: sums are made in a fixed order, whatever the number of threads.

mod lattice;
mod seeds;

use rayon::prelude::*;

use lattice::Lattice;

/// Rounds of expectation maximisation between two prunings, as in SentencePiece.
const ROUNDS: usize = 2;
/// Share of the pieces that a pruning leaves, as in SentencePiece.
const KEPT: f64 = 0.75;
/// Number of partial sums; fixed, since their number decides how results are rounded.
const PARTS: usize = 8;
/// A piece that is expected less often is dropped, as in SentencePiece.
const MIN_EXPECTED: f64 = 0.5;

/// A piece and its log-probability.
pub(crate) type Piece = (String, f64);

/// A word and how often it occurs.
pub(crate) type Word = (String, u32);

/// What is to be learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// Number of pieces; some more are given, and fewer where the words do not hold as many.
    pub(crate) n_pieces: usize,
    /// Longest piece.
    pub(crate) max_chars: usize,
}

/// Learns pieces that make the words likely. Every character of the words is among them.
pub(crate) fn train(words: &[Word], goal: Goal) -> Vec<Piece> {
    let enough = goal.n_pieces + goal.n_pieces / 10;
    let mut pieces = seeds::seeds(words, goal.max_chars);
    loop {
        for _ in 0..ROUNDS {
            let expected = expected_counts(words, &pieces);
            pieces = maximize(pieces, &expected);
        }
        if pieces.len() <= enough {
            return pieces;
        }
        let before = pieces.len();
        let n_kept = (before as f64 * KEPT) as usize;
        pieces = prune(words, pieces, n_kept.max(enough));
        // Nothing but characters is left.
        if pieces.len() == before {
            return pieces;
        }
    }
}

/// How often each piece is expected in the words, over all ways to cut them.
fn expected_counts(words: &[Word], pieces: &[Piece]) -> Vec<f64> {
    let lattice = Lattice::new(pieces);
    count(words, pieces.len(), |word, weight, counts| {
        lattice.add_expected(word, weight, counts);
    })
}

/// Sums up what `add` finds in each word.
fn count(words: &[Word], n_pieces: usize, add: impl Fn(&str, f64, &mut [f64]) + Sync) -> Vec<f64> {
    let parts = words
        .par_chunks(words.len().div_ceil(PARTS).max(1))
        .map(|words| {
            let mut counts = vec![0.0; n_pieces];
            words
                .iter()
                .for_each(|(word, weight)| add(word, f64::from(*weight), &mut counts));
            counts
        });
    let parts: Vec<Vec<f64>> = parts.collect();
    (0..n_pieces)
        .map(|piece| parts.iter().map(|counts| counts[piece]).sum())
        .collect()
}

/// New probabilities from expected counts, with the sparse prior of SentencePiece (Liang & Klein 2007).
fn maximize(pieces: Vec<Piece>, expected: &[f64]) -> Vec<Piece> {
    let counted = pieces.into_iter().zip(expected);
    let kept: Vec<(String, f64)> = counted
        .filter(|((piece, _), count)| **count >= MIN_EXPECTED || is_character(piece))
        .map(|((piece, _), count)| (piece, count.max(MIN_EXPECTED)))
        .collect();
    let total = digamma(kept.iter().map(|(_, count)| count).sum());
    kept.into_iter()
        .map(|(piece, count)| (piece, digamma(count) - total))
        .collect()
}

/// Keeps all characters, and of the other pieces those without which the words would be least likely.
fn prune(words: &[Word], pieces: Vec<Piece>, n_kept: usize) -> Vec<Piece> {
    let lattice = Lattice::new(&pieces);
    let counts = count(words, pieces.len(), |word, weight, counts| {
        for piece in lattice.best_path(word, None) {
            counts[piece] += weight;
        }
    });
    let total: f64 = counts.iter().sum();
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    let loss_of = |&id: &usize| loss(&lattice, &pieces[id].0, id, &counts, total);
    let losses: Vec<f64> = order.par_iter().map(loss_of).collect();
    order.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    let mut kept = vec![false; pieces.len()];
    for (rank, id) in order.into_iter().enumerate() {
        kept[id] = is_character(&pieces[id].0) || (rank < n_kept && counts[id] > 0.0);
    }
    let pieces = pieces.into_iter().zip(kept);
    pieces
        .filter_map(|(piece, kept)| kept.then_some(piece))
        .collect()
}

/// By how much the log-likelihood of a word falls on average when a piece is spelt with others: section 3.2 of the paper.
fn loss(lattice: &Lattice, piece: &str, id: usize, counts: &[f64], total: f64) -> f64 {
    if is_character(piece) {
        return f64::INFINITY;
    }
    let count = counts[id];
    if count == 0.0 {
        return f64::NEG_INFINITY;
    }
    let others = lattice.best_path(piece, Some(id));
    let total_without = (total + count * (others.len() as f64 - 1.0)).ln();
    let spelt: f64 = others
        .iter()
        .map(|&other| (counts[other] + count).ln() - total_without)
        .sum();
    count / total * (count.ln() - total.ln() - spelt)
}

fn is_character(piece: &str) -> bool {
    piece.chars().nth(1).is_none()
}

/// The logarithmic derivative of the gamma function for positive `x`: recurrence up to 7, then the asymptotic series in
/// `x - 1/2`.
fn digamma(mut x: f64) -> f64 {
    let mut result = 0.0;
    while x < 7.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    let x = x - 0.5;
    let square = 1.0 / (x * x);
    result + x.ln() + square * (1.0 / 24.0 - square * (7.0 / 960.0 - square * 31.0 / 8064.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[(&str, u32)]) -> Vec<Word> {
        words
            .iter()
            .map(|&(word, count)| (word.to_owned(), count))
            .collect()
    }

    fn train_pieces(given: &[(&str, u32)], n_pieces: usize) -> Vec<String> {
        let pieces = train(
            &words(given),
            Goal {
                n_pieces,
                max_chars: 8,
            },
        );
        pieces.into_iter().map(|(piece, _)| piece).collect()
    }

    #[test]
    fn digamma_has_its_known_values() {
        let euler = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + euler).abs() < 1e-8);
        assert!((digamma(0.5) + euler + 2.0 * 2.0_f64.ln()).abs() < 1e-8);
        assert!((digamma(100.0) - 4.600_161_852_738_087).abs() < 1e-10);
    }

    #[test]
    fn frequent_words_and_stems_become_pieces() {
        let given = [
            ("▁который", 40),
            ("▁которые", 90),
            ("▁котором", 30),
            ("▁дом", 50),
            ("▁дома", 20),
        ];
        let pieces = train_pieces(&given, 20);
        assert!(pieces.contains(&"▁которые".to_owned()), "{pieces:?}");
        assert!(pieces.contains(&"▁дом".to_owned()), "{pieces:?}");
    }

    #[test]
    fn every_character_stays() {
        let pieces = train_pieces(&[("▁aaaa", 1000), ("▁bz", 1)], 2);
        for character in ["▁", "a", "b", "z"] {
            assert!(pieces.contains(&character.to_owned()), "{pieces:?}");
        }
    }

    #[test]
    fn the_number_of_pieces_comes_down_to_the_goal() {
        let given: Vec<String> = (0..400_u32)
            .map(|i| format!("▁{}", i.wrapping_mul(2_654_435_761)))
            .collect();
        let given: Vec<(&str, u32)> = given.iter().map(|word| (word.as_str(), 3)).collect();
        let pieces = train_pieces(&given, 100);
        assert!((50..=110).contains(&pieces.len()), "{}", pieces.len());
    }

    #[test]
    fn one_and_no_words() {
        assert_eq!(train_pieces(&[], 10), Vec::<String>::new());
        let pieces = train_pieces(&[("▁", 3)], 10);
        assert_eq!(pieces, ["▁"]);
    }
}
