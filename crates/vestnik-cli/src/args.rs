//! The command line: one variant per command, each with its arguments in the file of the command.

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, classify, data, evaluate, merge, model, pretrain, serve, show, tag, tokenizer, train,
};

/// Reads news articles in many languages and says who and what is named.
#[derive(Debug, Parser)]
#[command(name = "vestnik", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Use no network: models of the Hugging Face hub must be in its cache already (as with HF_HUB_OFFLINE=1)
    #[arg(long, global = true)]
    pub(crate) offline: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tag articles: JSON lines, text files, folders or standard input
    Tag(tag::Args),
    /// Classify articles by any labels, with a model of natural language inference
    Classify(classify::Args),
    /// Answer over HTTP: tagging, classifying, and a page to try it on
    Serve(serve::Args),
    /// Merge the outputs of shards in the order of the input
    Merge(merge::Args),
    /// Make a page of tagged articles, or an overview of a run
    Show(show::Args),
    /// Measure how fast a model reads articles
    Bench(bench::Args),
    /// Measure a model on annotated data
    Evaluate(evaluate::Args),
    /// Fine-tune a model on annotated data
    Train(train::Args),
    /// Pretrain an encoder on raw text (masked language model)
    Pretrain(pretrain::Args),
    /// Look at a model directory, or make one
    #[command(subcommand)]
    Model(model::Command),
    /// Train a tokenizer
    #[command(subcommand)]
    Tokenizer(tokenizer::Command),
    /// Look at annotated data
    #[command(subcommand)]
    Data(data::Command),
}
