//! How many tokens a forward pass takes: fewer, once the memory of a device did not hold them.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::packing::pack;

/// The tokens of one forward pass.
#[derive(Debug)]
pub(crate) struct BatchBudget(AtomicUsize);

impl BatchBudget {
    /// # Errors
    /// [`Error::BatchTokens`] for none.
    pub(crate) fn new(tokens: usize) -> Result<Self> {
        match tokens {
            0 => Err(Error::BatchTokens),
            _ => Ok(Self(AtomicUsize::new(tokens))),
        }
    }

    pub(crate) fn tokens(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Calls `pass` with batches of sequences of these lengths, given by their places; every sequence is in one of them.
    /// Where the memory of the device does not hold a batch, the budget becomes half of what that had, for good, and what
    /// is left is packed anew.
    ///
    /// # Errors
    /// Those of `pass`; that there is no memory left for a single sequence is one of them.
    pub(crate) fn each_batch(
        &self,
        lengths: &[usize],
        mut pass: impl FnMut(&[usize]) -> Result<()>,
    ) -> Result<()> {
        let mut waiting = self.batches(lengths, &(0..lengths.len()).collect::<Vec<_>>());
        while let Some(batch) = waiting.pop() {
            match pass(&batch) {
                Err(error) if batch.len() > 1 && error.is_out_of_memory() => {
                    let tokens: usize = batch.iter().map(|&place| lengths[place]).sum();
                    self.0.fetch_min((tokens / 2).max(1), Ordering::Relaxed);
                    waiting.push(batch);
                    let left: Vec<usize> = waiting.into_iter().rev().flatten().collect();
                    waiting = self.batches(lengths, &left);
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Batches of some sequences, the first one at the end.
    fn batches(&self, lengths: &[usize], places: &[usize]) -> Vec<Vec<usize>> {
        let of_places: Vec<usize> = places.iter().map(|&place| lengths[place]).collect();
        let batches = pack(&of_places, self.tokens()).into_iter().rev();
        let of_batch = |batch: Vec<usize>| batch.into_iter().map(|index| places[index]).collect();
        batches.map(of_batch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_memory() -> Error {
        let driver = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        Error::Tensor {
            doing: "the states of a batch",
            source: Box::new(candle_core::Error::Msg(driver.to_owned())),
        }
    }

    #[test]
    fn every_sequence_is_read_once_with_less_memory_too() {
        let lengths = [5, 9, 3, 7, 1, 8, 2, 4];
        for most in [9, 12, 20, 100] {
            let budget = BatchBudget::new(30).unwrap();
            let (mut read, mut n_failed) = (Vec::new(), 0);
            let done = budget.each_batch(&lengths, |batch| {
                let tokens: usize = batch.iter().map(|&place| lengths[place]).sum();
                if tokens > most {
                    n_failed += 1;
                    return Err(out_of_memory());
                }
                read.extend_from_slice(batch);
                Ok(())
            });
            done.unwrap();
            read.sort_unstable();
            assert_eq!(read, [0, 1, 2, 3, 4, 5, 6, 7], "{most}");
            assert!(n_failed <= 2, "{most}: {n_failed}");
            assert_eq!(budget.tokens() < 30, n_failed > 0, "{most}");
        }
    }

    #[test]
    fn other_errors_and_single_sequences_end_it() {
        let budget = BatchBudget::new(8).unwrap();
        let failed = budget.each_batch(&[5, 5], |_| Err(out_of_memory()));
        assert!(failed.unwrap_err().is_out_of_memory());
        assert_eq!(budget.tokens(), 8);
        let failed = budget.each_batch(&[3, 3], |_| Err(Error::NoTexts));
        assert!(matches!(failed, Err(Error::NoTexts)));
        assert!(matches!(BatchBudget::new(0), Err(Error::BatchTokens)));
    }
}
