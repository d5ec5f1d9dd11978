//! Files that are written from beginning to end.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use crate::error::{Error, Result};

/// A file that is written from beginning to end.
#[derive(Debug)]
pub(crate) struct Stream {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Stream {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(Error::io("write", &self.path))
    }

    /// Hands the rest to the system.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }
}
