//! Where the data goes: standard output, or a file that appears whole or not at all.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::Path;

use anyhow::{Context, Result};
use vestnik_data::AtomicFile;

use crate::failure::Mistake;

/// An open output.
pub(crate) enum Output {
    Stdout(BufWriter<StdoutLock<'static>>),
    File(Box<AtomicFile>),
}

impl Output {
    /// Opens `path`, or standard output without one.
    ///
    /// # Errors
    /// The file exists and `force` is off; it cannot be created.
    pub(crate) fn open(path: Option<&Path>, force: bool) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(
                1 << 16,
                io::stdout().lock(),
            )));
        };
        refuse_existing(path, force)?;
        let file = AtomicFile::create(path)?;
        Ok(Self::File(Box::new(file)))
    }

    /// Ends the output: what was written is now there under its name.
    pub(crate) fn commit(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => out.flush().context("cannot write to standard output"),
            Self::File(file) => Ok(file.commit()?),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(buffer),
            Self::File(file) => file.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

/// An output that exists is only replaced when told to.
pub(crate) fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        return Err(Mistake::new(format!("{} is a folder", path.display()))
            .hint("name a file to write")
            .into());
    }
    if !force && path.exists() {
        return Err(Mistake::new(format!("{} exists", path.display()))
            .hint("--force overwrites it")
            .into());
    }
    Ok(())
}

/// Prints `text` and a line end to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// Prints a line to standard error; if nobody can read it there is nobody to tell.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
