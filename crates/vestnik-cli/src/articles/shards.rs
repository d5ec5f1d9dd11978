//! What is kept beside the output of a shard, so that all of them can be merged in the order of the input.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use vestnik_data::{Identity, Shard, write_beside};

use crate::failure::Mistake;

const FORMAT_VERSION: u32 = 1;

/// What `OUT.shard.json` says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardRecord {
    format_version: u32,
    /// `I/N`.
    shard: String,
    /// What made the run.
    pub(crate) identity: Identity,
    /// How many records of the input lie before each line of the output and behind the line before it.
    gaps: Vec<u64>,
}

/// The file beside an output.
pub(crate) fn path_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".shard.json");
    name.into()
}

/// Writes the file of a shard whose lines come from the records of these numbers.
pub(super) fn write(
    output: &Path,
    shard: Shard,
    mut identity: Identity,
    numbers: Vec<u64>,
) -> Result<()> {
    identity.0.remove("--shard");
    let mut before = 0;
    let gap = |number: u64| number - std::mem::replace(&mut before, number);
    let record = ShardRecord {
        format_version: FORMAT_VERSION,
        shard: shard.to_string(),
        identity,
        gaps: numbers.into_iter().map(gap).collect(),
    };
    let json = serde_json::to_string(&record)?;
    Ok(write_beside(&path_of(output), |out| {
        writeln!(out, "{json}")
    })?)
}

impl ShardRecord {
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
