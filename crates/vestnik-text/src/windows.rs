//! Long texts in windows that a model can read.

use std::ops::Range;

use crate::TokenizedText;

/// How long texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOptions {
    /// The most tokens of a window, without special tokens; at least 1.
    pub max_tokens: usize,
    /// Tokens of context on each side of what a window owns, when a text has several windows. At most what leaves one
    /// token to own: `(max_tokens - 1) / 2`; a larger number is taken as that.
    pub context: usize,
}

/// A stretch of a text's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The tokens that the model reads.
    pub tokens: Range<usize>,
    /// The tokens among them that this window owns: those whose labels and scores count.
    pub core: Range<usize>,
}

/// Cuts a text into windows.
///
/// A text of at most `max_tokens` tokens is one window, a text without tokens none. The cores of the windows partition the
/// text's tokens. Where two windows meet, both read `context` tokens past the border (less what would be part of a word),
/// so each token is owned by the window where it is most central. A border is where a sentence ends if one ends in the
/// second half of the longest possible core, else where a word ends; only a word that is itself longer is cut.
#[must_use]
pub fn windows(text: &TokenizedText, options: &WindowOptions) -> Vec<Window> {
    let n = text.tokens.len();
    let max_tokens = options.max_tokens.max(1);
    let context = options.context.min((max_tokens - 1) / 2);
    let mut windows = Vec::new();
    let mut start = 0;
    while start < n {
        let before = context.min(start);
        let rest_fits = before + n - start <= max_tokens;
        let end = if rest_fits {
            n
        } else {
            border(text, start, max_tokens - before - context)
        };
        windows.push(Window {
            tokens: with_context(text, start..end, context),
            core: start..end,
        });
        start = end;
    }
    windows
}

/// Where the core that begins at `start` ends, after at most `longest` tokens.
fn border(text: &TokenizedText, start: usize, longest: usize) -> usize {
    let limit = start + longest;
    let sentences = text
        .sentence_starts
        .partition_point(|&token| token as usize <= limit);
    let sentence = sentences
        .checked_sub(1)
        .map_or(0, |last| text.sentence_starts[last] as usize);
    if sentence > start + longest / 2 {
        return sentence;
    }
    let mut words = (start + 1..=limit).rev();
    words
        .find(|&token| text.may_cut_before(token))
        .unwrap_or(limit)
}

/// A core with its context, as far as the text reaches, without parts of words.
fn with_context(text: &TokenizedText, core: Range<usize>, context: usize) -> Range<usize> {
    let n = text.tokens.len();
    let mut starts = core.start.saturating_sub(context)..core.start;
    let start = starts
        .find(|&token| text.may_cut_before(token))
        .unwrap_or(core.start);
    let mut ends = (core.end..=(core.end + context).min(n)).rev();
    let end = ends
        .find(|&token| token == n || text.may_cut_before(token))
        .unwrap_or(core.end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One token for each character: `S` begins a sentence, `w` a word, `.` goes on with it.
    fn text(pattern: &str) -> TokenizedText {
        let mut text = TokenizedText::default();
        let mut word = None;
        for (token, c) in pattern.chars().enumerate() {
            if c != '.' || token == 0 {
                word = Some(word.map_or(0, |word: u32| word + 1));
                text.word_first_token.push(Some(token as u32));
            }
            if c == 'S' {
                text.sentence_starts.push(token as u32);
            }
            text.token_word.push(word);
        }
        text.tokens.ids = vec![5; text.token_word.len()];
        text.tokens.offsets = vec![(0, 0); text.token_word.len()];
        text
    }

    #[track_caller]
    fn check(
        pattern: &str,
        (max_tokens, context): (usize, usize),
        expected: &[(Range<usize>, Range<usize>)],
    ) {
        let found = windows(
            &text(pattern),
            &WindowOptions {
                max_tokens,
                context,
            },
        );
        let found: Vec<_> = found
            .into_iter()
            .map(|window| (window.tokens, window.core))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn short_texts_are_one_window_and_empty_texts_none() {
        check("", (8, 2), &[]);
        check("Swwww", (5, 2), &[(0..5, 0..5)]);
    }

    #[test]
    fn borders_prefer_sentences_then_words() {
        check(
            "SwwwwSwwwwSwwww",
            (10, 2),
            &[(0..7, 0..5), (3..12, 5..10), (8..15, 10..15)],
        );
        check(
            "Sw.w.w.w.w.w.",
            (8, 2),
            &[(0..7, 0..5), (3..11, 5..9), (7..13, 9..13)],
        );
    }

    #[test]
    fn only_a_word_longer_than_a_window_is_cut() {
        check(
            "S.........",
            (4, 1),
            &[(0..3, 0..3), (3..5, 3..5), (5..7, 5..7), (7..10, 7..10)],
        );
    }

    #[test]
    fn odd_options_are_bounded() {
        check("Sww", (0, 9), &[(0..1, 0..1), (1..2, 1..2), (2..3, 2..3)]);
        check("Swww", (3, usize::MAX), &[(0..3, 0..2), (1..4, 2..4)]);
    }

    proptest! {
        #[test]
        fn cores_partition_the_tokens(pattern in "[Sw.]{0,200}", max_tokens in 1usize..40, context in 0usize..20) {
            let text = text(&pattern);
            let windows = windows(&text, &WindowOptions { max_tokens, context });
            let mut next = 0;
            for window in &windows {
                prop_assert_eq!(window.core.start, next);
                prop_assert!(window.core.end > next);
                prop_assert!(window.tokens.start <= next && window.core.end <= window.tokens.end);
                prop_assert!(window.tokens.len() <= max_tokens);
                next = window.core.end;
            }
            prop_assert_eq!(next, pattern.len());
        }

        #[test]
        fn context_is_whole_and_windows_own_what_is_central(pattern in "S[Sw.]{50,200}", context in 4usize..10) {
            let text = text(&pattern.replace("...", "w"));
            let windows = windows(&text, &WindowOptions { max_tokens: 3 * context, context });
            for pair in windows.windows(2) {
                let border = pair[1].core.start;
                prop_assert!(text.may_cut_before(border));
                // Words have at most three tokens here.
                prop_assert!((context - 2..=context).contains(&(border - pair[1].tokens.start)));
                let after = pair[0].tokens.end - border;
                prop_assert!((context - 2..=context).contains(&after) || pair[0].tokens.end == text.tokens.len());
            }
        }
    }
}
