//! A stretch of a text: `start..end` in UTF-8 bytes.

use std::fmt;
use std::ops::Range;

use crate::{Error, Result};

/// A non-empty stretch of a text: `start..end` in UTF-8 bytes of the original text, end-exclusive.
///
/// The fields are private, so a span is never empty or reversed. Whether it fits a text shows only
/// together with that text: [`Span::slice`] checks it, and [`Document`](crate::Document) checks it
/// for every entity that it takes.
///
/// Spans are ordered by start, then by end.
///
/// # Example
/// ```
/// use vestnik_core::{Error, Span};
///
/// let text = "Кметът на Варна";
/// let varna = Span::new(18, 28)?;
/// assert_eq!(varna.slice(text)?, "Варна");
///
/// // Half of a letter is an error, not a panic.
/// let broken = Span::new(18, 27)?;
/// assert_eq!(broken.slice(text), Err(Error::NotCharBoundary { offset: 27 }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    start: usize,
    end: usize,
}

#[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
impl Span {
    /// Makes a span of the bytes `start..end`.
    ///
    /// # Errors
    /// [`Error::SpanEmpty`] unless `start < end`.
    pub fn new(start: usize, end: usize) -> Result<Self> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(Error::SpanEmpty { start, end })
        }
    }

    /// First byte.
    #[must_use]
    pub fn start(self) -> usize {
        self.start
    }

    /// Byte behind the last one.
    #[must_use]
    pub fn end(self) -> usize {
        self.end
    }

    /// Length in bytes, at least 1.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// The span as a range of bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether both spans share at least one byte. Spans that only touch do not overlap.
    ///
    /// ```
    /// use vestnik_core::Span;
    ///
    /// let span = Span::new(2, 5)?;
    /// assert!(span.overlaps(Span::new(4, 9)?));
    /// assert!(!span.overlaps(Span::new(5, 9)?));
    /// # Ok::<(), vestnik_core::Error>(())
    /// ```
    #[must_use]
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `other` lies wholly within this span. A span contains itself.
    ///
    /// ```
    /// use vestnik_core::Span;
    ///
    /// let span = Span::new(2, 5)?;
    /// assert!(span.contains(Span::new(2, 4)?));
    /// assert!(!span.contains(Span::new(4, 6)?));
    /// # Ok::<(), vestnik_core::Error>(())
    /// ```
    #[must_use]
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that contains both, with whatever lies between them.
    ///
    /// ```
    /// use vestnik_core::Span;
    ///
    /// assert_eq!(Span::new(7, 9)?.cover(Span::new(2, 5)?), Span::new(2, 9)?);
    /// # Ok::<(), vestnik_core::Error>(())
    /// ```
    #[must_use]
    pub fn cover(self, other: Span) -> Span {
        Span {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The part of `text` that the span covers. Never panics.
    ///
    /// # Errors
    /// [`Error::SpanOutOfBounds`] when the span reaches past the text, [`Error::NotCharBoundary`]
    /// when an edge lies inside a character.
    pub fn slice(self, text: &str) -> Result<&str> {
        self.check(text)?;
        Ok(&text[self.range()])
    }

    /// Checks that the span lies within `text` and on character boundaries.
    pub(crate) fn check(self, text: &str) -> Result<()> {
        let Self { start, end } = self;
        if end > text.len() {
            let len = text.len();
            return Err(Error::SpanOutOfBounds { start, end, len });
        }
        match [start, end]
            .into_iter()
            .find(|&edge| !text.is_char_boundary(edge))
        {
            Some(offset) => Err(Error::NotCharBoundary { offset }),
            None => Ok(()),
        }
    }
}

/// Shows the span as `start..end`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.range()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span::new(start, end).unwrap()
    }

    #[test]
    fn empty_and_reversed_spans_are_errors() {
        assert_eq!(Span::new(3, 3), Err(Error::SpanEmpty { start: 3, end: 3 }));
        assert_eq!(Span::new(5, 3), Err(Error::SpanEmpty { start: 5, end: 3 }));
        assert!(Span::new(usize::MAX, usize::MAX).is_err());
    }

    #[test]
    fn touching_spans_do_not_overlap() {
        assert!(!span(0, 3).overlaps(span(3, 5)));
        assert!(!span(3, 5).overlaps(span(0, 3)));
        assert!(span(0, 4).overlaps(span(3, 5)));
        assert!(span(0, 9).overlaps(span(3, 5)));
    }

    #[test]
    fn spans_are_ordered_by_start_then_end() {
        let mut spans = [span(2, 9), span(0, 4), span(2, 3), span(0, 1)];
        spans.sort();
        assert_eq!(spans, [span(0, 1), span(0, 4), span(2, 3), span(2, 9)]);
    }

    #[test]
    fn slices_at_the_edges_of_the_text() {
        let text = "щ🙂";
        assert_eq!(span(0, 6).slice(text), Ok("щ🙂"));
        assert_eq!(span(2, 6).slice(text), Ok("🙂"));
        assert_eq!(
            span(2, 7).slice(text),
            Err(Error::SpanOutOfBounds {
                start: 2,
                end: 7,
                len: 6
            })
        );
        assert_eq!(
            span(1, 2).slice(text),
            Err(Error::NotCharBoundary { offset: 1 })
        );
        assert!(span(0, 1).slice("").is_err());
        assert!(span(0, usize::MAX).slice(text).is_err());
    }

    #[test]
    fn shows_as_a_range() {
        assert_eq!(span(3, 14).to_string(), "3..14");
        assert_eq!(Range::from(span(3, 14)), 3..14);
        assert_eq!(span(3, 14).len(), 11);
    }
}
