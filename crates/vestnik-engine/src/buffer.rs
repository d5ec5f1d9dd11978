//! Memory for numbers, aligned to cache lines, which grows and is used again.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of a row of a tile.
const LINE: usize = 64;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Numbers any bits of which are one.
///
/// # Safety
/// Every bit pattern, all zeros among them, is a value, and the size divides a cache line.
pub(crate) unsafe trait Number: Copy {}

// SAFETY: whole and floating-point numbers of 1, 2 and 4 bytes.
unsafe impl Number for u8 {}
// SAFETY: see above.
unsafe impl Number for i8 {}
// SAFETY: see above.
unsafe impl Number for u16 {}
// SAFETY: see above.
unsafe impl Number for i32 {}
// SAFETY: see above.
unsafe impl Number for f32 {}

/// A growing slice that begins at a cache line.
#[derive(Clone, Debug)]
pub(crate) struct Buffer<T> {
    lines: Vec<Line>,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Self {
            lines: vec![],
            len: 0,
            numbers: PhantomData,
        }
    }
}

impl<T: Number> Buffer<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Self::default();
        buffer.resize(len);
        buffer
    }

    /// Sets the length. What was there before stays; what is new to the memory is zero.
    pub(crate) fn resize(&mut self, len: usize) {
        let lines = (len * size_of::<T>()).div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0; LINE]));
        }
        self.len = len;
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold at least `len` numbers, aligned, and any bits are numbers.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; the lines are borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_at_a_line_keeps_what_it_held_and_is_zero_where_new() {
        let mut buffer = Buffer::<f32>::zeros(3);
        assert_eq!(buffer.as_ptr() as usize % LINE, 0);
        buffer.copy_from_slice(&[1.0, 2.0, 3.0]);
        buffer.resize(40);
        assert_eq!(buffer[..4], [1.0, 2.0, 3.0, 0.0]);
        assert_eq!(buffer.len(), 40);
        buffer.resize(2);
        assert_eq!(buffer[..], [1.0, 2.0]);
    }
}
