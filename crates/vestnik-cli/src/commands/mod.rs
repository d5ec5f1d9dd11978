//! The commands, one file each.

use anyhow::Result;

use crate::args::{Cli, Command};
use crate::{Outcome, hub};

pub(crate) mod bench;
pub(crate) mod classify;
pub(crate) mod data;
pub(crate) mod evaluate;
pub(crate) mod model;
pub(crate) mod pretrain;
pub(crate) mod serve;
pub(crate) mod tag;
pub(crate) mod tokenizer;
pub(crate) mod train;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> Result<Outcome> {
    hub::set_offline(cli.offline);
    match cli.command {
        Command::Tag(args) => tag::run(args),
        Command::Bench(args) => bench::run(&args),
        Command::Classify(args) => classify::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Pretrain(args) => pretrain::run(&args),
        Command::Model(command) => model::run(&command),
        Command::Tokenizer(command) => tokenizer::run(&command),
        Command::Data(command) => data::run(&command),
    }
}
