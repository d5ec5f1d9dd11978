//! `vestnik merge`: the outputs of all shards as one, in the order of the input.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::read_lines;

use crate::Outcome;
use crate::articles::shards::ShardRecord;
use crate::failure::Mistake;
use crate::output::{Output, note};

/// Arguments of `vestnik merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outputs of `tag --shard 1/N` to `tag --shard N/N` as JSON lines, in any order
    #[arg(value_name = "TAGGED", required = true)]
    shards: Vec<PathBuf>,
    /// Write to FILE (.jsonl, also .gz, .zst, .bz2 or .xz) [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
}

/// Merges: the result is that of a run without shards.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let records: Vec<ShardRecord> = args
        .shards
        .iter()
        .map(|path| ShardRecord::read(path))
        .collect::<Result<_>>()?;
    check_all_there(&args.shards, &records)?;
    check_same_run(&args.shards, &records)?;
    let mut output = Output::open(args.output.as_deref(), args.force)?;
    let mut shards: Vec<Open<'_>> = args
        .shards
        .iter()
        .zip(&records)
        .map(Open::new)
        .collect::<Result<_>>()?;
    let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for (place, shard) in shards.iter_mut().enumerate() {
        next.extend(shard.numbers.next().map(|number| Reverse((number, place))));
    }
    let mut n_lines = 0_u64;
    while let Some(Reverse((_, place))) = next.pop() {
        let shard = &mut shards[place];
        writeln!(output, "{}", shard.next_line()?).context("cannot write the output")?;
        next.extend(shard.numbers.next().map(|number| Reverse((number, place))));
        n_lines += 1;
    }
    shards.iter_mut().try_for_each(Open::check_end)?;
    output.commit()?;
    note(&format!(
        "{n_lines} articles of {} shards",
        args.shards.len()
    ));
    Ok(Outcome::Done)
}

/// An output that is being read.
struct Open<'a> {
    path: &'a Path,
    numbers: Box<dyn Iterator<Item = u64> + 'a>,
    lines: Box<dyn Iterator<Item = vestnik_data::Result<String>>>,
    n_lines: usize,
}

impl<'a> Open<'a> {
    fn new((path, record): (&'a PathBuf, &'a ShardRecord)) -> Result<Self> {
        Ok(Self {
            path,
            numbers: Box::new(record.numbers()),
            lines: Box::new(read_lines(path)?),
            n_lines: record.n_lines(),
        })
    }

    fn wrong(&self) -> anyhow::Error {
        let message = format!(
            "{} has not the {} lines that its shard has",
            self.path.display(),
            self.n_lines
        );
        Mistake::new(message)
            .hint("was it changed, or does it belong to another shard?")
            .into()
    }

    fn next_line(&mut self) -> Result<String> {
        match self.lines.next() {
            Some(line) => Ok(line?),
            None => Err(self.wrong()),
        }
    }

    fn check_end(&mut self) -> Result<()> {
        match self.lines.next() {
            Some(_) => Err(self.wrong()),
            None => Ok(()),
        }
    }
}

fn check_all_there(paths: &[PathBuf], records: &[ShardRecord]) -> Result<()> {
    let n_shards = records[0].shard()?.of();
    let mut found: Vec<Option<&Path>> = vec![None; n_shards as usize];
    for (path, record) in paths.iter().zip(records) {
        let shard = record.shard()?;
        if shard.of() != n_shards {
            let message = format!(
                "{} is shard {shard}, {} is one of {n_shards}",
                path.display(),
                paths[0].display()
            );
            return Err(Mistake::new(message)
                .hint("merge shards of one division")
                .into());
        }
        let place = &mut found[shard.index() as usize - 1];
        if let Some(other) = place.replace(path) {
            let message = format!(
                "{} and {} are both shard {shard}",
                other.display(),
                path.display()
            );
            return Err(Mistake::new(message).into());
        }
    }
    let missing: Vec<String> = (1..)
        .zip(&found)
        .filter(|(_, path)| path.is_none())
        .map(|(index, _)| format!("{index}/{n_shards}"))
        .collect();
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(
            Mistake::new(format!("missing: shard {}", missing.join(", ")))
                .hint("name the outputs of all shards")
                .into(),
        ),
    }
}

fn check_same_run(paths: &[PathBuf], records: &[ShardRecord]) -> Result<()> {
    for (path, record) in paths.iter().zip(records).skip(1) {
        if let Some(difference) = records[0].identity.differences(&record.identity).first() {
            let message = format!(
                "{} and {} are not of the same run: {difference}",
                paths[0].display(),
                path.display()
            );
            return Err(Mistake::new(message).into());
        }
    }
    Ok(())
}
