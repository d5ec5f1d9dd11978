//! Texts as pieces of token ids in memory.

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vestnik_text::{TokenizedText, Tokenizer};

use crate::error::Result;

/// Pieces shorter than this teach nothing and are left out.
const MIN_TOKENS: usize = 4;

/// Texts that are tokenised at a time: enough for all threads, few enough to stay small in memory.
const TEXTS_AT_A_TIME: usize = 256;

/// Vocabularies up to this size are kept in 2 bytes a token.
const SMALL_VOCABULARY: usize = 1 << 16;

/// A text with the weight that it has in an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedText {
    /// The text.
    pub text: String,
    /// How often it is seen in an epoch (see [`crate::PretrainConfig::weight`]).
    pub weight: f64,
}

/// All texts of a run, tokenised and cut into pieces.
///
/// 20 million tokens take 60 MB: two bytes for the id (vocabularies up to 65,536), one for "a word begins here".
#[derive(Debug, Clone)]
pub struct Pieces {
    tokenizer: Tokenizer,
    piece_tokens: usize,
    ids: Ids,
    word_starts: Vec<bool>,
    /// Where each piece begins; it ends where the next one begins.
    starts: Vec<usize>,
    /// Index into `weights` for each piece.
    weight_of: Vec<u32>,
    weights: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Ids {
    Small(Vec<u16>),
    Large(Vec<u32>),
}

/// The tokens of one text.
struct Tokens {
    ids: Vec<u32>,
    word_starts: Vec<bool>,
}

impl Pieces {
    /// No texts yet; pieces will have at most `piece_tokens` tokens, special tokens not counted.
    #[must_use]
    pub fn new(tokenizer: Tokenizer, piece_tokens: usize) -> Self {
        let small = tokenizer.vocab_size() <= SMALL_VOCABULARY;
        Self {
            tokenizer,
            piece_tokens: piece_tokens.max(1),
            ids: if small {
                Ids::Small(Vec::new())
            } else {
                Ids::Large(Vec::new())
            },
            word_starts: Vec::new(),
            starts: Vec::new(),
            weight_of: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Tokenises texts on all threads and adds them in their order.
    ///
    /// # Errors
    /// [`crate::Error::Text`] when the tokenizer refuses a text.
    pub fn add_texts(&mut self, texts: impl IntoIterator<Item = WeightedText>) -> Result<()> {
        let mut texts = texts.into_iter();
        loop {
            let some: Vec<WeightedText> = texts.by_ref().take(TEXTS_AT_A_TIME).collect();
            if some.is_empty() {
                return Ok(());
            }
            let tokenized: Vec<_> = some
                .par_iter()
                .map(|text| Tokens::of(&self.tokenizer, &text.text))
                .collect();
            for (tokens, text) in tokenized.into_iter().zip(&some) {
                self.add(&tokens?, text.weight);
            }
        }
    }

    fn add(&mut self, tokens: &Tokens, weight: f64) {
        let number = self.weight_number(weight);
        for piece in cuts(&tokens.word_starts, self.piece_tokens).windows(2) {
            if piece[1] - piece[0] < MIN_TOKENS {
                continue;
            }
            self.starts.push(self.word_starts.len());
            self.weight_of.push(number);
            self.ids.extend(&tokens.ids[piece[0]..piece[1]]);
            self.word_starts
                .extend_from_slice(&tokens.word_starts[piece[0]..piece[1]]);
        }
    }

    /// Weights are few (file times language), so a list is searched.
    fn weight_number(&mut self, weight: f64) -> u32 {
        let known = self.weights.iter().position(|&known| known == weight);
        known.unwrap_or_else(|| {
            self.weights.push(weight);
            self.weights.len() - 1
        }) as u32
    }

    /// Number of pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are no pieces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Number of tokens in all pieces.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.word_starts.len()
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens of a piece.
    pub(super) fn length(&self, piece: usize) -> usize {
        self.range(piece).len()
    }

    /// Token ids of a piece, and for each whether a word begins there.
    pub(super) fn piece(&self, piece: usize) -> (Vec<u32>, &[bool]) {
        let range = self.range(piece);
        let ids = match &self.ids {
            Ids::Small(ids) => ids[range.clone()].iter().map(|&id| u32::from(id)).collect(),
            Ids::Large(ids) => ids[range.clone()].to_vec(),
        };
        (ids, &self.word_starts[range])
    }

    /// How often a piece is seen in an epoch.
    pub(super) fn weight(&self, piece: usize) -> f64 {
        self.weights[self.weight_of[piece] as usize]
    }

    /// Hash of all pieces in their order.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for piece in 0..self.len() {
            let (ids, _) = self.piece(piece);
            hash.update((ids.len() as u64).to_le_bytes());
            hash.update(self.weight(piece).to_le_bytes());
            ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
        }
        format!("{:x}", hash.finalize())
    }

    fn range(&self, piece: usize) -> std::ops::Range<usize> {
        let end = self
            .starts
            .get(piece + 1)
            .copied()
            .unwrap_or(self.word_starts.len());
        self.starts[piece]..end
    }
}

impl Ids {
    fn extend(&mut self, ids: &[u32]) {
        match self {
            // Ids below 2¹⁶ by construction: the vocabulary is not larger.
            Self::Small(all) => all.extend(ids.iter().map(|&id| id as u16)),
            Self::Large(all) => all.extend_from_slice(ids),
        }
    }
}

impl Tokens {
    fn of(tokenizer: &Tokenizer, text: &str) -> Result<Self> {
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
