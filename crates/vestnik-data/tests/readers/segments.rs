//! A plain division of texts into sentences of tokens, for writers of token formats.

use vestnik_core::{ColumnScheme, Span};
use vestnik_data::WriteOptions;

/// Runs of letters, digits and marks are tokens, as is every other visible character; lines are sentences.
pub(crate) fn segments(text: &str) -> Vec<Vec<Span>> {
    let mut sentences = vec![Vec::new()];
    let mut word: Option<usize> = None;
    for (at, c) in text.char_indices().chain([(text.len(), '\n')]) {
        let in_word = c.is_alphanumeric() || ('\u{300}'..'\u{370}').contains(&c);
        if in_word {
            word.get_or_insert(at);
            continue;
        }
        let sentence = sentences.last_mut().unwrap();
        if let Some(start) = word.take() {
            sentence.push(Span::new(start, at).unwrap());
        }
        if !c.is_whitespace() {
            sentence.push(Span::new(at, at + c.len_utf8()).unwrap());
        } else if c == '\n' {
            sentences.push(Vec::new());
        }
    }
    sentences
}

pub(crate) fn options() -> WriteOptions<'static> {
    WriteOptions {
        scheme: ColumnScheme::Iob2,
        segmenter: &segments,
        labels: &[],
    }
}
