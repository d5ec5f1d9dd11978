//! `vestnik merge`: the outputs of all shards as one, in the order of the input.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::{Error, OutputFormat, merge_mentions, merge_tables, read_lines};

use crate::Outcome;
use crate::articles::shards::{Content, ShardRecord};
use crate::failure::Mistake;
use crate::output::{Output, note, refuse_existing, refuse_inputs};

/// Missing shards that an error names.
const MOST_NAMED: usize = 20;

/// Arguments of `vestnik merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Outputs of `tag --shard 1/N` to `tag --shard N/N`, in any order: JSON lines, Parquet, or tables of mentions
    #[arg(value_name = "TAGGED", required = true)]
    shards: Vec<PathBuf>,
    /// Write to FILE, of the format of the shards (also .gz, .zst, .bz2 or .xz) [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
}

/// Merges: the result is that of a run without shards.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    refuse_inputs(args.output.as_deref(), &args.shards)?;
    let records: Vec<ShardRecord> = args
        .shards
        .iter()
        .map(|path| ShardRecord::read(path))
        .collect::<Result<_>>()?;
    check_all_there(&args.shards, &records)?;
    check_same_run(&args.shards, &records)?;
    let content = records[0].content;
    check_can_be_merged(args, content)?;
    let n_articles = match content {
        Content::Lines | Content::Whole => merge_lines(args, &records)?,
        Content::Rows => merge_tables(&args.shards, order(&records), table(args)?).map_err(told)?,
        Content::Mentions => {
            merge_mentions(&args.shards, order(&records), table(args)?).map_err(told)?
        }
    };
    note(&format!(
        "{n_articles} articles of {} shards",
        args.shards.len()
    ));
    Ok(Outcome::Done)
}

/// For each article of the whole the place of the shard that has it.
fn order(records: &[ShardRecord]) -> impl Iterator<Item = usize> {
    let mut numbers: Vec<_> = records.iter().map(ShardRecord::numbers).collect();
    let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for (place, numbers) in numbers.iter_mut().enumerate() {
        next.extend(numbers.next().map(|number| Reverse((number, place))));
    }
    std::iter::from_fn(move || {
        let Reverse((_, place)) = next.pop()?;
        next.extend(numbers[place].next().map(|number| Reverse((number, place))));
        Some(place)
    })
}

fn merge_lines(args: &Args, records: &[ShardRecord]) -> Result<u64> {
    let mut output = Output::open(args.output.as_deref(), args.force)?;
    let shards = args.shards.iter().zip(records);
    let mut shards: Vec<Open<'_>> = shards.map(Open::new).collect::<Result<_>>()?;
    let mut n_lines = 0;
    for place in order(records) {
        writeln!(output, "{}", shards[place].next_line()?).context("cannot write the output")?;
        n_lines += 1;
    }
    shards.iter_mut().try_for_each(Open::check_end)?;
    output.commit()?;
    Ok(n_lines)
}

/// The place of a table.
fn table(args: &Args) -> Result<&Path> {
    let Some(output) = args.output.as_deref() else {
        return Err(Mistake::new("a table cannot be written to standard output")
            .hint("name a file with -o")
            .into());
    };
    refuse_existing(output, args.force)?;
    Ok(output)
}

/// What can be done about tables that do not fit.
fn told(error: Error) -> anyhow::Error {
    let hint = match &error {
        Error::ShardColumns { .. } => {
            "the values of each shard decide about its types: tag the shards to JSON lines, and merge those"
        }
        Error::ShardRows { .. } => "was it changed, or does it belong to another shard?",
        _ => return error.into(),
    };
    Mistake::new(error.to_string()).hint(hint).into()
}

fn check_can_be_merged(args: &Args, content: Content) -> Result<()> {
    let path = |path: &Path| path.display().to_string();
    if content == Content::Whole {
        let message = format!(
            "{} is of a format that cannot be merged",
            path(&args.shards[0])
        );
        return Err(Mistake::new(message)
            .hint("tag the shards to JSON lines, Parquet or CSV")
            .into());
    }
    // Lines may have any name, such as those of doccano.
    let (format, named) = match content {
        Content::Lines => (OutputFormat::JsonLines, &[][..]),
        _ => (OutputFormat::of_output(&args.shards[0]), &args.shards[..]),
    };
    let is_other = |path: &&PathBuf| OutputFormat::of_output(path) != format;
    match named.iter().chain(&args.output).find(is_other) {
        None => Ok(()),
        Some(other) => {
            let message = format!("{} cannot become {}", path(&args.shards[0]), path(other));
            Err(Mistake::new(message)
                .hint("merging keeps the format of the shards")
                .into())
        }
    }
}

/// An output that is being read.
struct Open<'a> {
    path: &'a Path,
    lines: Box<dyn Iterator<Item = vestnik_data::Result<String>>>,
    n_lines: usize,
}

impl<'a> Open<'a> {
    fn new((path, record): (&'a PathBuf, &'a ShardRecord)) -> Result<Self> {
        Ok(Self {
            path,
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
    let mut found: BTreeMap<u64, &Path> = BTreeMap::new();
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
        if let Some(other) = found.insert(shard.index(), path) {
            let message = format!(
                "{} and {} are both shard {shard}",
                other.display(),
                path.display()
            );
            return Err(Mistake::new(message).into());
        }
    }
    let missing = (1..=n_shards).filter(|index| !found.contains_key(index));
    let names: Vec<String> = missing
        .take(MOST_NAMED + 1)
        .map(|index| format!("{index}/{n_shards}"))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let more = if names.len() > MOST_NAMED {
        " and others"
    } else {
        ""
    };
    let named = names[..names.len().min(MOST_NAMED)].join(", ");
    Err(Mistake::new(format!("missing: shard {named}{more}"))
        .hint("name the outputs of all shards")
        .into())
}

fn check_same_run(paths: &[PathBuf], records: &[ShardRecord]) -> Result<()> {
    for (path, record) in paths.iter().zip(records).skip(1) {
        if record.content != records[0].content {
            let message = format!(
                "{} and {} hold different things",
                paths[0].display(),
                path.display()
            );
            return Err(Mistake::new(message).into());
        }
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
