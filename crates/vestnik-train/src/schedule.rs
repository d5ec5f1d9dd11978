//! The learning rate as a pure function of the step.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Decay {
    /// It stays at its peak.
    Constant,
    /// A straight line down to the final rate (the default).
    #[default]
    Linear,
    /// Half a cosine wave down to the final rate (Loshchilov & Hutter 2017, without restarts).
    Cosine,
}

/// The learning rate of every step of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// How the rate falls after the warm-up.
    pub decay: Decay,
    /// The highest rate, reached by the last step of the warm-up.
    pub peak: f64,
    /// The rate after the last step.
    pub last: f64,
    /// Steps of the linear warm-up; 0 starts at the peak.
    pub warmup_steps: u64,
    /// All steps of the run, warm-up included.
    pub total_steps: u64,
}

impl Schedule {
    /// The learning rate of the update number `step`, counted from 0.
    ///
    /// The warm-up rises from `peak / warmup_steps`, so that no update is spent at rate zero; the decay starts from the
    /// peak at the first step after it and would reach `last` at `total_steps`. Later steps stay at `last`
    /// (`Constant`: at the peak).
    #[must_use]
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let share = match self.decay {
            Decay::Constant => return self.peak,
            Decay::Linear => 1.0 - self.progress(step),
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * self.progress(step)).cos()),
        };
        self.last + (self.peak - self.last) * share
    }

    /// Share of the decay that is over, 0 to 1.
    fn progress(&self, step: u64) -> f64 {
        let length = self.total_steps.saturating_sub(self.warmup_steps);
        if length == 0 {
            return 1.0;
        }
        ((step - self.warmup_steps) as f64 / length as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(decay: Decay) -> Schedule {
        Schedule {
            decay,
            peak: 1.0,
            last: 0.0,
            warmup_steps: 4,
            total_steps: 12,
        }
    }

    #[track_caller]
    fn check(decay: Decay, expected: &[(u64, f64)]) {
        for &(step, lr) in expected {
            let found = schedule(decay).lr(step);
            assert!((found - lr).abs() < 1e-12, "{decay:?} {step}: {found}");
        }
    }

    #[test]
    fn warm_up_is_common_to_all() {
        for decay in [Decay::Constant, Decay::Linear, Decay::Cosine] {
            check(decay, &[(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0)]);
        }
    }

    #[test]
    fn decay_follows_its_curve() {
        check(Decay::Constant, &[(11, 1.0), (1000, 1.0)]);
        check(
            Decay::Linear,
            &[(8, 0.5), (11, 0.125), (12, 0.0), (99, 0.0)],
        );
        let quarter = 0.5 * (1.0 + std::f64::consts::FRAC_1_SQRT_2);
        check(
            Decay::Cosine,
            &[(6, quarter), (8, 0.5), (12, 0.0), (99, 0.0)],
        );
    }

    #[test]
    fn last_rate_is_the_floor() {
        let schedule = Schedule {
            last: 0.2,
            ..schedule(Decay::Linear)
        };
        assert!((schedule.lr(8) - 0.6).abs() < 1e-12);
        assert!((schedule.lr(50) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn a_run_of_warm_up_only_is_allowed() {
        let schedule = Schedule {
            total_steps: 4,
            ..schedule(Decay::Cosine)
        };
        assert_eq!(schedule.lr(3), 1.0);
        assert_eq!(schedule.lr(4), 0.0);
    }
}
