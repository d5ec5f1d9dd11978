//! Offsets in bytes, characters and UTF-16 code units, and the way between them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Span};

/// The unit in which offsets are counted outside the library. Inside it they are always bytes.
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

    /// How many units the character adds whose UTF-8 encoding has this byte; all of them are counted at its
    /// first byte.
    fn units(self, byte: u8) -> usize {
        const CONTINUATION: std::ops::RangeInclusive<u8> = 0x80..=0xBF;
        const FIRST_OF_FOUR: u8 = 0xF0;
        match self {
            Self::Byte => 1,
            _ if CONTINUATION.contains(&byte) => 0,
            Self::Char => 1,
            Self::Utf16 => 1 + usize::from(byte >= FIRST_OF_FOUR),
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

/// Distance between two checkpoints in bytes.
const BLOCK: usize = 64;

/// Converts between byte offsets and offsets in another unit, for one text.
#[derive(Debug, Clone)]
pub struct OffsetMap<'a> {
    text: &'a str,
    unit: OffsetUnit,
    /// Units before byte `i * BLOCK`; empty when offsets in the unit are byte offsets.
    checkpoints: Vec<usize>,
    len: usize,
}

impl<'a> OffsetMap<'a> {
    /// Reads the text once and keeps one number for each 64 bytes, none for ASCII text and for bytes.
    #[must_use]
    pub fn new(text: &'a str, unit: OffsetUnit) -> Self {
        let mut map = Self {
            text,
            unit,
            checkpoints: Vec::new(),
            len: text.len(),
        };
        if unit != OffsetUnit::Byte && !text.is_ascii() {
            map.fill();
        }
        map
    }

    fn fill(&mut self) {
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

    /// Unit of the offsets.
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

    /// The offset of the character that byte `byte` belongs to; the length in the unit for a byte at or
    /// behind the end.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "the counterpart of to_byte")]
    pub fn from_byte(&self, byte: usize) -> usize {
        if byte >= self.text.len() {
            return self.len;
        }
        let byte = self.text.floor_char_boundary(byte);
        match self.checkpoints.get(byte / BLOCK) {
            None => byte,
            Some(before) => before + self.count(&self.text.as_bytes()[byte / BLOCK * BLOCK..byte]),
        }
    }

    /// The byte at which the character at `offset` starts; the length in bytes for the end of the text.
    /// `None` behind the end and inside a character.
    #[must_use]
    pub fn to_byte(&self, offset: usize) -> Option<usize> {
        if self.checkpoints.is_empty() {
            return self.text.is_char_boundary(offset).then_some(offset);
        }
        if offset >= self.len {
            return (offset == self.len).then_some(self.text.len());
        }
        let block = self.checkpoints.partition_point(|&before| before <= offset) - 1;
        let mut position = self.checkpoints[block];
        for (index, &byte) in self.text.as_bytes().iter().enumerate().skip(block * BLOCK) {
            let units = self.unit.units(byte);
            if units > 0 && position >= offset {
                return (position == offset).then_some(index);
            }
            position += units;
        }
        None
    }

    /// Start and end of a span in the unit.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "the counterpart of to_span")]
    pub fn from_span(&self, span: Span) -> Range<usize> {
        self.from_byte(span.start())..self.from_byte(span.end())
    }

    /// The span from `start` to `end`, both in the unit.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfBounds`], [`Error::OffsetInsideChar`] or [`Error::SpanEmpty`].
    pub fn to_span(&self, start: usize, end: usize) -> Result<Span> {
        if start >= end {
            return Err(Error::SpanEmpty { start, end });
        }
        Span::new(self.byte(start)?, self.byte(end)?)
    }

    fn byte(&self, offset: usize) -> Result<usize> {
        let (len, unit) = (self.len, self.unit);
        if offset > len {
            return Err(Error::OffsetOutOfBounds { offset, len, unit });
        }
        self.to_byte(offset)
            .ok_or(Error::OffsetInsideChar { offset, unit })
    }
}
