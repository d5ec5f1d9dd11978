//! What is kept beside the output of a shard, so that all of them can be merged in the order of the input.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use vestnik_data::{Format, Identity, OutputFormat, Shard, write_beside};

use crate::failure::Mistake;

const FORMAT_VERSION: u32 = 1;

/// What `OUT.shard.json` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardRecord {
    format_version: u32,
    /// `I/N`.
    shard: String,
    /// What the output is made of.
    pub(crate) content: Content,
    /// What made the run.
    pub(crate) identity: Identity,
    /// How many records of the input lie before each line of the output and behind the line before it.
    gaps: Vec<u64>,
}

/// What an output is made of, as far as merging goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Content {
    /// A line an article.
    Lines,
    /// A row of Parquet an article.
    Rows,
    /// A row of CSV or Parquet a mention.
    Mentions,
    /// Something that belongs together in other ways.
    Whole,
}

impl Content {
    pub(super) fn of(format: OutputFormat) -> Self {
        match format {
            OutputFormat::JsonLines
            | OutputFormat::Spacy
            | OutputFormat::Annotated(Format::Doccano) => Self::Lines,
            OutputFormat::Parquet => Self::Rows,
            OutputFormat::Csv => Self::Mentions,
            _ => Self::Whole,
        }
    }
}

/// The file beside an output.
pub(crate) fn path_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".shard.json");
    name.into()
}

impl ShardRecord {
    /// That of a shard whose articles come from the records of these numbers.
    pub(super) fn new(shard: Shard, mut identity: Identity, numbers: Vec<u64>) -> Self {
        // What is not the same for all shards.
        identity.0.remove("--shard");
        identity.0.remove("--entities-table");
        let mut before = 0;
        let gap = |number: u64| number - std::mem::replace(&mut before, number);
        Self {
            format_version: FORMAT_VERSION,
            shard: shard.to_string(),
            content: Content::Whole,
            identity,
            gaps: numbers.into_iter().map(gap).collect(),
        }
    }

    /// Writes it beside an output.
    pub(super) fn write(&mut self, output: &Path, content: Content) -> Result<()> {
        self.content = content;
        let json = serde_json::to_string(self)?;
        Ok(write_beside(&path_of(output), |out| {
            writeln!(out, "{json}")
        })?)
    }

    /// Reads the file beside an output.
    ///
    /// # Errors
    /// There is none, or it is not understood.
    pub(crate) fn read(output: &Path) -> Result<Self> {
        let path = path_of(output);
        if !path.exists() {
            return Err(Mistake::new(format!("{}: no such file", path.display()))
                .hint(format!(
                    "{} must come from a run with --shard that has ended",
                    output.display()
                ))
                .into());
        }
        let json =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let record: Self = serde_json::from_slice(&json)
            .map_err(|error| Mistake::new(format!("{}: {error}", path.display())))?;
        if record.format_version != FORMAT_VERSION {
            let found = record.format_version;
            let message = format!(
                "{} has format_version {found}, this version reads {FORMAT_VERSION}",
                path.display()
            );
            return Err(Mistake::new(message).into());
        }
        Ok(record)
    }

    pub(crate) fn shard(&self) -> Result<Shard> {
        self.shard.parse().map_err(|expected| {
            Mistake::new(format!("shard {}, expected {expected}", self.shard)).into()
        })
    }

    /// The numbers of the records of the lines, in their order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.gaps.iter().scan(0, |number, gap| {
            *number += gap;
            Some(*number)
        })
    }

    pub(crate) fn n_lines(&self) -> usize {
        self.gaps.len()
    }
}
