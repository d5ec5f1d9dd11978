//! `run.json` of a finished run: reading it, and whether its data are still what they were.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use vestnik_data::sha256_file;
use vestnik_train::RunRecord;

/// `run.json` beside the weights.
pub(super) const RECORD: &str = "run.json";
/// The folder of the weights in that of the run.
pub(super) const MODEL: &str = "model";

/// Reads a record.
///
/// Through a value, which keeps numbers as they are written (`arbitrary_precision`), so that scores can be compared.
pub(super) fn read(path: &Path) -> Result<RunRecord> {
    let failed = || format!("cannot read the record {}", path.display());
    let bytes = std::fs::read(path).with_context(failed)?;
    let value: serde_json::Result<Value> = serde_json::from_slice(&bytes);
    value.and_then(serde_json::from_value).with_context(failed)
}

/// Whether the run came to its end; one that was stopped did not.
pub(super) fn is_finished(record: &RunRecord) -> bool {
    use vestnik_train::FinishReason::{Complete, Patience};
    matches!(record.finish, Some(Complete | Patience))
}

/// The first file of the data that is not what the record says; `folder` is what its paths are relative to.
///
/// # Errors
/// A file cannot be read.
pub(super) fn changed_file(record: &RunRecord, folder: &Path) -> Result<Option<PathBuf>> {
    for file in &record.data {
        let path = folder.join(&file.path);
        if sha256_file(&path)? != file.sha256 {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
