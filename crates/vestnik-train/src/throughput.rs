//! Tokens per second and the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

/// Steps over which the speed is averaged.
const WINDOW_STEPS: usize = 50;

/// Measures the speed of a run over its last 50 steps and foretells its end.
///
/// Time is passed in, not read from a clock, so that it can be tested and so that pauses (evaluation, checkpoints) can be
/// left out by the caller.
#[derive(Debug, Clone, Default)]
pub struct Throughput {
    recent: VecDeque<(u64, Duration)>,
    tokens: u64,
}

impl Throughput {
    /// Adds one step of `tokens` tokens that took `time`.
    pub fn add(&mut self, tokens: u64, time: Duration) {
        if self.recent.len() == WINDOW_STEPS {
            self.recent.pop_front();
        }
        self.recent.push_back((tokens, time));
        self.tokens += tokens;
    }

    /// All tokens added so far.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Tokens per second over the last steps; `None` before the first step.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        let seconds = self.seconds();
        let tokens: u64 = self.recent.iter().map(|&(tokens, _)| tokens).sum();
        (seconds > 0.0).then(|| tokens as f64 / seconds)
    }

    /// Time for `steps` further steps at the present speed; `None` before the first step.
    #[must_use]
    pub fn time_for(&self, steps: u64) -> Option<Duration> {
        let per_step = self.seconds() / self.recent.len().max(1) as f64;
        (per_step > 0.0)
            .then(|| Duration::try_from_secs_f64(per_step * steps as f64).ok())
            .flatten()
    }

    fn seconds(&self) -> f64 {
        self.recent.iter().map(|(_, time)| time.as_secs_f64()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_step() {
        let throughput = Throughput::default();
        assert_eq!(throughput.tokens_per_second(), None);
        assert_eq!(throughput.time_for(10), None);
    }

    #[test]
    fn speed_and_rest_come_from_the_last_steps() {
        let mut throughput = Throughput::default();
        throughput.add(1, Duration::from_secs(1000));
        for _ in 0..WINDOW_STEPS {
            throughput.add(100, Duration::from_millis(500));
        }
        assert_eq!(throughput.tokens_per_second(), Some(200.0));
        assert_eq!(throughput.time_for(20), Some(Duration::from_secs(10)));
        assert_eq!(throughput.tokens(), 1 + 100 * WINDOW_STEPS as u64);
    }
}
