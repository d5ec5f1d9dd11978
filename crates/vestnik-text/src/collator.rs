//! From examples to packed batches, and how examples are grouped.

use crate::{Batch, IGNORE, SpecialTokens};

/// One sequence: a window of a text as token ids, without special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Which document it came from, as the caller counts them.
    pub document: usize,
    /// Which window of the document.
    pub window: usize,
    /// Token ids.
    pub ids: Vec<u32>,
    /// A label for each token, or [`IGNORE`].
    pub labels: Option<Vec<i64>>,
    /// The set of possible labels for each token; see [`Batch::allowed`].
    pub allowed: Option<Vec<u64>>,
}

/// Packs examples end to end, each between the special tokens that begin and end a sequence.
#[derive(Clone, Copy, Debug)]
pub struct Collator {
    special: SpecialTokens,
}

impl Collator {
    /// A collator for a tokenizer's special tokens.
    #[must_use]
    pub fn new(special: SpecialTokens) -> Self {
        Self { special }
    }

    /// The examples as one batch, in their order. Special tokens are labelled [`IGNORE`]; the batch has labels when any
    /// example has, and examples without are ignored in it.
    #[must_use]
    pub fn batch(&self, examples: &[Example]) -> Batch {
        let n_tokens = examples.iter().map(|example| example.ids.len() + 2).sum();
        let mut batch = Batch {
            ids: Vec::with_capacity(n_tokens),
            position_ids: Vec::with_capacity(n_tokens),
            type_ids: vec![0; n_tokens],
            cumulative_lengths: vec![0],
            labels: column(
                examples,
                n_tokens,
                |example| example.labels.as_deref(),
                IGNORE,
            ),
            allowed: column(examples, n_tokens, |example| example.allowed.as_deref(), 0),
            origins: vec![],
        };
        for example in examples {
            batch.ids.push(self.special.cls);
            batch.ids.extend_from_slice(&example.ids);
            batch.ids.push(self.special.sep);
            batch.position_ids.extend(0..example.ids.len() as u32 + 2);
            batch.cumulative_lengths.push(batch.ids.len());
            batch.origins.push((example.document, example.window));
        }
        batch
    }
}

/// One value for each token of a batch: those of the examples, and `filler` for special tokens and where there are none.
fn column<'a, T: Copy + 'a>(
    examples: &'a [Example],
    n_tokens: usize,
    values: impl Fn(&'a Example) -> Option<&'a [T]>,
    filler: T,
) -> Option<Vec<T>> {
    if examples.iter().all(|example| values(example).is_none()) {
        return None;
    }
    let mut column = Vec::with_capacity(n_tokens);
    for example in examples {
        let end = column.len() + example.ids.len() + 2;
        column.push(filler);
        column.extend_from_slice(values(example).unwrap_or_default());
        column.resize(end, filler);
    }
    Some(column)
}

/// Groups sequences of like length into batches of at most `max_tokens` tokens, in an order that follows from `seed`.
///
/// `lengths` count a sequence's tokens with its special tokens. Every index comes exactly once; a sequence that is longer
/// than the budget makes a batch of its own. Sequences are shuffled, sorted by length within pools of some fifty batches,
/// cut into batches, and the batches shuffled: little difference of lengths inside a batch, chance between them.
#[must_use]
pub fn token_budget_batches(lengths: &[usize], max_tokens: usize, seed: u64) -> Vec<Vec<usize>> {
    const POOL_BATCHES: usize = 50;
    let mut random = Shuffler::new(seed);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    random.shuffle(&mut order);
    let mut batches = vec![];
    let mut pool = vec![];
    let mut pool_tokens = 0;
    for index in order {
        pool.push(index);
        pool_tokens += lengths[index];
        if pool_tokens >= POOL_BATCHES * max_tokens {
            cut(&mut pool, lengths, max_tokens, &mut batches);
            pool_tokens = 0;
        }
    }
    cut(&mut pool, lengths, max_tokens, &mut batches);
    random.shuffle(&mut batches);
    batches
}

/// Empties a pool into batches of like lengths.
fn cut(pool: &mut Vec<usize>, lengths: &[usize], max_tokens: usize, batches: &mut Vec<Vec<usize>>) {
    pool.sort_by_key(|&index| (lengths[index], index));
    let mut batch = vec![];
    let mut tokens = 0;
    for index in pool.drain(..) {
        if !batch.is_empty() && tokens + lengths[index] > max_tokens {
            batches.push(std::mem::take(&mut batch));
            tokens = 0;
        }
        batch.push(index);
        tokens += lengths[index];
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
}

/// A seeded shuffle that never changes with a dependency: resuming a run relies on it.
struct Shuffler {
    state: u64,
}

impl Shuffler {
    fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// SplitMix64 (Steele, Lea & Flood 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fisher & Yates, as in Knuth's algorithm P.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (self.next() % (last as u64 + 1)) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn special() -> SpecialTokens {
        SpecialTokens {
            cls: 2,
            sep: 3,
            pad: 0,
            mask: Some(4),
            unk: Some(1),
        }
    }

    #[test]
    fn packs_without_padding_and_marks_special_tokens() {
        let examples = [
            Example {
                ids: vec![7, 8],
                labels: Some(vec![1, 0]),
                allowed: Some(vec![0, 5]),
                ..Example::default()
            },
            Example {
                document: 1,
                window: 2,
                ids: vec![9],
                ..Example::default()
            },
        ];
        let batch = Collator::new(special()).batch(&examples);
        assert_eq!(batch.ids, [2, 7, 8, 3, 2, 9, 3]);
        assert_eq!(batch.position_ids, [0, 1, 2, 3, 0, 1, 2]);
        assert_eq!(batch.cumulative_lengths, [0, 4, 7]);
        assert_eq!(batch.origins, [(0, 0), (1, 2)]);
        assert_eq!(
            batch.labels.unwrap(),
            [IGNORE, 1, 0, IGNORE, IGNORE, IGNORE, IGNORE]
        );
        assert_eq!(batch.allowed.unwrap(), [0, 0, 5, 0, 0, 0, 0]);
        assert_eq!(batch.type_ids, [0; 7]);
    }

    #[test]
    fn no_examples_make_an_empty_batch() {
        let batch = Collator::new(special()).batch(&[]);
        assert_eq!(batch.cumulative_lengths, [0]);
        assert!(batch.ids.is_empty() && batch.labels.is_none());
    }

    proptest! {
        #[test]
        fn every_index_comes_once_within_the_budget(
            lengths in prop::collection::vec(1usize..300, 0..400),
            budget in 50usize..1000,
            seed: u64,
        ) {
            let batches = token_budget_batches(&lengths, budget, seed);
            prop_assert_eq!(&batches, &token_budget_batches(&lengths, budget, seed));
            for batch in &batches {
                let tokens: usize = batch.iter().map(|&index| lengths[index]).sum();
                prop_assert!(tokens <= budget || batch.len() == 1);
            }
            let mut seen: Vec<usize> = batches.into_iter().flatten().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn seeds_give_different_orders() {
        let lengths = vec![10; 100];
        assert_ne!(
            token_budget_batches(&lengths, 50, 1),
            token_budget_batches(&lengths, 50, 2)
        );
    }
}
