//! Lines of an input as bytes, counted, and bounded in length.

use std::io::{self, BufRead, Read};

use crate::compression::Source;

/// The longest line that is read by default, in bytes: 64 MiB. It bounds the memory that hostile input can take.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// The mark that some editors put before UTF-8 text; it is no part of the text.
pub(crate) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: u64,
    /// The line; its first bytes when it is too long.
    pub(crate) bytes: &'a [u8],
    /// Whether the line is longer than allowed. Its rest is skipped.
    pub(crate) too_long: bool,
}

impl Line<'_> {
    /// Whether the line holds nothing but white space.
    pub(crate) fn is_blank(&self) -> bool {
        !self.too_long && self.bytes.trim_ascii().is_empty()
    }
}

/// Reads lines into one buffer that never grows beyond the longest line allowed.
pub(crate) struct LineReader {
    source: Source,
    buffer: Vec<u8>,
    number: u64,
    max_bytes: usize,
}

impl LineReader {
    pub(crate) fn new(source: Source, max_bytes: usize) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            number: 0,
            max_bytes,
        }
    }

    /// The number of the line that was read last.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end of the input.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        self.number += 1;
        let limit = (self.max_bytes as u64).saturating_add(1);
        let n_bytes = (&mut self.source)
            .take(limit)
            .read_until(b'\n', &mut self.buffer)?;
        if n_bytes == 0 {
            return Ok(None);
        }
        let too_long = !self.buffer.ends_with(b"\n") && self.buffer.len() > self.max_bytes;
        if too_long {
            self.source.skip_until(b'\n')?;
        }
        Ok(Some(Line {
            number: self.number,
            bytes: self.content(),
            too_long,
        }))
    }

    /// The line without line feed, and the first line without a byte order mark.
    fn content(&self) -> &[u8] {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        match self.number {
            1 => without_byte_order_mark(line),
            _ => line,
        }
    }
}

pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes
        .strip_prefix(BYTE_ORDER_MARK.as_bytes())
        .unwrap_or(bytes)
}

/// Whether text starts with a byte order mark of UTF-16.
pub(crate) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines(text: &str, max_bytes: usize) -> Vec<(u64, String, bool)> {
        let source: Source = Box::new(Cursor::new(text.to_owned()));
        let mut reader = LineReader::new(source, max_bytes);
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            lines.push((line.number, text, line.too_long));
        }
        lines
    }

    #[test]
    fn lines_are_counted_from_one() {
        let expected = [
            (1, "a".into(), false),
            (2, String::new(), false),
            (3, "b".into(), false),
        ];
        assert_eq!(lines("a\n\nb", 10), expected);
        assert_eq!(lines("a\n\nb\n", 10), expected);
        assert!(lines("", 10).is_empty());
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_to_its_end() {
        let expected = [
            (1, "four".into(), false),
            (2, "fiver".into(), true),
            (3, "next".into(), false),
            (4, "sixth".into(), true),
        ];
        assert_eq!(lines("four\nfiver\nnext\nsixth!", 4), expected);
    }

    #[test]
    fn only_the_first_byte_order_mark_is_dropped() {
        let expected = [(1, "a".into(), false), (2, "\u{feff}b".into(), false)];
        assert_eq!(lines("\u{feff}a\n\u{feff}b", 10), expected);
    }
}
