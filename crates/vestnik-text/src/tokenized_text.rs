//! A text as words and tokens, and which belongs to which.

use vestnik_core::Span;

use crate::sentences::sentence_starts;
use crate::{Encoding, Result, Tokenizer, words};

/// The tokenizer gets at most about this many bytes at once: its time and memory for each byte grow with the length.
const MAX_PIECE_BYTES: usize = 8192;
/// More white space than this between two pieces is not given to the tokenizer.
const MAX_GAP_BYTES: usize = 64;

/// A text as words and tokens.
///
/// # Example
/// ```no_run
/// # fn main() -> vestnik_text::Result<()> {
/// use vestnik_text::{TokenizedText, Tokenizer};
///
/// let tokenizer = Tokenizer::from_file("tokenizer.json".as_ref())?;
/// let text = TokenizedText::new(&tokenizer, "Нью-Йорк засыпает.")?;
/// assert_eq!(text.words.len(), 3);
/// assert_eq!(text.token_word.len(), text.tokens.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizedText {
    /// The words, in order; see [`words`].
    pub words: Vec<Span>,
    /// The tokens, without special tokens.
    pub tokens: Encoding,
    /// For each token the word that it shares most bytes with, the first of equals, if any.
    pub token_word: Vec<Option<u32>>,
    /// For each word the first of its tokens. `None` for a word that the tokenizer does not see, or that it glues to
    /// another one.
    pub word_first_token: Vec<Option<u32>>,
    /// The tokens that begin a sentence, in order; see [`sentences`](crate::sentences).
    pub sentence_starts: Vec<u32>,
}

impl TokenizedText {
    /// Finds the words, sentences and tokens of a text.
    ///
    /// Takes time linear in the text: a text without line breaks is tokenised in pieces that end with a sentence, or with
    /// a word where sentences are too long. Text without words has no tokens.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn new(tokenizer: &Tokenizer, text: &str) -> Result<Self> {
        let words = words(text);
        let sentences = sentence_starts(text, &words);
        let mut tokens = Encoding::default();
        for piece in pieces(text, &words, &sentences) {
            let part = tokenizer.encode(&text[piece.range()])?;
            let shift = |(start, end)| (start + piece.start(), end + piece.start());
            tokens.ids.extend(part.ids);
            tokens.offsets.extend(part.offsets.into_iter().map(shift));
        }
        let token_word = token_words(&tokens.offsets, &words);
        let word_first_token = first_tokens(&token_word, words.len());
        let sentence_starts = first_token_of_each(&sentences, &word_first_token);
        Ok(Self {
            words,
            tokens,
            token_word,
            word_first_token,
            sentence_starts,
        })
    }

    /// The word whose first token is `token`: the word that is labelled and scored there.
    ///
    /// # Panics
    /// When there is no such token.
    #[must_use]
    pub fn word_begun_by(&self, token: usize) -> Option<usize> {
        let word = self.token_word[token]? as usize;
        (self.word_first_token[word] == Some(token as u32)).then_some(word)
    }

    /// Whether a cut before `token` leaves all words whole.
    pub(crate) fn may_cut_before(&self, token: usize) -> bool {
        let word = |token: usize| self.token_word.get(token).copied().flatten();
        token == 0 || word(token).is_none() || word(token) != word(token - 1)
    }
}

/// Stretches of the text that together hold all words, each with what lies before its first word.
fn pieces(text: &str, words: &[Span], sentences: &[usize]) -> Vec<Span> {
    let mut pieces = Vec::new();
    let mut first = 0;
    let mut end = 0;
    while first < words.len() {
        let gap = text.ceil_char_boundary(words[first].start().saturating_sub(MAX_GAP_BYTES));
        let start = gap.max(end);
        let next = piece_end(words, sentences, first, start);
        end = if next == words.len() {
            trailing(text, words)
        } else {
            words[next - 1].end()
        };
        pieces.extend(Span::new(start, end));
        first = next;
    }
    pieces
}

/// The word behind the piece of text from byte `start` whose first word is `first`.
fn piece_end(words: &[Span], sentences: &[usize], first: usize, start: usize) -> usize {
    let behind = |bytes| words.partition_point(|word| word.end() <= start + bytes);
    let longest = behind(MAX_PIECE_BYTES).max(first + 1);
    if longest == words.len() {
        return longest;
    }
    let n_sentences = sentences.partition_point(|&word| word <= longest);
    let sentence = n_sentences.checked_sub(1).map_or(0, |last| sentences[last]);
    if sentence > first && sentence >= behind(MAX_PIECE_BYTES / 2) {
        sentence
    } else {
        longest
    }
}

/// The end of the text, or of its last word when more than white space for a few tokens follows.
fn trailing(text: &str, words: &[Span]) -> usize {
    let end = words.last().map_or(0, |word| word.end());
    text.floor_char_boundary((end + MAX_GAP_BYTES).min(text.len()))
        .max(end)
}

/// For each token the word that it overlaps most; the first of equals.
fn token_words(offsets: &[(usize, usize)], words: &[Span]) -> Vec<Option<u32>> {
    let mut found = Vec::with_capacity(offsets.len());
    for (token, &span) in offsets.iter().enumerate() {
        // Runs of tokens may share one long span; looking through its words for each of them would take quadratic time.
        let same = token > 0 && offsets[token - 1] == span;
        found.push(if same {
            found[token - 1]
        } else {
            most_overlapped(span, words)
        });
    }
    found
}

fn most_overlapped((start, end): (usize, usize), words: &[Span]) -> Option<u32> {
    let mut best = None;
    let mut most = 0;
    let first = words.partition_point(|word| word.end() <= start);
    for (word, span) in words
        .iter()
        .enumerate()
        .skip(first)
        .take_while(|(_, word)| word.start() < end)
    {
        let shared = span.end().min(end).saturating_sub(span.start().max(start));
        if shared > most {
            (most, best) = (shared, Some(word as u32));
        }
    }
    best
}

fn first_tokens(token_word: &[Option<u32>], n_words: usize) -> Vec<Option<u32>> {
    let mut first = vec![None; n_words];
    for (token, word) in token_word.iter().enumerate().rev() {
        if let Some(word) = word {
            first[*word as usize] = Some(token as u32);
        }
    }
    first
}

/// The first token of each sentence, given the sentences' first words.
fn first_token_of_each(sentences: &[usize], word_first_token: &[Option<u32>]) -> Vec<u32> {
    let ends = sentences
        .iter()
        .skip(1)
        .copied()
        .chain([word_first_token.len()]);
    let sentences = sentences.iter().zip(ends);
    let mut starts: Vec<u32> = sentences
        .filter_map(|(&start, end)| word_first_token[start..end].iter().find_map(|token| *token))
        .collect();
    starts.dedup();
    starts
}
