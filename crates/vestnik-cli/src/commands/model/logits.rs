//! `vestnik model logits`: what a model computes for texts or token ids, number by number.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use vestnik_core::OffsetUnit;

use crate::output::Output;
use crate::{Outcome, model};

use computer::{Computer, Numbers};
use sequence::Sequence;

mod computer;
mod sequence;
mod table;

/// Arguments of `vestnik model logits`.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("input").required(true),
    override_usage = "vestnik model logits <DIR|ID> <FILE|--text <TEXT>|--ids <FILE>> [OPTIONS]"
)]
pub(crate) struct Args {
    /// Model directory, or the name of the model built into the program
    #[arg(value_name = "DIR|ID")]
    model: String,
    /// File with a text, or with JSON lines {"text", "pair"?} when its name ends with .jsonl
    #[arg(value_name = "FILE", group = "input")]
    file: Option<PathBuf>,
    /// A text
    #[arg(long, value_name = "TEXT", group = "input")]
    text: Option<String>,
    /// The text that --text is paired with
    #[arg(long, value_name = "TEXT", requires = "text")]
    pair: Option<String>,
    /// File with token ids, special ones included, as JSON lines {"ids", "type_ids"?}; needs no tokenizer
    #[arg(long, value_name = "FILE", group = "input")]
    ids: Option<PathBuf>,
    /// The hidden states of the last layer instead of logits: needs no head
    #[arg(long, requires = "json")]
    hidden: bool,
    /// Print a JSON object for each text
    #[arg(long)]
    json: bool,
    /// Unit of offsets: char (Unicode code points), byte (UTF-8) or utf16
    #[arg(long, default_value_t, value_name = "UNIT")]
    offset_unit: OffsetUnit,
}

/// What is told of a sequence.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    sequence: &'a Sequence,
    /// Names of the outputs.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    labels: &'a [String],
    #[serde(flatten)]
    numbers: &'a Numbers,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let dir = model::directory(Some(&args.model))?;
    let computer = Computer::load(&dir, args.hidden)?;
    let sequences = sequence::read(args, &dir)?;
    computer.check(&sequences)?;
    let mut out = Output::open(None, false)?;
    for batch in computer.batches(&sequences) {
        for (sequence, numbers) in batch.iter().zip(computer.compute(batch)?) {
            let line = told(args, &computer, sequence, &numbers)?;
            writeln!(out, "{line}").context("cannot write to standard output")?;
        }
    }
    out.commit()?;
    Ok(Outcome::Done)
}

fn told(
    args: &Args,
    computer: &Computer,
    sequence: &Sequence,
    numbers: &Numbers,
) -> Result<String> {
    if !args.json {
        return Ok(table::of(sequence, computer, numbers));
    }
    let answer = Answer {
        sequence,
        labels: computer.labels(),
        numbers,
    };
    Ok(serde_json::to_string(&answer)?)
}
