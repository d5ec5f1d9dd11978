//! `vestnik model fetch`: brings a model from the Hugging Face hub into the cache.

use anyhow::Result;
use serde::Serialize;
use vestnik_hub::Weights;

use crate::Outcome;
use crate::hub;
use crate::output::print;
use crate::progress::ProgressMode;

/// Arguments of `vestnik model fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name on the hub: ORG/NAME, or ORG/NAME@REVISION with a branch, a tag or a commit hash
    #[arg(value_name = "NAME")]
    name: String,
    /// Fetch pytorch_model.bin instead of model.safetensors, for vestnik model convert
    #[arg(long)]
    pickle: bool,
    /// Print a JSON object instead of the folder
    #[arg(long)]
    json: bool,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    model: &'a str,
    revision: &'a str,
    commit: &'a str,
    path: String,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    bytes: u64,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let weights = if args.pickle {
        Weights::Pickle
    } else {
        Weights::Safetensors
    };
    let (model, snapshot) = hub::fetch(&args.name, weights, args.progress)?;
    let path = snapshot.path.display().to_string();
    print(&if args.json {
        let files = snapshot.files.iter().map(|file| File {
            name: &file.name,
            bytes: file.size,
        });
        serde_json::to_string(&Report {
            model: model.id(),
            revision: model.revision(),
            commit: &snapshot.commit,
            path,
            files: files.collect(),
        })?
    } else {
        path
    })?;
    Ok(if hub::tell_missing_tokenizer(&model, &snapshot) {
        Outcome::Findings
    } else {
        Outcome::Done
    })
}
