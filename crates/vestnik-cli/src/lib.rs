//! The program `vestnik`: wiring, progress, messages and exit codes. Nothing reusable lives here.
//!
//! Data goes to standard output, everything else to standard error. The exit code is 0 when all was done,
//! 1 when it was done with findings (records set aside, defects found) and 2 when it failed.

use std::io::Write;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, FromArgMatches};

mod args;
mod articles;
mod commands;
mod corpus;
mod device;
mod environment;
mod failure;
mod hub;
mod labelled;
mod model;
mod output;
mod progress;
mod report;
mod texts;
mod threads;
mod training;

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was done: exit code 0.
    Done,
    /// Done, with findings that were told on standard error or in the output: exit code 1.
    Findings,
}

/// Parses the command line, runs the command and gives the exit code of the program.
///
/// A reader of standard output that goes away early (`vestnik tag … | head`) is no failure: exit code 0.
#[must_use]
pub fn main() -> ExitCode {
    let matches = with_negative_numbers(args::Cli::command()).get_matches();
    let cli = args::Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if matches!(
        cli.command,
        args::Command::Train(_) | args::Command::Pretrain(_)
    ) {
        environment::settle_for_training();
    }
    match commands::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) if failure::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = std::io::stderr().write_all(failure::render(&error).as_bytes());
            ExitCode::from(2)
        }
    }
}

/// Takes `-3` behind an option for its value, so that what is told is that the value is wrong, not that there is no option `-3`.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let is_option = !arg.is_positional();
        arg.allow_negative_numbers(takes_value && is_option)
    });
    command.mut_subcommands(with_negative_numbers)
}
