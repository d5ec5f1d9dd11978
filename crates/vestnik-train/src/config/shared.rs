//! Settings that fine-tuning and pretraining have in common.

use candle_core::DType;
use serde::{Deserialize, Serialize};

use crate::config::{at_least, refused, within};
use crate::error::Result;
use crate::schedule::{Decay, Schedule};

/// `[batch]`: how many tokens go into an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Most tokens of one forward pass, special tokens included; sequences of like length are packed up to it. Default 2048.
    pub max_tokens: usize,
    /// Forward passes whose gradients are summed into one update. Default 1.
    pub accumulate: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            max_tokens: 2048,
            accumulate: 1,
        }
    }
}

impl BatchConfig {
    pub(super) fn check(&self) -> Result<()> {
        at_least("batch.max_tokens", self.max_tokens, 3)?;
        at_least("batch.accumulate", self.accumulate, 1)
    }
}

/// `[schedule]`: the learning rate over the run. The peak is `optimizer.learning_rate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// "linear" (default), "cosine" or "constant".
    pub decay: Decay,
    /// Share of all steps in which the rate rises from zero, 0 to 1. Default 0.1.
    pub warmup: f64,
    /// Rate at the end as a share of the peak, 0 to 1. Default 0.
    pub last: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            decay: Decay::Linear,
            warmup: 0.1,
            last: 0.0,
        }
    }
}

impl ScheduleConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("schedule.warmup", self.warmup, 0.0..=1.0)?;
        within("schedule.last", self.last, 0.0..=1.0)
    }

    /// The schedule of a run of `total_steps` updates with this peak.
    #[must_use]
    pub fn schedule(&self, peak: f64, total_steps: u64) -> Schedule {
        Schedule {
            decay: self.decay,
            peak,
            last: peak * self.last,
            warmup_steps: (self.warmup * total_steps as f64).round() as u64,
            total_steps,
        }
    }
}

/// Number format of the weights of a finished model. Checkpoints for resuming are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SaveDtype {
    /// 4 bytes a weight (the default).
    #[default]
    F32,
    /// 2 bytes a weight.
    F16,
}

impl From<SaveDtype> for DType {
    fn from(dtype: SaveDtype) -> Self {
        match dtype {
            SaveDtype::F32 => Self::F32,
            SaveDtype::F16 => Self::F16,
        }
    }
}

/// Most checkpoints that a run keeps.
const MOST_CHECKPOINTS: usize = 1000;

/// The default of `keep_checkpoints`: one to fall back on.
pub(super) fn default_keep_checkpoints() -> usize {
    2
}

/// Checks `keep_checkpoints`.
pub(super) fn check_keep_checkpoints(keep: usize) -> Result<()> {
    match keep {
        1..=MOST_CHECKPOINTS => Ok(()),
        _ => Err(refused(
            "keep_checkpoints",
            &keep,
            format!("1 to {MOST_CHECKPOINTS}"),
        )),
    }
}
