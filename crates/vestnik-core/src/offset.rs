//! Offsets in bytes, characters and UTF-16 code units, and the way between them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Span};

/// The unit in which offsets are counted outside the library. Inside it they are always bytes.
///
/// | text | `Byte` | `Char` | `Utf16` |
/// |---|---:|---:|---:|
/// | `a` | 1 | 1 | 1 |
/// | `щ` | 2 | 1 | 1 |
/// | `й` as `и` and a combining breve | 4 | 2 | 2 |
/// | `🙂` | 4 | 1 | 2 |
///
/// As text and in JSON the units are called `byte`, `char` and `utf16`.
///
/// ```
/// use vestnik_core::OffsetUnit;
///
/// assert_eq!(OffsetUnit::default(), OffsetUnit::Char);
/// assert_eq!("utf16".parse(), Ok(OffsetUnit::Utf16));
/// assert_eq!(OffsetUnit::Byte.to_string(), "byte");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OffsetUnit {
    /// UTF-8 bytes, as in Rust and Go.
    Byte,
    /// Unicode code points, as in Python. The default.
    #[default]
    Char,
    /// UTF-16 code units, as in JavaScript and Java.
    Utf16,
}

impl OffsetUnit {
    /// The name: `byte`, `char` or `utf16`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Char => "char",
            Self::Utf16 => "utf16",
        }
    }

    /// How many units `byte` of a UTF-8 text counts for. A character counts at its first byte as a
    /// whole.
    fn units(self, byte: u8) -> usize {
        let continuation = byte & 0xC0 == 0x80;
        match self {
            Self::Byte => 1,
            _ if continuation => 0,
            Self::Char => 1,
            // Characters of four bytes lie outside the Basic Multilingual Plane: a surrogate pair
            // each.
            Self::Utf16 => 1 + usize::from(byte >= 0xF0),
        }
    }
}

/// Shows the name: `byte`, `char` or `utf16`.
impl fmt::Display for OffsetUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OffsetUnit {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "byte" => Ok(Self::Byte),
            "char" => Ok(Self::Char),
            "utf16" => Ok(Self::Utf16),
            _ => Err(Error::UnknownOffsetUnit {
                name: name.to_owned(),
            }),
        }
    }
}

/// Distance between two checkpoints, in bytes. The greater, the less memory and the longer each
/// query.
const BLOCK: usize = 64;

/// Converts between byte offsets and offsets in another unit, for one text.
///
/// Building takes one pass over the text and keeps one number for each 64 bytes; for ASCII text and
/// for [`OffsetUnit::Byte`] it keeps nothing. A query from bytes looks at no more than 64 bytes, a
/// query to bytes adds a binary search.
///
/// # Example
/// ```
/// use vestnik_core::{OffsetMap, OffsetUnit, Span};
///
/// let text = "🙂 София";
/// let chars = OffsetMap::new(text, OffsetUnit::Char);
/// let utf16 = OffsetMap::new(text, OffsetUnit::Utf16);
///
/// let sofia = Span::new(5, 15)?;
/// assert_eq!(sofia.slice(text)?, "София");
/// assert_eq!(chars.from_span(sofia), 2..7);
/// assert_eq!(utf16.from_span(sofia), 3..8);
/// assert_eq!(chars.to_span(2, 7)?, sofia);
///
/// // The second half of a surrogate pair is no place in the text.
/// assert_eq!(utf16.to_byte(1), None);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OffsetMap<'a> {
    text: &'a str,
    unit: OffsetUnit,
    /// Units before byte `i * BLOCK`; empty when offsets in the unit are byte offsets.
    checkpoints: Vec<usize>,
    /// Length of the text in the unit.
    len: usize,
}

impl<'a> OffsetMap<'a> {
    /// Prepares the conversion for `text`.
    #[must_use]
    pub fn new(text: &'a str, unit: OffsetUnit) -> Self {
        let mut map = Self {
            text,
            unit,
            checkpoints: Vec::new(),
            len: text.len(),
        };
        if unit != OffsetUnit::Byte && !text.is_ascii() {
            map.set_checkpoints();
        }
        map
    }

    fn set_checkpoints(&mut self) {
        let blocks = self.text.as_bytes().chunks(BLOCK);
        self.checkpoints.reserve_exact(blocks.len());
        self.len = 0;
        for block in blocks {
            self.checkpoints.push(self.len);
            self.len += self.count(block);
        }
    }

    fn count(&self, bytes: &[u8]) -> usize {
        bytes.iter().map(|&byte| self.unit.units(byte)).sum()
    }

    /// Unit of the offsets that are not bytes.
    #[must_use]
    pub fn unit(&self) -> OffsetUnit {
        self.unit
    }

    /// Length of the text in the unit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The offset of the character that byte `byte` belongs to; the length of the text for every
    /// byte at its end or behind it.
    #[must_use]
    pub fn from_byte(&self, byte: usize) -> usize {
        if byte >= self.text.len() {
            return self.len;
        }
        let byte = self.text.floor_char_boundary(byte);
        let block = byte / BLOCK;
        match self.checkpoints.get(block) {
            None => byte,
            Some(before) => before + self.count(&self.text.as_bytes()[block * BLOCK..byte]),
        }
    }

    /// The byte at which the character at `offset` starts; for the length of the text, its length
    /// in bytes.
    ///
    /// `None` for an offset behind the end and for one inside a character: between the bytes of a
    /// character, or between the two halves of a surrogate pair.
    #[must_use]
    pub fn to_byte(&self, offset: usize) -> Option<usize> {
        if self.checkpoints.is_empty() {
            return self.text.is_char_boundary(offset).then_some(offset);
        }
        if offset >= self.len {
            return (offset == self.len).then_some(self.text.len());
        }
        // The first checkpoint is 0, so at least one is not greater than the offset.
        let block = self.checkpoints.partition_point(|&before| before <= offset) - 1;
        self.scan(block, offset)
    }

    /// The byte of `offset`, which lies in `block`.
    fn scan(&self, block: usize, offset: usize) -> Option<usize> {
        let mut position = self.checkpoints[block];
        for (byte, &value) in self.text.as_bytes().iter().enumerate().skip(block * BLOCK) {
            let units = self.unit.units(value);
            if units > 0 && position >= offset {
                return (position == offset).then_some(byte);
            }
            position += units;
        }
        None
    }

    /// Start and end of a span, in the unit.
    #[must_use]
    pub fn from_span(&self, span: Span) -> Range<usize> {
        self.from_byte(span.start())..self.from_byte(span.end())
    }

    /// The span from `start` to `end`, both in the unit.
    ///
    /// # Errors
    /// [`Error::SpanEmpty`] unless `start < end`, [`Error::OffsetOutOfBounds`] for an offset behind
    /// the end of the text, [`Error::OffsetInsideChar`] for one inside a character.
    pub fn to_span(&self, start: usize, end: usize) -> Result<Span> {
        if start >= end {
            return Err(Error::SpanEmpty { start, end });
        }
        Span::new(self.byte_at(start)?, self.byte_at(end)?)
    }

    fn byte_at(&self, offset: usize) -> Result<usize> {
        let (len, unit) = (self.len, self.unit);
        if offset > len {
            return Err(Error::OffsetOutOfBounds { offset, len, unit });
        }
        self.to_byte(offset)
            .ok_or(Error::OffsetInsideChar { offset, unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offset of every character in the unit, and the length of the text, by the definition of the
    /// unit.
    fn check(text: &str) {
        for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
            let map = OffsetMap::new(text, unit);
            let mut offset = 0;
            for (byte, char) in text.char_indices() {
                let width = match unit {
                    OffsetUnit::Byte => char.len_utf8(),
                    OffsetUnit::Char => 1,
                    OffsetUnit::Utf16 => char.len_utf16(),
                };
                for inside in byte..byte + char.len_utf8() {
                    assert_eq!(map.from_byte(inside), offset, "{unit} of byte {inside}");
                }
                assert_eq!(map.to_byte(offset), Some(byte), "byte of {unit} {offset}");
                for inside in offset + 1..offset + width {
                    assert_eq!(map.to_byte(inside), None, "byte of {unit} {inside}");
                }
                offset += width;
            }
            assert_eq!(map.len(), offset);
            assert_eq!(
                (map.from_byte(text.len()), map.to_byte(offset)),
                (offset, Some(text.len()))
            );
            assert_eq!(
                (map.from_byte(usize::MAX), map.to_byte(offset + 1)),
                (offset, None)
            );
            assert_eq!(map.to_byte(usize::MAX), None);
        }
    }

    #[test]
    fn short_texts() {
        for text in [
            "",
            "a",
            "щ",
            "🙂",
            "a\u{0}b",
            "и\u{306}ё",
            "שלום עולם",
            "東京 2024",
            "не\u{ad}бо",
        ] {
            check(text);
        }
    }

    #[test]
    fn characters_across_the_edges_of_blocks() {
        for shift in 0..8 {
            check(&format!("{}{}", "a".repeat(shift), "🙂".repeat(70)));
            check(&format!("{}{}", "a".repeat(shift), "щ日".repeat(90)));
        }
        check(&format!("{}щ", "a".repeat(BLOCK - 1)));
        check(&format!("{}щ", "a".repeat(2 * BLOCK)));
    }

    #[test]
    fn bytes_and_ascii_need_no_memory() {
        assert!(
            OffsetMap::new(&"ascii ".repeat(1000), OffsetUnit::Char)
                .checkpoints
                .is_empty()
        );
        assert!(
            OffsetMap::new(&"щ".repeat(1000), OffsetUnit::Byte)
                .checkpoints
                .is_empty()
        );
        assert_eq!(
            OffsetMap::new(&"щ".repeat(64), OffsetUnit::Char).checkpoints,
            [0, 32]
        );
    }

    #[test]
    fn a_span_that_does_not_fit_says_why() {
        let map = OffsetMap::new("🙂!", OffsetUnit::Utf16);
        let unit = OffsetUnit::Utf16;
        assert_eq!(map.to_span(0, 2), Span::new(0, 4));
        assert_eq!(
            map.to_span(2, 2),
            Err(Error::SpanEmpty { start: 2, end: 2 })
        );
        assert_eq!(
            map.to_span(1, 3),
            Err(Error::OffsetInsideChar { offset: 1, unit })
        );
        assert_eq!(
            map.to_span(0, 4),
            Err(Error::OffsetOutOfBounds {
                offset: 4,
                len: 3,
                unit
            })
        );
    }

    #[test]
    fn units_have_names() {
        for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
            assert_eq!(unit.as_str().parse(), Ok(unit));
            assert_eq!(serde_json::to_string(&unit).unwrap(), format!("\"{unit}\""));
        }
        assert_eq!(
            "utf8".parse::<OffsetUnit>(),
            Err(Error::UnknownOffsetUnit {
                name: "utf8".to_owned()
            })
        );
    }
}
