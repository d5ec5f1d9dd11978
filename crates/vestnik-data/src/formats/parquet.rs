//! Parquet files of Hugging Face datasets: columns `tokens` and `ner_tags`, read.

use std::path::Path;

use serde_json::Value;

use super::ReadOptions;
use super::hf_json::{TAG_FIELDS, corpus, names_beside, names_in, tagged};
use super::parquet_rows::Rows;
use crate::corpus::Corpus;
use crate::error::Result;
use crate::issue::Issue;
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::convert_records;

/// The key under which `datasets` describes the columns of a file.
pub(super) const DESCRIPTION: &str = "huggingface";

const TOKENS: &str = "tokens";

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let mut rows = Rows::open(path)?;
    if let Some(problem) = missing_column(&rows.columns) {
        return Ok(Corpus {
            issues: vec![Issue::of_file(path, problem)],
            ..Corpus::default()
        });
    }
    let names = options
        .tag_names
        .clone()
        .or_else(|| names_within(&rows.metadata))
        .or_else(|| names_beside(path));
    let names = names.as_deref();
    let read = convert_records(path, &mut rows, |record, problems| {
        tagged(path, record, names, problems)
    })?;
    let mut corpus = corpus(read, names.is_some());
    if corpus.documents.is_empty() && corpus.issues.is_empty() {
        corpus.issues.push(Issue::of_file(path, Problem::EmptyFile));
    }
    let skipped = rows.skipped.into_iter().map(LossKind::Field);
    corpus
        .losses
        .extend(skipped.map(|kind| Loss::read(path, 1, kind)));
    Ok(corpus)
}

/// What is missing in every row is told once.
fn missing_column(columns: &[String]) -> Option<Problem> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let missing = match has(TOKENS) {
        false => TOKENS,
        true if TAG_FIELDS.into_iter().any(has) => return None,
        true => TAG_FIELDS[0],
    };
    Some(Problem::MissingField {
        field: missing.to_owned(),
        present: columns.to_vec(),
    })
}

fn names_within(metadata: &[(String, String)]) -> Option<Vec<String>> {
    let (_, json) = metadata.iter().find(|(key, _)| key == DESCRIPTION)?;
    names_in(&serde_json::from_str::<Value>(json).ok()?)
}
