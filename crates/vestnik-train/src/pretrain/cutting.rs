//! Texts as tokens, and where these are cut into pieces.

use vestnik_text::{TokenizedText, Tokenizer};

use crate::error::Result;

/// Pieces shorter than this teach nothing and are left out.
const MIN_TOKENS: usize = 4;

/// The tokens of one text.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) ids: Vec<u32>,
    /// For each token whether a word begins there.
    pub(super) word_starts: Vec<bool>,
}

impl Tokens {
    pub(super) fn of(tokenizer: &Tokenizer, text: &str) -> Result<Self> {
        let tokenized = TokenizedText::new(tokenizer, text)?;
        let words = &tokenized.token_word;
        let word_starts = (0..words.len())
            .map(|token| words[token].is_none() || token == 0 || words[token] != words[token - 1])
            .collect();
        Ok(Self {
            ids: tokenized.tokens.ids,
            word_starts,
        })
    }

    /// The pieces to learn from, as ranges of tokens: at most `longest` tokens each.
    pub(super) fn pieces(&self, longest: usize) -> Vec<std::ops::Range<usize>> {
        let cuts = cuts(&self.word_starts, longest);
        let pieces = cuts.windows(2).map(|piece| piece[0]..piece[1]);
        pieces.filter(|piece| piece.len() >= MIN_TOKENS).collect()
    }
}

/// Borders of pieces of about equal length, at most `longest` tokens each, moved back to the beginning of a word unless
/// a word fills half a piece. From 0 to the number of tokens; only 0 when there are none.
fn cuts(word_starts: &[bool], longest: usize) -> Vec<usize> {
    let total = word_starts.len();
    let mut borders = vec![0];
    let mut start = 0;
    while start < total {
        let rest = total - start;
        let pieces = rest.div_ceil(longest);
        let ideal = start + rest.div_ceil(pieces);
        start = if ideal == total {
            total
        } else {
            word_start_before(word_starts, start, ideal)
        };
        borders.push(start);
    }
    borders
}

/// The last beginning of a word in the second half of `start..=ideal`, or `ideal`.
fn word_start_before(word_starts: &[bool], start: usize, ideal: usize) -> usize {
    let half = start + (ideal - start) / 2;
    (half + 1..=ideal)
        .rev()
        .find(|&border| word_starts[border])
        .unwrap_or(ideal)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `|` begins a word, `.` goes on with it.
    #[track_caller]
    fn check(words: &str, longest: usize, expected: &[usize]) {
        let starts: Vec<bool> = words.chars().map(|c| c == '|').collect();
        let cuts = cuts(&starts, longest);
        assert_eq!(cuts, expected);
        assert!(
            cuts.windows(2)
                .all(|piece| (1..=longest).contains(&(piece[1] - piece[0])))
        );
    }

    #[test]
    fn pieces_are_even_and_begin_with_a_word() {
        check("", 4, &[0]);
        check("||||", 4, &[0, 4]);
        check("|||||", 4, &[0, 3, 5]);
        check("|..|..|..|", 8, &[0, 3, 10]);
        check("||.|||.|||", 4, &[0, 4, 7, 10]);
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_a_partition(
            starts in proptest::collection::vec(proptest::bool::weighted(0.4), 0..500),
            longest in 1usize..60,
        ) {
            let cuts = cuts(&starts, longest);
            proptest::prop_assert_eq!((cuts[0], cuts[cuts.len() - 1]), (0, starts.len()));
            for piece in cuts.windows(2) {
                proptest::prop_assert!((1..=longest).contains(&(piece[1] - piece[0])));
            }
        }
    }

    #[test]
    fn a_word_longer_than_a_piece_is_cut() {
        check("|.........", 4, &[0, 4, 7, 10]);
    }
}
