//! Memory of a forward pass, used again by the next one.

use std::sync::{Mutex, PoisonError};

use crate::buffer::Buffer;
use crate::linear::SumBuffers;
use crate::operand::OperandBuffers;
use crate::relative::RelativeScratch;

/// What a thread needs for rows of tokens.
#[derive(Debug, Default)]
pub(crate) struct RowScratch {
    pub(crate) rows: Buffer<f32>,
    pub(crate) context: Buffer<f32>,
    pub(crate) inner: Buffer<f32>,
    pub(crate) operands: OperandBuffers,
    pub(crate) sums: SumBuffers,
}

/// What a thread needs for the attention of a head.
#[derive(Debug, Default)]
pub(crate) struct HeadScratch {
    pub(crate) scores: Buffer<f32>,
    pub(crate) relative: RelativeScratch,
    #[cfg(target_arch = "x86_64")]
    pub(crate) x86: crate::x86::AttentionScratch,
    #[cfg(target_arch = "x86_64")]
    pub(crate) floats: crate::x86::FloatAttentionScratch,
}

/// States of a group of sequences.
#[derive(Debug, Default)]
pub(crate) struct GroupStates {
    /// `[tokens, hidden, filled up]`.
    pub(crate) states: Buffer<f32>,
    /// Queries, keys and values, `[tokens, 3 hidden, filled up]`.
    pub(crate) qkv: Buffer<f32>,
    /// What attention gives: for each sequence, for each head, `[tokens of the sequence, head width]`.
    pub(crate) context: Buffer<f32>,
    /// The states before the first layer, where a convolution reads them.
    pub(crate) embedded: Buffer<f32>,
}

/// Things that threads borrow, as many as are borrowed at once.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(vec![]))
    }
}

impl<T: Default> Pool<T> {
    /// Calls `f` with a thing that is free, or a new one.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut thing = free.unwrap_or_default();
        let result = f(&mut thing);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thing);
        result
    }
}

/// The memory of an engine's forward passes.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) rows: Pool<RowScratch>,
    pub(crate) heads: Pool<HeadScratch>,
    pub(crate) groups: Pool<GroupStates>,
}
