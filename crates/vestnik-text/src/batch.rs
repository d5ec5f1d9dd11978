//! Sequences of token ids, packed end to end.

use std::ops::Range;

/// The label of a token that counts neither in the loss nor in a measure.
pub const IGNORE: i64 = -100;

/// Sequences packed end to end, without padding: plain vectors, no tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Token ids of all sequences, special tokens included.
    pub ids: Vec<u32>,
    /// Position of each token in its sequence, from 0, before any offset that a model adds.
    pub position_ids: Vec<u32>,
    /// Segment of each token; 0 for single texts.
    pub type_ids: Vec<u32>,
    /// Where sequences begin and end: one more number than sequences, from 0 to the number of tokens.
    pub cumulative_lengths: Vec<usize>,
    /// A label for each token, or [`IGNORE`].
    pub labels: Option<Vec<i64>>,
    /// For each token the set of tags (as bits) that its label may stand for under partial annotation; 0 means the label
    /// alone.
    pub allowed: Option<Vec<u64>>,
    /// For each sequence the document and the window that it came from.
    pub origins: Vec<(usize, usize)>,
}

impl Batch {
    /// Number of sequences.
    #[must_use]
    pub fn n_sequences(&self) -> usize {
        self.origins.len()
    }

    /// The tokens of each sequence, special tokens included, as ranges over the vectors of the batch.
    pub fn sequences(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.cumulative_lengths
            .windows(2)
            .map(|ends| ends[0]..ends[1])
    }
}
