//! What is made of the parts of a run when it ends.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_data::{
    AtomicFile, OutputFormat, OutputOptions, Packing, Parts, Shard, record_numbers, write_mentions,
    write_output,
};

use super::shards::{Content, ShardRecord};
use crate::commands::data::segments;
use crate::failure::Mistake;
use crate::output::{note, refuse_existing};

/// What to make.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) format: OutputFormat,
    pub(crate) entities_table: Option<PathBuf>,
    pub(crate) shard: Option<Shard>,
    pub(crate) text_fields: Vec<String>,
    pub(crate) inputs: Vec<PathBuf>,
}

impl Making {
    /// Whether the parts need only be joined.
    pub(crate) fn joins_parts(&self) -> bool {
        self.format == OutputFormat::JsonLines
            && self.entities_table.is_none()
            && self.shard.is_none()
    }

    pub(crate) fn packing(&self, output: &Path) -> Packing {
        match self.joins_parts() {
            true => Packing::of_output(output),
            false => Packing::compact(),
        }
    }

    /// Refuses outputs that exist, unless `force` is set; a folder must be empty in any case.
    pub(crate) fn refuse_existing(&self, output: &Path, force: bool) -> Result<()> {
        if let Some(table) = &self.entities_table {
            refuse_existing(table, force)?;
        }
        if !self.format.is_folder() {
            return refuse_existing(output, force);
        }
        match self.is_made(output) {
            false => Ok(()),
            true => Err(Mistake::new(format!(
                "{} exists and is no empty folder",
                output.display()
            ))
            .hint(format!(
                "{} is a folder of files: name a new one",
                self.format
            ))
            .into()),
        }
    }

    /// Whether there is an output already.
    pub(crate) fn is_made(&self, output: &Path) -> bool {
        let holds_files =
            || std::fs::read_dir(output).is_ok_and(|mut files| files.next().is_some());
        output.is_file() || (self.format.is_folder() && holds_files())
    }

    /// Says early what would be in the way at the end.
    pub(crate) fn try_out(&self, output: &Path) -> Result<()> {
        let files = (!self.format.is_folder()).then_some(output).into_iter();
        for file in files.chain(self.entities_table.as_deref()) {
            drop(AtomicFile::create_as_is(file)?);
        }
        Ok(())
    }

    /// Makes the outputs of closed parts.
    pub(crate) fn make(&self, parts: &Parts, output: &Path) -> Result<()> {
        if self.joins_parts() {
            return Ok(parts.write_output(output)?);
        }
        let lines = || -> Box<dyn Iterator<Item = vestnik_data::Result<String>> + '_> {
            Box::new(parts.lines())
        };
        let options = OutputOptions {
            text_fields: &self.text_fields,
            segmenter: &segments,
            inputs: &self.inputs,
        };
        let losses = write_output(&lines, self.format, output, &options)?;
        for (loss, n_times) in losses {
            note(&format!("not kept ({n_times} times): {loss}"));
        }
        if let Some(table) = &self.entities_table {
            write_mentions(&lines, table)?;
        }
        if let Some(shard) = self.shard {
            let identity = parts.manifest().identity().clone();
            let mut record = ShardRecord::new(shard, identity, record_numbers(&lines)?);
            record.write(output, Content::of(self.format))?;
            if let Some(table) = &self.entities_table {
                record.write(table, Content::Mentions)?;
            }
        }
        Ok(())
    }
}
