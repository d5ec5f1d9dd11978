//! `vestnik model transplant`: a pretrained encoder with the vocabulary of another tokenizer.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_model::{DType, ModelDir, TOKENIZER_FILE, transplant};
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
    make_directory(&args.output, |dir| {
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

/// Fills a directory beside `target` and renames it, so that it is there whole or not at all.
fn make_directory(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let cannot_write = || format!("cannot write {}", target.display());
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let dir = tempfile::tempdir_in(parent).with_context(cannot_write)?;
    let partial = dir.path().join("model");
    std::fs::create_dir(&partial).with_context(cannot_write)?;
    fill(&partial)?;
    std::fs::rename(&partial, target).with_context(cannot_write)
}
