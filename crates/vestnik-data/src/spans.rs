//! Offsets of annotations as spans of their text.

use vestnik_core::{OffsetMap, OffsetUnit, Span};

use crate::fields::{Fields, Problems};
use crate::problem::Problem;

/// A text whose annotations are being read, with the unit of their offsets.
pub(crate) struct AnnotatedText<'a> {
    pub(crate) text: &'a str,
    offsets: OffsetMap<'a>,
}

impl<'a> AnnotatedText<'a> {
    pub(crate) fn new(text: &'a str, unit: OffsetUnit) -> Self {
        Self {
            text,
            offsets: OffsetMap::new(text, unit),
        }
    }

    /// Reads `start` and `end` of an annotation, and checks them against the text.
    pub(crate) fn span(&self, fields: &Fields<'_>, problems: &mut Problems) -> Option<Span> {
        let start = problems.keep(fields.offset("start"));
        let end = problems.keep(fields.offset("end"));
        problems.keep(self.checked(fields.path(), start?, end?))
    }

    /// Checks a span against the text; `path` names the annotation.
    pub(crate) fn checked(&self, path: &str, start: usize, end: usize) -> Result<Span, Problem> {
        let (field, unit, length) = (path.to_owned(), self.offsets.unit(), self.offsets.len());
        if start >= end {
            return Err(Problem::SpanEmpty { field, start, end });
        }
        if end > length {
            return Err(Problem::SpanOutOfBounds {
                field,
                start,
                end,
                length,
                unit,
            });
        }
        let Ok(span) = self.offsets.to_span(start, end) else {
            return Err(Problem::SpanInsideChar {
                field,
                start,
                end,
                unit,
            });
        };
        if self.slice(span).trim().is_empty() {
            return Err(Problem::SpanBlank {
                field,
                start,
                end,
                unit,
            });
        }
        Ok(span)
    }

    /// Compares the text that an annotation may quote with what its span covers.
    pub(crate) fn check_quote(
        &self,
        path: &str,
        span: Span,
        quote: Option<String>,
    ) -> Result<(), Problem> {
        let covered = self.slice(span);
        match quote {
            Some(quote) if quote != covered => Err(Problem::SpanText {
                field: path.to_owned(),
                quote,
                covered: covered.to_owned(),
                unit: self.offsets.unit(),
            }),
            _ => Ok(()),
        }
    }

    /// The unit of the offsets.
    pub(crate) fn unit(&self) -> OffsetUnit {
        self.offsets.unit()
    }

    /// The text under a span of it.
    pub(crate) fn slice(&self, span: Span) -> &str {
        // A span that came from the offset map of this text lies inside it.
        self.text.get(span.range()).unwrap_or_default()
    }
}
