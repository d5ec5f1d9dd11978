//! What is written beside the weights: how they came about.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::event::{EvaluationEvent, FinishReason, Sampling};

/// A file that a run learnt from or was measured on, as the caller read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Records taken from it.
    pub records: usize,
    /// SHA-256 of the texts, spans and labels of these records, whatever their order, ids and file format, in
    /// hexadecimal; absent for raw text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans_sha256: Option<String>,
}

/// The record of a run (`run.json`): with it and the data the run can be made again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this file's format: 1.
    pub format_version: u32,
    /// "train" or "pretrain".
    pub kind: String,
    /// Version of this crate.
    pub crate_version: String,
    /// Seed of the run.
    pub seed: u64,
    /// The run file with all defaults written out.
    pub config: serde_json::Value,
    /// The data, with their hashes.
    pub data: Vec<DataFile>,
    /// Windows or pieces to learn from, before sampling by weight.
    pub examples: usize,
    /// SHA-256 of these, whatever the order of the documents: token ids, labels and weights, in hexadecimal; empty in
    /// records of earlier versions.
    #[serde(default)]
    pub examples_sha256: String,
    /// What corpora and languages get of an epoch; empty in records of earlier versions.
    #[serde(default)]
    pub sampling: Sampling,
    /// Weights of the model.
    pub parameters: usize,
    /// Weights that learnt; 0 in records of versions that could freeze none.
    #[serde(default)]
    pub trainable: usize,
    /// Updates made.
    pub steps: u64,
    /// Passes over the data that are complete.
    pub epochs: u64,
    /// Tokens learnt from, special tokens included.
    pub tokens: u64,
    /// Seconds spent on updates, evaluation left out.
    pub seconds: f64,
    /// Why the run ended; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// The evaluation whose weights were kept; absent when nothing was measured: then they are the last ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<EvaluationEvent>,
    /// All evaluations, in order.
    pub evaluations: Vec<EvaluationEvent>,
}
