//! Which examples an epoch sees, and in which batches.

mod temperature;

use std::ops::Range;

use vestnik_text::token_budget_batches;

use crate::event::Sampling;
use crate::random::{Random, derive_seed};
pub(crate) use temperature::{Cell, sampling, temper};

/// Places of the random streams, so that no two uses of the seed draw the same numbers.
pub(crate) mod stream {
    pub(crate) const SAMPLE: u64 = 1;
    pub(crate) const BATCHES: u64 = 2;
    pub(crate) const DROPOUT: u64 = 3;
    pub(crate) const MASKS: u64 = 4;
    pub(crate) const DEV_MASKS: u64 = 5;
    pub(crate) const DEV_PIECES: u64 = 6;
    pub(crate) const MIXED: u64 = 7;
    pub(crate) const DOCUMENTS: u64 = 1001;
}

/// The places of `limit` of `n_documents` documents, in order: all, or a random choice that depends on the seed and the
/// place of the corpus among those of the run alone.
///
/// A larger limit adds documents to those of a smaller one, so that the points of a learning curve build on each other.
#[must_use]
pub fn draw_documents(n_documents: usize, limit: usize, seed: u64, corpus: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..n_documents).collect();
    if limit < n_documents {
        Random::derive(seed, &[stream::DOCUMENTS, corpus as u64]).shuffle(&mut places);
        places.truncate(limit);
        places.sort_unstable();
    }
    places
}

/// Examples that are seen equally often: those of one corpus or language.
#[derive(Debug, Clone)]
pub(crate) struct Stratum {
    /// How often each is seen in an epoch, on average.
    pub(crate) weight: f64,
    /// Indices of the examples.
    pub(crate) examples: Vec<usize>,
}

/// Draws the batches of every epoch as a function of seed and epoch alone.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(crate) strata: Vec<Stratum>,
    /// What corpora and languages get.
    pub(crate) sampling: Sampling,
    /// Tokens of every example, special tokens included.
    pub(crate) lengths: Vec<usize>,
    /// The examples of each task: a batch holds those of one alone.
    pub(crate) tasks: Vec<Range<usize>>,
    pub(crate) max_tokens: usize,
    pub(crate) seed: u64,
}

impl Sampler {
    /// The batches of an epoch in order: indices of examples of one task, of like length, at most `max_tokens` tokens
    /// together.
    pub(crate) fn batches(&self, epoch: u64) -> Vec<Vec<usize>> {
        let examples = self.examples(epoch);
        let tasks = (0..).zip(&self.tasks);
        let mut batches: Vec<Vec<Vec<usize>>> = tasks
            .map(|(task, range)| self.batches_of(epoch, task, &examples, range))
            .filter(|batches| !batches.is_empty())
            .collect();
        if batches.len() < 2 {
            return batches.pop().unwrap_or_default();
        }
        let mut mixed: Vec<Vec<usize>> = batches.into_iter().flatten().collect();
        Random::derive(self.seed, &[stream::MIXED, epoch]).shuffle(&mut mixed);
        mixed
    }

    /// The batches of one task.
    fn batches_of(
        &self,
        epoch: u64,
        task: u64,
        examples: &[usize],
        range: &Range<usize>,
    ) -> Vec<Vec<usize>> {
        let own = examples.iter().copied();
        let own: Vec<usize> = own.filter(|example| range.contains(example)).collect();
        let lengths: Vec<usize> = own.iter().map(|&example| self.lengths[example]).collect();
        // The first task draws as a run does that has no other.
        let place = [stream::BATCHES, epoch, task];
        let seed = derive_seed(self.seed, if task == 0 { &place[..2] } else { &place });
        let mut batches = token_budget_batches(&lengths, self.max_tokens, seed);
        for index in batches.iter_mut().flatten() {
            *index = own[*index];
        }
        batches
    }

    /// The examples of an epoch; one may come several times.
    fn examples(&self, epoch: u64) -> Vec<usize> {
        let strata = (0..).zip(&self.strata);
        strata
            .flat_map(|(number, stratum)| stratum.draw(self.seed, epoch, number))
            .collect()
    }
}

impl Stratum {
    /// Every example `⌊weight⌋` times, and a random share of them, without repetition, for the rest of the weight.
    fn draw(&self, seed: u64, epoch: u64, number: u64) -> Vec<usize> {
        let mut drawn = self.examples.repeat(self.weight as usize);
        let rest = (self.weight.fract() * self.examples.len() as f64).round() as usize;
        if rest > 0 {
            let mut shuffled = self.examples.clone();
            Random::derive(seed, &[stream::SAMPLE, epoch, number]).shuffle(&mut shuffled);
            drawn.extend_from_slice(&shuffled[..rest]);
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler() -> Sampler {
        let strata = [(2.0, 0..10), (0.5, 10..30), (0.0, 30..35)]
            .map(|(weight, examples)| Stratum {
                weight,
                examples: examples.collect(),
            })
            .to_vec();
        Sampler {
            strata,
            sampling: Sampling::default(),
            lengths: (0..35).map(|i| 5 + i % 7).collect(),
            tasks: std::iter::once(0..35).collect(),
            max_tokens: 40,
            seed: 1,
        }
    }

    fn counts(batches: &[Vec<usize>]) -> Vec<usize> {
        let mut counts = vec![0; 35];
        for &example in batches.iter().flatten() {
            counts[example] += 1;
        }
        counts
    }

    #[test]
    fn weights_say_how_often_examples_are_seen() {
        let counts = counts(&sampler().batches(0));
        assert!(counts[..10].iter().all(|&count| count == 2));
        assert!(counts[10..30].iter().all(|&count| count <= 1));
        assert_eq!(counts[10..30].iter().sum::<usize>(), 10);
        assert!(counts[30..].iter().all(|&count| count == 0));
    }

    #[test]
    fn epochs_differ_and_repeat_by_seed() {
        let sampler = sampler();
        assert_eq!(sampler.batches(3), sampler.batches(3));
        assert_ne!(sampler.batches(0), sampler.batches(1));
        assert_ne!(
            counts(&sampler.batches(0))[10..30],
            counts(&sampler.batches(1))[10..30]
        );
    }

    #[test]
    fn tasks_are_mixed_batch_by_batch() {
        let alone = sampler();
        let mixed = Sampler {
            tasks: vec![0..12, 12..35],
            ..sampler()
        };
        let batches = mixed.batches(1);
        assert!(batches.iter().all(|batch| {
            let of_first = batch.iter().filter(|&&example| example < 12).count();
            of_first == 0 || of_first == batch.len()
        }));
        let firsts: Vec<bool> = batches.iter().map(|batch| batch[0] < 12).collect();
        let changes = firsts.windows(2).filter(|two| two[0] != two[1]).count();
        assert!(changes > 2, "{firsts:?}");
        assert_eq!(
            counts(&batches).iter().sum::<usize>(),
            counts(&alone.batches(1)).iter().sum::<usize>()
        );
        assert_eq!(batches, mixed.batches(1));
        // A task without examples changes nothing.
        let with_none = Sampler {
            tasks: vec![0..35, 35..35],
            ..sampler()
        };
        assert_eq!(with_none.batches(1), alone.batches(1));
    }

    #[test]
    fn larger_limits_add_documents() {
        let all = draw_documents(50, 50, 1, 0);
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        let (few, more) = (draw_documents(50, 10, 1, 0), draw_documents(50, 20, 1, 0));
        assert_eq!((few.len(), more.len()), (10, 20));
        assert!(few.is_sorted() && few.iter().all(|place| more.contains(place)));
        assert_ne!(few, draw_documents(50, 10, 2, 0), "another seed");
        assert_ne!(few, draw_documents(50, 10, 1, 1), "another corpus");
    }

    #[test]
    fn batches_keep_the_budget() {
        let sampler = sampler();
        for batch in sampler.batches(0) {
            let tokens: usize = batch.iter().map(|&example| sampler.lengths[example]).sum();
            assert!(tokens <= 40);
        }
    }
}
