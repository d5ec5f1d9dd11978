//! Where a span stands among the tokens of its text.

use std::ops::Range;

use vestnik_core::Span;

use crate::TokenizedText;

/// The tokens of a span, of the sentences that it stands in, and of the text around it.
///
/// # Example
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use vestnik_core::Span;
/// use vestnik_text::{SpanPlace, TokenizedText, Tokenizer};
///
/// let tokenizer = Tokenizer::from_file("tokenizer.json".as_ref())?;
/// let text = TokenizedText::new(&tokenizer, "It rains. Kyiv waits.")?;
/// let place = SpanPlace::new(&text, Span::new(10, 14)?).expect("Kyiv has tokens");
/// assert_eq!(place.sentence.end, text.tokens.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanPlace {
    /// The tokens of the words that the span shares bytes with.
    pub span: Range<usize>,
    /// The tokens of the sentences that the span shares tokens with.
    pub sentence: Range<usize>,
    /// All tokens.
    pub text: Range<usize>,
}

impl SpanPlace {
    /// The place of a span of bytes in its text. `None` when none of its words has a token.
    #[must_use]
    pub fn new(text: &TokenizedText, span: Span) -> Option<Self> {
        let words = text
            .words
            .partition_point(|word| word.end() <= span.start())
            ..text.words.partition_point(|word| word.start() < span.end());
        let first_token = |words: Range<usize>| {
            let mut tokens = text.word_first_token[words].iter().flatten();
            tokens.next().map(|&token| token as usize)
        };
        let start = first_token(words.clone())?;
        let n_tokens = text.tokens.len();
        let end = first_token(words.end..text.words.len()).unwrap_or(n_tokens);
        Some(Self {
            span: start..end,
            sentence: sentences(&text.sentence_starts, start..end, n_tokens),
            text: 0..n_tokens,
        })
    }

    /// The same in a window of the text, counted from the window's first token. `None` where the window has no token of the
    /// span.
    #[must_use]
    pub fn within(&self, window: &Range<usize>) -> Option<Self> {
        let clip = |tokens: &Range<usize>| {
            let clipped = tokens.start.max(window.start)..tokens.end.min(window.end);
            clipped.start.saturating_sub(window.start)..clipped.end.saturating_sub(window.start)
        };
        let place = Self {
            span: clip(&self.span),
            sentence: clip(&self.sentence),
            text: clip(&self.text),
        };
        (!place.span.is_empty()).then_some(place)
    }

    /// The same, counted from `n_tokens` tokens before.
    #[must_use]
    pub fn behind(&self, n_tokens: usize) -> Self {
        let shift = |tokens: &Range<usize>| tokens.start + n_tokens..tokens.end + n_tokens;
        Self {
            span: shift(&self.span),
            sentence: shift(&self.sentence),
            text: shift(&self.text),
        }
    }
}

/// From the start of the sentence of the first token to the end of that of the last.
fn sentences(starts: &[u32], tokens: Range<usize>, n_tokens: usize) -> Range<usize> {
    let begun_at = |token: usize| starts.partition_point(|&start| start as usize <= token);
    let start = begun_at(tokens.start).checked_sub(1);
    let end = starts.get(begun_at(tokens.end - 1));
    start.map_or(0, |sentence| starts[sentence] as usize)..end.map_or(n_tokens, |&end| end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of four bytes with a space behind each, of as many tokens as told; every third word begins a sentence.
    fn text(tokens_of_words: &[u32]) -> TokenizedText {
        let mut text = TokenizedText::default();
        for (word, &n_tokens) in tokens_of_words.iter().enumerate() {
            let first = text.token_word.len() as u32;
            text.words.push(Span::new(5 * word, 5 * word + 4).unwrap());
            text.word_first_token.push((n_tokens > 0).then_some(first));
            if word % 3 == 0 && n_tokens > 0 {
                text.sentence_starts.push(first);
            }
            text.token_word
                .extend((0..n_tokens).map(|_| Some(word as u32)));
        }
        text.tokens.ids = vec![5; text.token_word.len()];
        text
    }

    #[track_caller]
    fn check(
        tokens: &[u32],
        (start, end): (usize, usize),
        expected: impl Into<Option<[Range<usize>; 2]>>,
    ) {
        let place = SpanPlace::new(&text(tokens), Span::new(start, end).unwrap());
        assert_eq!(
            place.map(|place| [place.span, place.sentence]),
            expected.into()
        );
    }

    #[test]
    fn a_span_has_the_tokens_of_its_words_and_of_their_sentence() {
        let words = [2, 1, 3, 1, 1, 1, 2];
        check(&words, (5, 9), Some([2..3, 0..6]));
        check(&words, (10, 14), Some([3..6, 0..6]));
        check(&words, (20, 29), Some([7..9, 6..9]));
        check(&words, (30, 34), Some([9..11, 9..11]));
        // A part of a word is the word; two sentences are both.
        check(&words, (12, 13), Some([3..6, 0..6]));
        check(&words, (11, 17), Some([3..7, 0..9]));
    }

    #[test]
    fn words_without_tokens_have_no_place() {
        check(&[1, 0, 1, 1], (5, 9), None);
        check(&[1, 0, 1, 1], (0, 9), Some([0..1, 0..2]));
        check(&[1, 1, 0, 0, 1], (5, 9), Some([1..2, 0..3]));
        // White space between words.
        check(&[1, 1], (4, 5), None);
        check(&[], (0, 4), None);
    }

    #[test]
    fn a_window_has_a_part_of_it() {
        let place = SpanPlace {
            span: 10..14,
            sentence: 5..20,
            text: 0..90,
        };
        let within = place.within(&(12..18)).unwrap();
        assert_eq!(
            [within.span, within.sentence, within.text],
            [0..2, 0..6, 0..6]
        );
        assert_eq!(place.within(&(0..11)).unwrap().span, 10..11);
        assert_eq!(place.within(&(14..30)), None);
        assert_eq!(place.within(&(0..10)), None);
        let behind = place.behind(3);
        assert_eq!(
            [behind.span, behind.sentence, behind.text],
            [13..17, 8..23, 3..93]
        );
    }
}
