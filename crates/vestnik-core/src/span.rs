//! A stretch of a text: `start..end` in UTF-8 bytes.

use std::fmt;
use std::ops::Range;

use crate::{Error, Result};

/// A non-empty stretch of a text, `start..end` in UTF-8 bytes of the original text, end-exclusive.
///
/// The fields are private, so that a span is never empty or reversed. Whether it fits a text is known only
/// together with that text: [`Span::slice`] checks, and [`Document`](crate::Document) checks when an entity
/// is attached.
///
/// Spans are ordered by start, then by end.
///
/// ```
/// use vestnik_core::Span;
///
/// let text = "Рада обра премиера";
/// let span = Span::new(0, 8)?;
/// assert_eq!(span.slice(text)?, "Рада");
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    start: usize,
    end: usize,
}

// A span is never empty: a method that always says so would only mislead.
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
    #[must_use]
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `other` lies wholly within this span. A span contains itself.
    #[must_use]
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The smallest span that contains both.
    #[must_use]
    pub fn cover(self, other: Span) -> Span {
        Span {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The part of `text` that the span covers.
    ///
    /// # Errors
    /// [`Error::SpanOutOfBounds`] when the span reaches past the text, [`Error::NotCharBoundary`] when an
    /// edge lies inside a character. Never panics.
    pub fn slice(self, text: &str) -> Result<&str> {
        self.check(text)?;
        Ok(&text[self.range()])
    }

    /// Checks that the span lies within `text` and on character boundaries.
    pub(crate) fn check(self, text: &str) -> Result<()> {
        if self.end > text.len() {
            return Err(Error::SpanOutOfBounds {
                start: self.start,
                end: self.end,
                len: text.len(),
            });
        }
        for offset in [self.start, self.end] {
            if !text.is_char_boundary(offset) {
                return Err(Error::NotCharBoundary { offset });
            }
        }
        Ok(())
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
