//! Long texts in windows that a model can read.

use std::ops::Range;

use crate::TokenizedText;

/// How long texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOptions {
    /// The most tokens of a window, without special tokens.
    pub max_tokens: usize,
    /// Tokens of context on each side of what a window owns, when a text has several windows.
    pub context: usize,
}

/// A stretch of a text's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The tokens that the model reads.
    pub tokens: Range<usize>,
    /// The tokens among them that this window owns: those whose scores count.
    pub core: Range<usize>,
}

/// Cuts a text into windows.
///
/// The cores of the windows are a partition of the text's tokens. A text of at most `max_tokens` tokens is one window.
/// In a longer one, a core has at most `max_tokens - 2 * context` tokens and ends where a sentence ends if one does in
/// its second half, else where a word ends; the window adds as much context on both sides as fits, so that each token is
/// owned by the window where it is most central.
#[must_use]
pub fn windows(text: &TokenizedText, options: &WindowOptions) -> Vec<Window> {
    let n = text.tokens.ids.len();
    let max_tokens = options.max_tokens.max(1);
    if n <= max_tokens {
        return vec![Window {
            tokens: 0..n,
            core: 0..n,
        }];
    }
    let core_tokens = max_tokens.saturating_sub(2 * options.context).max(1);
    let mut windows = vec![];
    let mut start = 0;
    while start < n {
        let end = core_end(text, start, core_tokens);
        windows.push(Window {
            tokens: surround(text, start..end, max_tokens),
            core: start..end,
        });
        start = end;
    }
    windows
}

/// Where the core that begins at `start` ends.
fn core_end(text: &TokenizedText, start: usize, core_tokens: usize) -> usize {
    let limit = start + core_tokens;
    if limit >= text.tokens.ids.len() {
        return text.tokens.ids.len();
    }
    let sentences = text
        .sentence_starts
        .partition_point(|&sentence| sentence as usize <= limit);
    let sentence = text.sentence_starts[..sentences]
        .last()
        .map_or(0, |&sentence| sentence as usize);
    if sentence > start + core_tokens / 2 {
        return sentence;
    }
    (start + 1..=limit)
        .rev()
        .find(|&token| begins_word(text, token))
        .unwrap_or(limit)
}

/// Whether no word goes on from the token before.
fn begins_word(text: &TokenizedText, token: usize) -> bool {
    let word = |token: usize| text.token_word.get(token).copied().flatten();
    token == 0 || word(token).is_none() || word(token) != word(token - 1)
}

/// A core with equal context on both sides, as far as the text reaches, without half words.
fn surround(text: &TokenizedText, core: Range<usize>, max_tokens: usize) -> Range<usize> {
    let n = text.tokens.ids.len();
    let spare = max_tokens.saturating_sub(core.len());
    let before = (spare / 2).min(core.start);
    let after = (spare - before).min(n - core.end);
    let before = (spare - after).min(core.start);
    let start = (core.start - before..core.start)
        .find(|&token| begins_word(text, token))
        .unwrap_or(core.start);
    let end = core.end + after;
    let end = (core.end..=end)
        .rev()
        .find(|&token| token == n || begins_word(text, token))
        .unwrap_or(core.end);
    start..end
}
