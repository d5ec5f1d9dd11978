//! Blocks of queries with the keys that they see: how attention over long sequences avoids a `[length, length]` matrix.

use std::ops::Range;

/// Sequences up to this length are one block when every token sees every other.
const WHOLE: usize = 512;
/// Queries of one block of a longer sequence. A multiple of the dropout mask's groups of four.
const ROWS: usize = 256;
/// The fewest queries of one block under a window. A multiple of four.
const FEWEST_ROWS: usize = 32;

/// Consecutive queries of one sequence, and all keys that one of them sees.
///
/// Blocks depend on the length of the sequence and the window alone, so a result does not depend on other sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The queries, by their places in the sequence.
    pub(crate) rows: Range<usize>,
    /// The keys, by their places in the sequence.
    pub(crate) keys: Range<usize>,
    window: Option<usize>,
}

impl Block {
    /// The blocks of a sequence, from its start to its end.
    ///
    /// Under a window a block has about `3 * window` keys for `window` queries, so all blocks of a sequence together
    /// have `O(length * window)` scores, of which one block's are in memory at a time.
    pub(crate) fn all(length: usize, window: Option<usize>) -> impl Iterator<Item = Self> {
        let window = window.filter(|window| window.saturating_add(1) < length);
        let n_rows = match window {
            Some(window) => window.clamp(FEWEST_ROWS, ROWS).next_multiple_of(4),
            None if length <= WHOLE => length.max(1),
            None => ROWS,
        };
        let reach = window.unwrap_or(length);
        (0..length).step_by(n_rows).map(move |start| {
            let end = (start + n_rows).min(length);
            Self {
                rows: start..end,
                keys: start.saturating_sub(reach)..(end + reach).min(length),
                window,
            }
        })
    }

    /// Scores of the block: one for every query and key.
    pub(crate) fn size(&self) -> usize {
        self.rows.len() * self.keys.len()
    }

    /// The keys that the block's query `row` sees, both counted from the block's first.
    pub(crate) fn visible(&self, row: usize) -> Range<usize> {
        let Some(window) = self.window else {
            return 0..self.keys.len();
        };
        let place = self.rows.start + row;
        let first = place.saturating_sub(window).max(self.keys.start);
        let end = (place + window + 1).min(self.keys.end);
        first - self.keys.start..end - self.keys.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(length: usize, window: Option<usize>) -> Vec<Block> {
        Block::all(length, window).collect()
    }

    #[test]
    fn short_sequences_are_one_block() {
        for (length, window) in [
            (1, None),
            (512, None),
            (1, Some(0)),
            (65, Some(64)),
            (512, Some(511)),
        ] {
            let [block] = &blocks(length, window)[..] else {
                panic!("{length} {window:?}: several blocks");
            };
            assert_eq!(
                (block.rows.clone(), block.keys.clone()),
                (0..length, 0..length)
            );
            assert_eq!(block.visible(length - 1), 0..length);
        }
        assert_eq!(blocks(0, None), []);
    }

    #[test]
    fn queries_see_exactly_the_keys_within_the_window() {
        for (length, window) in [(7, 0), (40, 1), (65, 63), (66, 64), (300, 20), (1000, 300)] {
            let mut next = 0;
            for block in blocks(length, Some(window)) {
                assert_eq!(block.rows.start, next);
                next = block.rows.end;
                for row in 0..block.rows.len() {
                    let place = block.rows.start + row;
                    let visible = block.visible(row);
                    let expected = place.saturating_sub(window)..(place + window + 1).min(length);
                    assert_eq!(block.keys.start + visible.start, expected.start);
                    assert_eq!(block.keys.start + visible.end, expected.end);
                }
            }
            assert_eq!(next, length);
        }
    }

    #[test]
    fn long_sequences_hold_no_square_matrix() {
        let length = 8192;
        let sizes = |window| blocks(length, window).into_iter().map(|block| block.size());
        assert!(sizes(None).max().unwrap() <= 256 * length);
        assert!(sizes(Some(64)).max().unwrap() <= 64 * (3 * 64));
        assert!(
            sizes(Some(64)).sum::<usize>() <= length * 3 * 64,
            "work is not linear in the length"
        );
    }
}
