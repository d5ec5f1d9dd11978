//! The operands of a pickle's instructions.

use crate::pickle::{PickleProblem, Result};

/// Names of modules and functions are shorter than this many bytes.
const MAX_LINE: usize = 256;

/// Reads a pickle from its beginning.
pub(super) struct Bytes<'a> {
    all: &'a [u8],
    position: usize,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(all: &'a [u8]) -> Self {
        Self { all, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| PickleProblem::Truncated)
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self) -> Result<String> {
        let n = u32::from_le_bytes(self.array()?);
        let bytes = self.take(n as usize)?.to_vec();
        String::from_utf8(bytes).map_err(|_| PickleProblem::Malformed)
    }

    /// A text up to the end of its line.
    pub(super) fn line(&mut self) -> Result<&'a str> {
        let rest = &self.all[self.position..];
        let rest = &rest[..rest.len().min(MAX_LINE)];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = self.take(end.ok_or(PickleProblem::Malformed)?)?;
        self.byte()?;
        std::str::from_utf8(line).map_err(|_| PickleProblem::Malformed)
    }

    /// An integer of up to eight bytes in two's complement, with their number before it.
    pub(super) fn long(&mut self) -> Result<i64> {
        let n = self.byte()? as usize;
        let bytes = self.take(n)?;
        if n > 8 {
            return Err(PickleProblem::Malformed);
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut number = [if negative { 0xff } else { 0 }; 8];
        number[..n].copy_from_slice(bytes);
        Ok(i64::from_le_bytes(number))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(n);
        let bytes = end.and_then(|end| self.all.get(self.position..end));
        let bytes = bytes.ok_or(PickleProblem::Truncated)?;
        self.position += n;
        Ok(bytes)
    }
}
