//! Candidates for pieces.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Piece, Word};

/// Most candidates of more than one character, as in SentencePiece.
const MAX_SEEDS: usize = 1_000_000;
/// A string that occurs less often is no candidate.
const MIN_COUNT: u64 = 2;

/// All characters of the words, and the strings that occur most often for their length, with first log-probabilities.
///
/// Of strings that are always followed by the same character only the longest are taken. The score of a candidate is its
/// number of occurrences times its length, as in SentencePiece, which counts a word once here, however frequent it is.
pub(super) fn seeds(words: &[Word], max_chars: usize) -> Vec<Piece> {
    let mut seeds: Vec<(&str, u64)> = Vec::new();
    repeated(words, |string, count| {
        let chars = string.chars().count();
        if (2..=max_chars).contains(&chars) && count >= MIN_COUNT {
            seeds.push((string, count * chars as u64));
        }
    });
    seeds.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    seeds.truncate(MAX_SEEDS);
    let characters = characters(words);
    let total: u64 = characters
        .values()
        .chain(seeds.iter().map(|(_, score)| score))
        .sum();
    let log_probability = |score: u64| (score as f64 / total as f64).ln();
    let characters = characters
        .iter()
        .map(|(c, &count)| (c.to_string(), log_probability(count)));
    let seeds = seeds
        .iter()
        .map(|(seed, score)| ((*seed).to_owned(), log_probability(*score)));
    characters.chain(seeds).collect()
}

fn characters(words: &[Word]) -> BTreeMap<char, u64> {
    let mut counts = BTreeMap::new();
    for (word, count) in words {
        for c in word.chars() {
            *counts.entry(c).or_default() += u64::from(*count);
        }
    }
    counts
}

/// Calls `emit` with every string that has two different continuations in the words, the end of a word being one, and
/// with its number of occurrences: the inner nodes of the suffix tree and its leaves.
fn repeated<'a>(words: &'a [Word], mut emit: impl FnMut(&'a str, u64)) {
    let suffixes = suffixes(words);
    // Open nodes: length in bytes, and the occurrences before them.
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut before = 0;
    let mut previous = "";
    for (suffix, count) in suffixes.into_iter().chain([("", 0)]) {
        let shared = common_prefix(previous, suffix);
        let mut start = before;
        while let Some((length, opened)) = open.pop_if(|(length, _)| *length > shared) {
            emit(&previous[..length], before - opened);
            start = opened;
        }
        for length in [shared, suffix.len()] {
            if open.last().map_or(0, |(length, _)| *length) < length {
                open.push((length, start));
            }
            start = before;
        }
        before += count;
        previous = suffix;
    }
}

/// The ends of all words in order, from every character on, with the counts of the words.
fn suffixes(words: &[Word]) -> Vec<(&str, u64)> {
    let of_word = |(word, count): &'_ Word| {
        (
            word.char_indices().map(|(at, _)| at).collect::<Vec<_>>(),
            u64::from(*count),
        )
    };
    let mut suffixes: Vec<(&str, u64)> = Vec::new();
    for word in words {
        let (starts, count) = of_word(word);
        suffixes.extend(starts.into_iter().map(|at| (&word.0[at..], count)));
    }
    suffixes.par_sort_unstable();
    suffixes
}

fn common_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    a.floor_char_boundary(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(words: &[(&str, u32)]) -> Vec<(String, u64)> {
        let words: Vec<Word> = words
            .iter()
            .map(|&(word, count)| (word.to_owned(), count))
            .collect();
        let mut found = Vec::new();
        repeated(&words, |string, count| {
            found.push((string.to_owned(), count));
        });
        found.sort();
        found
    }

    #[test]
    fn strings_are_counted_with_the_counts_of_their_words() {
        let expected = [("a", 9), ("ab", 5), ("b", 5), ("ba", 4)];
        let expected: Vec<_> = expected
            .iter()
            .map(|(string, count)| ((*string).to_owned(), *count))
            .collect();
        assert_eq!(found(&[("ab", 5), ("ba", 4)]).len(), 4);
        assert_eq!(
            found(&[("ab", 5), ("ba", 4)]),
            [
                expected[0].clone(),
                expected[1].clone(),
                ("b".into(), 9),
                expected[3].clone()
            ]
        );
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[("щ", 1)]), [("щ".to_owned(), 1)]);
    }

    #[test]
    fn characters_that_share_bytes_are_not_mixed() {
        // U+0449 and U+0448 begin with the same byte.
        assert_eq!(
            found(&[("щ", 1), ("ш", 1)]),
            [("ш".to_owned(), 1), ("щ".to_owned(), 1)]
        );
    }

    #[test]
    fn seeds_are_characters_and_what_is_repeated() {
        let words = [("аб".to_owned(), 2), ("в".to_owned(), 1)];
        let seeds = seeds(&words, 8);
        let pieces: Vec<&str> = seeds.iter().map(|(piece, _)| piece.as_str()).collect();
        assert_eq!(pieces, ["а", "б", "в", "аб"]);
        let total: f64 = seeds.iter().map(|(_, score)| score.exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn counts_are_right(words in prop::collection::btree_map("[аб]{1,6}", 1u32..9, 0..12)) {
            let words: Vec<Word> = words.into_iter().collect();
            let mut all = BTreeMap::new();
            repeated(&words, |string, count| {
                assert!(all.insert(string.to_owned(), count).is_none(), "{string} twice");
            });
            for (string, count) in &all {
                let occurrences = |word: &str| (0..word.len()).filter(|&at| word.is_char_boundary(at) && word[at..].starts_with(string.as_str())).count() as u64;
                let expected: u64 = words.iter().map(|(word, weight)| occurrences(word) * u64::from(*weight)).sum();
                prop_assert_eq!(*count, expected, "{}", string);
            }
            for (word, _) in &words {
                prop_assert!(all.contains_key(word));
            }
        }
    }
}
