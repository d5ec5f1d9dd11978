//! `vestnik data stats`: counts documents, words, entities and labels.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;
use vestnik_data::{Format, sha256_documents};

use super::reading::{ReadArgs, tell_issues};
use super::summary::Summary;
use crate::Outcome;
use crate::output::print;

/// Arguments of `vestnik data stats`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Annotated files or folders, also .gz or .zst
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Format of the files: vestnik, conll, conllu, brat, doccano, label-studio, webanno, hf, parquet, cas [default: found]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    reading: ReadArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Counts what is in the sound records.
pub(super) fn run(args: &Args) -> Result<Outcome> {
    let corpus = args.reading.read_all(&args.files, args.format)?;
    tell_issues(&corpus.issues);
    let mut summary = Summary::default();
    corpus
        .documents
        .iter()
        .for_each(|document| summary.add(document));
    let hash = sha256_documents(&corpus.documents);
    if args.json {
        let mut json = summary.json();
        json.insert("defects".to_owned(), corpus.issues.len().into());
        json.insert("sha256_of_spans".to_owned(), hash.into());
        print(&Value::Object(json).to_string())?;
    } else {
        let mut lines = summary.lines();
        lines.push(format!("\nSHA-256 of texts and spans: {hash}"));
        print(&lines.join("\n"))?;
    }
    Ok(match corpus.issues.len() {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}
