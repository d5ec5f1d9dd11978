//! Which sequences go through all layers together.

use std::ops::Range;

/// Cuts sequences, given by their bounds, into groups of about `tokens` tokens that follow each other; a longer sequence is
/// a group of its own.
pub(crate) fn groups(cumulative_lengths: &[usize], tokens: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = vec![];
    let mut start = 0;
    for end in 1..cumulative_lengths.len() {
        let is_last = end + 1 == cumulative_lengths.len();
        let with_next = |next: usize| cumulative_lengths[next] - cumulative_lengths[start];
        if is_last || with_next(end + 1) > tokens {
            groups.push(start..end);
            start = end;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_in_one_group() {
        assert_eq!(groups(&[0, 3, 5, 30, 31], 6), [0..2, 2..3, 3..4]);
        assert_eq!(groups(&[0, 3, 5, 7], 5), [0..2, 2..3]);
        assert!(groups(&[0], 100).is_empty());
        assert!(groups(&[], 100).is_empty());
        assert_eq!(groups(&[0, 0, 0, 2], 1), [0..2, 2..3]);
    }
}
