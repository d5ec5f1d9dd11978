//! `vestnik data`: looks at annotated data, converts and splits them.

mod check;
mod convert;
mod findings;
mod lengths;
mod reading;
mod split;
mod stats;
mod summary;
mod table;

pub(crate) use reading::segments;

use anyhow::Result;

use crate::Outcome;

/// Commands about data.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List every defect and every doubtful annotation; exit code 1 if there is one
    Check(check::Args),
    /// Count documents, words, entities and labels by language
    Stats(stats::Args),
    /// Convert between formats, and list what the new format cannot hold
    Convert(convert::Args),
    /// Divide documents into train, dev and test
    Split(split::Args),
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Stats(args) => stats::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Split(args) => split::run(args),
    }
}
