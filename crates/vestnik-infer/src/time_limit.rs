//! The most time that one text may take, so that a hostile one cannot hold up the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The most time that a text may take; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimit(Option<Duration>);

/// The time that a text took so far.
#[derive(Debug, Default)]
pub(crate) struct Spent(AtomicU64);

/// The part of a text in a step that texts take together.
pub(crate) struct Share<'a> {
    /// Its place among the texts of the call.
    pub(crate) text: usize,
    pub(crate) spent: &'a Spent,
    pub(crate) tokens: usize,
}

impl Spent {
    fn add(&self, time: Duration) -> Duration {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let before = self.0.fetch_add(time, Ordering::Relaxed);
        Duration::from_nanos(before.saturating_add(time))
    }
}

impl TimeLimit {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self(limit)
    }

    /// Does something for one text alone.
    ///
    /// # Errors
    /// That of the work, or [`Error::TimeLimit`] when the text took too long.
    pub(crate) fn alone<T>(
        self,
        text: usize,
        spent: &Spent,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let done = work()?;
        self.check(text, spent.add(start.elapsed()))?;
        Ok(done)
    }

    /// Does something for several texts together; each has the part of the time that it has of the tokens.
    ///
    /// # Errors
    /// That of the work, or [`Error::TimeLimit`] for the first text that took too long.
    pub(crate) fn together<'a, T>(
        self,
        shares: impl IntoIterator<Item = Share<'a>>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.0.is_none() {
            return work();
        }
        let start = Instant::now();
        let done = work()?;
        self.share_out(&shares.into_iter().collect::<Vec<_>>(), start.elapsed())?;
        Ok(done)
    }

    fn share_out(self, shares: &[Share<'_>], time: Duration) -> Result<()> {
        let all: usize = shares.iter().map(|share| share.tokens).sum();
        for share in shares {
            let part = share.tokens as f64 / all.max(1) as f64;
            self.check(share.text, share.spent.add(time.mul_f64(part)))?;
        }
        Ok(())
    }

    fn check(self, text: usize, spent: Duration) -> Result<()> {
        match self.0 {
            Some(limit) if spent > limit => Err(Error::TimeLimit { text, limit }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares<'a>(spent: &'a [Spent], tokens: &[usize]) -> Vec<Share<'a>> {
        let each = spent.iter().zip(tokens).enumerate();
        each.map(|(text, (spent, &tokens))| Share {
            text,
            spent,
            tokens,
        })
        .collect()
    }

    #[test]
    fn a_text_pays_for_its_tokens_until_it_has_no_time_left() {
        let limit = TimeLimit::new(Some(Duration::from_secs(5)));
        let spent = [Spent::default(), Spent::default()];
        let step = Duration::from_secs(4);
        assert!(limit.share_out(&shares(&spent, &[30, 10]), step).is_ok());
        let stopped = limit.share_out(&shares(&spent, &[30, 10]), step);
        assert!(matches!(stopped, Err(Error::TimeLimit { text: 0, .. })));
        assert_eq!(
            stopped.unwrap_err().to_string(),
            "reading the text took longer than the 5 s that are allowed"
        );
        // The other one has paid for a quarter of the first step.
        assert_eq!(spent[1].add(Duration::ZERO), Duration::from_secs(1));
    }

    #[test]
    fn the_time_of_a_text_alone_is_its_own() {
        let spent = Spent::default();
        let limit = TimeLimit::new(Some(Duration::ZERO));
        let work = || {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        };
        let stopped = limit.alone(3, &spent, work);
        assert!(matches!(stopped, Err(Error::TimeLimit { text: 3, .. })));
    }

    #[test]
    fn without_a_limit_any_time_will_do() {
        let limit = TimeLimit::default();
        let spent = [Spent::default()];
        assert!(
            limit
                .share_out(&shares(&spent, &[1]), Duration::from_secs(1_000_000))
                .is_ok()
        );
    }
}
