//! `[distillation]`: a larger model that a run learns from beside its labels.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::within;
use crate::error::Result;

/// `[distillation]`: the tag distributions of a teacher as soft labels (Hinton, Vinyals & Dean 2015).
///
/// The loss is `(1 - weight) · cross-entropy + weight · temperature² · KL(teacher ‖ student)`, both distributions softened
/// by the temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillationConfig {
    /// Folder of the teacher, a tagger in the Hugging Face layout with a tokenizer of its own.
    pub teacher: PathBuf,
    /// Softens both distributions, 0.1 to 100. Default 2.
    #[serde(default = "default_temperature")]
    pub temperature: f64,
    /// Share of the soft labels in the loss, 0 to 1. Default 0.5.
    #[serde(default = "default_weight")]
    pub weight: f64,
}

impl DistillationConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("distillation.temperature", self.temperature, 0.1..=100.0)?;
        within("distillation.weight", self.weight, 0.0..=1.0)
    }
}

fn default_temperature() -> f64 {
    2.0
}

fn default_weight() -> f64 {
    0.5
}
