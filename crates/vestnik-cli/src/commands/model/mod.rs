//! `vestnik model`: looks at model directories, and makes them.

use anyhow::Result;

use crate::Outcome;

mod convert;
#[cfg(feature = "hub")]
mod fetch;
mod info;
mod int8;
mod logits;
mod transplant;

/// Commands about models.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show architecture, labels, size and limits of a model; exit code 1 if tensors are missing
    Info(info::Args),
    /// Measure what int8 costs each layer of a model, and keep those in f32 that lose too much
    Int8(int8::Args),
    /// Print what a model computes for a text: logits, or hidden states
    Logits(logits::Args),
    /// Make a model directory with safetensors from pytorch_model.bin (nothing in it is run), shards, or another number type
    Convert(convert::Args),
    /// Bring a model from the Hugging Face hub into the cache; prints its folder
    #[cfg(feature = "hub")]
    Fetch(fetch::Args),
    /// Give a pretrained encoder the vocabulary of another tokenizer
    Transplant(transplant::Args),
}

/// Runs the command.
pub(crate) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Info(args) => info::run(args),
        Command::Int8(args) => int8::run(args),
        Command::Logits(args) => logits::run(args),
        Command::Convert(args) => convert::run(args),
        #[cfg(feature = "hub")]
        Command::Fetch(args) => fetch::run(args),
        Command::Transplant(args) => transplant::run(args),
    }
}
