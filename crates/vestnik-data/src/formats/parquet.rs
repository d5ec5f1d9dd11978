//! Parquet files of Hugging Face datasets: columns `tokens` and `ner_tags`, read.

use std::path::Path;

use serde_json::Value;

use super::ReadOptions;
use super::hf_json::{corpus, names_beside, names_in, tagged};
use super::parquet_rows::Rows;
use crate::corpus::Corpus;
use crate::error::Result;
use crate::issue::Issue;
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::convert_records;

/// The key under which `datasets` describes the columns of a file.
pub(super) const DESCRIPTION: &str = "huggingface";

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let mut rows = Rows::open(path)?;
    let names = options
        .tag_names
        .clone()
        .or_else(|| names_within(&rows.metadata))
        .or_else(|| names_beside(path));
    let names = names.as_deref();
    let read = convert_records(path, &mut rows, |record, problems| {
        tagged(path, record, names, problems)
    })?;
    let mut corpus = corpus(read);
    if corpus.documents.is_empty() && corpus.issues.is_empty() {
        corpus.issues.push(Issue::of_file(path, Problem::EmptyFile));
    }
    let skipped = rows.skipped.into_iter().map(LossKind::Field);
    corpus
        .losses
        .extend(skipped.map(|kind| Loss::read(path, 1, kind)));
    Ok(corpus)
}

fn names_within(metadata: &[(String, String)]) -> Option<Vec<String>> {
    let (_, json) = metadata.iter().find(|(key, _)| key == DESCRIPTION)?;
    names_in(&serde_json::from_str::<Value>(json).ok()?)
}
