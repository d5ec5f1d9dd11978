//! How long the parts of reading take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time that threads spent on texts, over all calls: two that tokenize at once for a second spend two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// From texts to tokens and windows.
    pub tokenize: Duration,
    /// The encoder and the heads that read its states.
    pub compute: Duration,
    /// From the scores of tokens to entities.
    pub decode: Duration,
}

impl Times {
    /// What was added since then.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            tokenize: self.tokenize.saturating_sub(before.tokenize),
            compute: self.compute.saturating_sub(before.compute),
            decode: self.decode.saturating_sub(before.decode),
        }
    }
}

/// Adds up times; may be used by several threads.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    tokenize: AtomicU64,
    compute: AtomicU64,
    decode: AtomicU64,
}

impl Stopwatch {
    pub(crate) fn tokenizing<R>(&self, work: impl FnOnce() -> R) -> R {
        timed(&self.tokenize, work)
    }

    pub(crate) fn computing<R>(&self, work: impl FnOnce() -> R) -> R {
        timed(&self.compute, work)
    }

    pub(crate) fn decoding<R>(&self, work: impl FnOnce() -> R) -> R {
        timed(&self.decode, work)
    }

    pub(crate) fn times(&self) -> Times {
        let read =
            |nanoseconds: &AtomicU64| Duration::from_nanos(nanoseconds.load(Ordering::Relaxed));
        Times {
            tokenize: read(&self.tokenize),
            compute: read(&self.compute),
            decode: read(&self.decode),
        }
    }
}

fn timed<R>(nanoseconds: &AtomicU64, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    nanoseconds.fetch_add(spent, Ordering::Relaxed);
    result
}
