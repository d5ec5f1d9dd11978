//! `vestnik model transplant`: a pretrained encoder with the vocabulary of another tokenizer.

use std::path::PathBuf;

use anyhow::Result;
use vestnik_model::{DType, ModelDir, TOKENIZER_FILE, make_directory, transplant};
use vestnik_text::Tokenizer;

use crate::Outcome;
use crate::failure::Mistake;
use crate::output::note;

/// Arguments of `vestnik model transplant`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model directory of the pretrained encoder
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The new tokenizer
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Model directory to make
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Seed of the embeddings that are drawn afresh
    #[arg(long, default_value_t = 42, value_name = "N")]
    seed: u64,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    if args.output.exists() {
        let message = format!("{} exists", args.output.display());
        return Err(Mistake::new(message).hint("name another directory").into());
    }
    let donor = ModelDir::open(&args.from)?;
    let tokenizer = Tokenizer::from_file(&args.tokenizer)?;
    let model = transplant(&donor, &tokenizer, args.seed)?;
    make_directory(&args.output, |dir| -> Result<()> {
        tokenizer.save(&dir.join(TOKENIZER_FILE))?;
        Ok(model.save(dir, DType::F32)?)
    })?;
    note(&format!(
        "{} of {} embeddings carried over to {}",
        model.n_carried,
        tokenizer.vocab_size(),
        args.output.display()
    ));
    Ok(Outcome::Done)
}
