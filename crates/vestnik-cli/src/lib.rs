//! The program `vestnik`: wiring, progress, messages and exit codes. Nothing reusable lives here.
//!
//! Data goes to standard output, everything else to standard error. The exit code is 0 when all was done,
//! 1 when it was done with findings (records set aside, defects found) and 2 when it failed.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

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
    let cli = args::Cli::parse();
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
