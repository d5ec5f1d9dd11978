//! Annotated data for training and evaluation: read whole, every defect told before anything is computed.

use std::fmt::Display;
use std::path::Path;

use anyhow::Result;
use vestnik_core::Document;
use vestnik_data::{Format, ReadOptions, Records};

use crate::failure::Mistake;
use crate::output::note;

/// Most defects that are told; the number of all is told in any case.
const TOLD: usize = 100;

/// Defects of the data of one command.
#[derive(Debug, Default)]
pub(crate) struct Defects {
    told: Vec<String>,
    count: usize,
}

impl Defects {
    /// Adds a defect.
    pub(crate) fn add(&mut self, defect: impl Display) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(defect.to_string());
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Tells all defects; a single one is told in the error itself.
    ///
    /// # Errors
    /// There are defects.
    pub(crate) fn refuse(&self) -> Result<()> {
        match self.told.as_slice() {
            [] => Ok(()),
            [defect] => Err(Mistake::new(defect).into()),
            defects => {
                defects.iter().for_each(|defect| note(defect));
                let rest = match self.count - defects.len() {
                    0 => String::new(),
                    rest => format!(" ({rest} of them not shown)"),
                };
                Err(
                    Mistake::new(format!("the data have {} defects{rest}", self.count))
                        .hint("vestnik data check lists those of a file")
                        .into(),
                )
            }
        }
    }
}

/// Reads annotated files and gathers the defects of all.
#[derive(Debug)]
pub(crate) struct Reading {
    defects: Defects,
    flat: bool,
}

impl Reading {
    /// For evaluation: entities may overlap.
    pub(crate) fn nested() -> Self {
        Self {
            defects: Defects::default(),
            flat: false,
        }
    }

    /// For training: tags cannot express entities that overlap, so they are defects.
    pub(crate) fn flat() -> Self {
        Self {
            flat: true,
            ..Self::nested()
        }
    }

    /// The sound documents of a file, whose format shows.
    pub(crate) fn read(&mut self, path: &Path) -> Vec<Document> {
        self.read_as(path, None)
    }

    /// The sound documents of a file of a format; `None`: it shows.
    pub(crate) fn read_as(&mut self, path: &Path, format: Option<Format>) -> Vec<Document> {
        let options = ReadOptions {
            format,
            ..ReadOptions::default()
        };
        let corpus = match vestnik_data::read_corpus(path, &options) {
            Ok(corpus) => corpus,
            Err(error) => {
                self.defects.add(crate::failure::one_line(&error.into()));
                return Vec::new();
            }
        };
        corpus
            .issues
            .iter()
            .for_each(|issue| self.defects.add(issue));
        if self.flat {
            corpus
                .overlaps()
                .iter()
                .for_each(|issue| self.defects.add(issue));
        }
        if corpus.documents.is_empty() && corpus.issues.is_empty() {
            self.defects
                .add(format!("{}: no documents in this file", path.display()));
        }
        corpus.documents
    }

    /// The records of a file of another task; `None` when it has defects.
    pub(crate) fn records<T>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> vestnik_data::Result<Records<T>>,
    ) -> Option<Vec<T>> {
        match read(path) {
            Err(error) => self.defects.add(crate::failure::one_line(&error.into())),
            Ok(records) if !records.issues.is_empty() => {
                records
                    .issues
                    .iter()
                    .for_each(|issue| self.defects.add(issue));
            }
            Ok(records) if records.records.is_empty() => {
                let message = format!("{}: no records in this file", path.display());
                self.defects.add(message);
            }
            Ok(records) => return Some(records.records),
        }
        None
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// There are defects; they have been told.
    pub(crate) fn finish(self) -> Result<()> {
        self.defects.refuse()
    }
}
