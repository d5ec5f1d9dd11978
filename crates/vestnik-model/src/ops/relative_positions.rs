//! Rows of a table of relative positions: where the distance of two tokens is looked up.

use std::ops::Range;

/// How the distance from a query to a key becomes a row of a table of `2 * span` relative positions
/// (He et al. 2021, DeBERTa; reference: transformers, `make_log_bucket_position` of `modeling_deberta_v2.py`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelativePositions {
    /// One row per distance; those of `span` and beyond share the last row of their side.
    Clamped {
        /// Rows of each side.
        span: usize,
    },
    /// One row per distance up to `span / 2`; beyond it, ever longer stretches share a row, so that
    /// `max_distance - 1` comes to the last one.
    LogBuckets {
        /// Rows of each side, from 2 on.
        span: usize,
        /// The end of the distances that are told apart.
        max_distance: usize,
    },
}

impl RelativePositions {
    /// Rows of each side: a table has `2 * span`.
    #[must_use]
    pub fn span(self) -> usize {
        match self {
            Self::Clamped { span } | Self::LogBuckets { span, .. } => span,
        }
    }

    /// The row of `distance`, the query's position less the key's.
    #[must_use]
    pub fn row(self, distance: isize) -> usize {
        let bucket = match self {
            Self::Clamped { .. } => distance,
            Self::LogBuckets { span, max_distance } => log_bucket(distance, span, max_distance),
        };
        let span = self.span() as isize;
        bucket.saturating_add(span).clamp(0, 2 * span - 1) as usize
    }

    /// The rows from the first to the last that sequences of up to `length` tokens use.
    #[must_use]
    pub fn used_rows(self, length: usize) -> Range<usize> {
        let rows = self.rows(length);
        let first = rows.iter().min().map_or(0, |row| *row as usize);
        let end = rows.iter().max().map_or(0, |row| *row as usize + 1);
        first..end
    }

    /// The rows of all distances in sequences of up to `length` tokens, from `length - 1` down to `1 - length`.
    pub(crate) fn rows(self, length: usize) -> Vec<u32> {
        let last = length as isize - 1;
        (-last..=last)
            .rev()
            .map(|distance| self.row(distance) as u32)
            .collect()
    }
}

/// The part of `rows`, made for a longest sequence, that one of `length` tokens uses; the distance from token `i` to
/// token `j` stands at `length - 1 - i + j`.
pub(crate) fn rows_of_length(rows: &[u32], length: usize) -> &[u32] {
    let longest = rows.len().div_ceil(2);
    &rows[longest - length..][..2 * length - 1]
}

fn log_bucket(distance: isize, span: usize, max_distance: usize) -> isize {
    let middle = span / 2;
    let magnitude = distance.unsigned_abs();
    if magnitude <= middle {
        return distance;
    }
    // The reference rounds every step to f32, and where a bucket ends hangs on that rounding.
    let log = |of: usize| f64::from((of as f64 / middle as f64) as f32).ln() as f32;
    let share = log(magnitude) / log(max_distance - 1) * (middle - 1) as f32;
    distance.signum() * (share.ceil() + middle as f32) as isize
}
