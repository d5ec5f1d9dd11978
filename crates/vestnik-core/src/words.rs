//! Between spans of text and ranges of words.

use std::ops::Range;

use crate::Span;

/// The words that share at least one byte with `span`; `None` when there are none.
///
/// A word that an entity covers only in part is in the range as a whole. `words` must be sorted and
/// must not overlap, as words of a text are.
///
/// ```
/// use vestnik_core::{Span, words_of_span};
///
/// // "San Marino's"
/// let words = [Span::new(0, 3)?, Span::new(4, 12)?];
/// assert_eq!(words_of_span(&words, Span::new(0, 10)?), Some(0..2));
/// assert_eq!(words_of_span(&words, Span::new(3, 4)?), None);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[must_use]
pub fn words_of_span(words: &[Span], span: Span) -> Option<Range<usize>> {
    let first = words.partition_point(|word| word.end() <= span.start());
    let behind = words.partition_point(|word| word.start() < span.end());
    (first < behind).then_some(first..behind)
}

/// The span from the first word of `range` to its last one; `None` for an empty range and for one
/// that reaches past the words.
///
/// ```
/// use vestnik_core::{Span, span_of_words};
///
/// let words = [Span::new(0, 3)?, Span::new(4, 12)?];
/// assert_eq!(span_of_words(&words, 0..2), Some(Span::new(0, 12)?));
/// assert_eq!(span_of_words(&words, 1..1), None);
/// assert_eq!(span_of_words(&words, 1..3), None);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[must_use]
pub fn span_of_words(words: &[Span], range: Range<usize>) -> Option<Span> {
    let words = words.get(range)?;
    Some(words.first()?.cover(*words.last()?))
}
