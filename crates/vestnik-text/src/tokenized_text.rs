//! A text as words and tokens, and which belongs to which.

use vestnik_core::Span;

use crate::{Encoding, Result, Tokenizer, sentences, words};

/// The longest stretch of text, in bytes, that the tokenizer gets at once: its time grows faster than the length.
const MAX_PIECE_BYTES: usize = 8192;

/// A text as words and tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizedText {
    /// The words, in order.
    pub words: Vec<Span>,
    /// The tokens, without special tokens.
    pub tokens: Encoding,
    /// For each token the word that it shares most bytes with, if any.
    pub token_word: Vec<Option<u32>>,
    /// For each word the first of its tokens, if any.
    pub word_first_token: Vec<Option<u32>>,
    /// The tokens that begin a sentence, in order.
    pub sentence_starts: Vec<u32>,
}

impl TokenizedText {
    /// Finds the words and the tokens of a text. Takes time linear in the text, however long its lines are.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn new(tokenizer: &Tokenizer, text: &str) -> Result<Self> {
        let words = words(text);
        let sentences = sentences(text);
        let mut tokens = Encoding::default();
        let mut sentence_starts = vec![];
        for sentence in sentences {
            let first = tokens.ids.len() as u32;
            for piece in pieces(text, sentence) {
                let part = tokenizer.encode(&text[piece.range()])?;
                tokens.ids.extend(part.ids);
                let shift =
                    |(start, end): (usize, usize)| (start + piece.start(), end + piece.start());
                tokens.offsets.extend(part.offsets.into_iter().map(shift));
            }
            if tokens.ids.len() as u32 > first {
                sentence_starts.push(first);
            }
        }
        let token_word = token_words(&tokens, &words);
        let mut word_first_token = vec![None; words.len()];
        for (token, word) in token_word.iter().enumerate().rev() {
            if let Some(word) = word {
                word_first_token[*word as usize] = Some(token as u32);
            }
        }
        Ok(Self {
            words,
            tokens,
            token_word,
            word_first_token,
            sentence_starts,
        })
    }
}

/// Cuts a long stretch at white space, or where there is none at any character.
fn pieces(text: &str, sentence: Span) -> Vec<Span> {
    let mut pieces = vec![];
    let mut start = sentence.start();
    while sentence.end() - start > MAX_PIECE_BYTES {
        let mut end = start + MAX_PIECE_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if let Some(space) = text[start..end]
            .rfind(char::is_whitespace)
            .filter(|space| *space > 0)
        {
            end = start + space;
        }
        pieces.extend(Span::new(start, end));
        start = end;
    }
    pieces.extend(Span::new(start, sentence.end()));
    pieces
}

/// For each token the word that it overlaps most; the first of equals.
fn token_words(tokens: &Encoding, words: &[Span]) -> Vec<Option<u32>> {
    let mut first = 0;
    let word_of = |&(start, end): &(usize, usize)| {
        while words.get(first).is_some_and(|word| word.end() <= start) {
            first += 1;
        }
        let overlap = |word: &Span| word.end().min(end).saturating_sub(word.start().max(start));
        let candidates = words[first..]
            .iter()
            .take_while(|word| word.start() < end)
            .enumerate();
        let best = candidates.fold((0, None), |(most, best), (index, word)| {
            let shared = overlap(word);
            if shared > most {
                (shared, Some((first + index) as u32))
            } else {
                (most, best)
            }
        });
        best.1
    };
    tokens.offsets.iter().map(word_of).collect()
}
