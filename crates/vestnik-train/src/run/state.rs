//! Where a run stands: everything but weights and moments that the rest of the run depends on.

use serde::{Deserialize, Serialize};

use crate::event::EvaluationEvent;

/// The position of a run after an update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Updates made.
    pub(crate) step: u64,
    /// Passes over the data that are complete.
    pub(crate) epoch: u64,
    /// Batches of the present epoch that are done.
    pub(crate) batch: usize,
    /// Tokens learnt from.
    pub(crate) tokens: u64,
    /// Seconds spent on updates.
    pub(crate) seconds: f64,
    /// Length of the log at the checkpoint.
    pub(crate) log_bytes: u64,
    /// Evaluations since the best one.
    pub(crate) stale: u64,
    /// The best evaluation.
    pub(crate) best: Option<EvaluationEvent>,
    /// All evaluations.
    pub(crate) evaluations: Vec<EvaluationEvent>,
}

impl State {
    /// Whether a score is higher than that of the best evaluation.
    pub(crate) fn is_best(&self, score: f64) -> bool {
        let best = self.best.as_ref().map(|best| best.measures.score());
        best.is_none_or(|best| score > best)
    }

    /// Takes an evaluation into account.
    pub(crate) fn add(&mut self, event: EvaluationEvent) {
        if event.is_best {
            self.best = Some(event.clone());
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        self.evaluations.push(event);
    }
}
