//! `vestnik data`: looks at annotated data.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use vestnik_data::Issue;

use crate::Outcome;
use crate::output::{note, print};

/// Commands about data.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List every defect of entity corpora; exit code 1 if there is one
    Check(CheckArgs),
}

/// Arguments of `vestnik data check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Annotated files: JSON lines or CoNLL columns, also .gz or .zst
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check(args),
    }
}

fn check(args: &CheckArgs) -> Result<Outcome> {
    let (mut documents, mut entities, mut issues) = (0, 0, 0);
    for path in &args.files {
        let corpus = vestnik_data::read_ner(path)?;
        documents += corpus.documents.len();
        entities += corpus
            .documents
            .iter()
            .map(|d| d.entities().len())
            .sum::<usize>();
        issues += corpus.issues.len();
        for issue in &corpus.issues {
            print(&line(issue, args.json))?;
        }
    }
    note(&format!(
        "{documents} sound documents with {entities} entities, {issues} defects"
    ));
    Ok(match issues {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}

fn line(issue: &Issue, json: bool) -> String {
    if !json {
        return issue.to_string();
    }
    json!({
        "path": issue.path,
        "line": issue.line,
        "problem": issue.problem.to_string(),
    })
    .to_string()
}
