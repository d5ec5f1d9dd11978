//! `vestnik tokenizer`: trains a tokenizer.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use vestnik_data::write_beside;
use vestnik_text::TokenizerTraining;

use crate::output::{note, refuse_existing, refuse_inputs};
use crate::{Outcome, threads};

/// Commands about tokenizers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Train a cased Unigram tokenizer on raw text
    Train(TrainArgs),
}

/// Arguments of `vestnik tokenizer train`.
#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// Raw text: JSON lines with a field `text`, or .txt, also .gz or .zst
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Number of pieces, special ones included
    #[arg(long, default_value_t = 32_000, value_name = "N", value_parser = threads::parse_count)]
    vocab_size: usize,
    /// Where to write tokenizer.json
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    /// Threads [default: number of cores]
    #[arg(long, value_name = "N", value_parser = threads::parse_threads)]
    threads: Option<usize>,
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Train(args) => train(args),
    }
}

fn train(args: &TrainArgs) -> Result<Outcome> {
    refuse_inputs([args.output.as_path()], &args.inputs)?;
    refuse_existing(&args.output, args.force)?;
    threads::set(args.threads)?;
    let training = TokenizerTraining {
        vocab_size: args.vocab_size,
        ..TokenizerTraining::default()
    };
    // The trainer takes texts; the first one that cannot be read ends them, and is the error.
    let mut failure = None;
    let texts = vestnik_data::read_texts(&args.inputs)
        .map_while(|text| text.map_err(|error| failure = Some(error)).ok());
    let trained = training.train(texts);
    if let Some(error) = failure {
        return Err(error.into());
    }
    let tokenizer = trained?;
    let json = tokenizer.to_json()?;
    write_beside(&args.output, |file| file.write_all(json.as_bytes()))?;
    note(&format!(
        "{} pieces in {}",
        tokenizer.vocab_size(),
        args.output.display()
    ));
    Ok(Outcome::Done)
}
