//! Where the data goes: standard output, or a file that appears whole or not at all.

use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vestnik_data::{AtomicFile, place_of};

use crate::failure::Mistake;

/// An open output.
pub(crate) enum Output {
    Stdout(BufWriter<Stdout>),
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
                io::stdout(),
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

/// Refuses outputs that are inputs, or each other, which not even `--force` may overwrite.
///
/// # Errors
/// The first such output.
pub(crate) fn refuse_inputs<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: &[PathBuf],
) -> Result<()> {
    let stdout = file_of_stdout();
    let outputs: Vec<&Path> = outputs
        .into_iter()
        .filter(|path| !path.exists() || path.is_file())
        .collect();
    let inputs: Vec<PathBuf> = inputs.iter().map(|path| place_of(path)).collect();
    for (index, output) in outputs.iter().enumerate() {
        let place = place_of(output);
        if outputs[..index]
            .iter()
            .any(|other| place_of(other) == place)
        {
            let message = format!("{} is named for two outputs", output.display());
            return Err(Mistake::new(message).hint("name two files").into());
        }
    }
    let mut all = outputs.into_iter().chain(stdout.as_deref());
    match all.find(|output| inputs.contains(&place_of(output))) {
        None => Ok(()),
        Some(output) => {
            let message = format!("{} is an input and an output", output.display());
            Err(Mistake::new(message)
                .hint("name another output; --force is for those of earlier runs")
                .into())
        }
    }
}

/// The file that standard output is sent to, if it is one.
pub(crate) fn file_of_stdout() -> Option<PathBuf> {
    let path = Path::new("/dev/stdout").canonicalize().ok()?;
    path.is_file().then_some(path)
}

/// An output that exists is only replaced when told to.
pub(crate) fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        return Err(Mistake::new(format!("{} is a folder", path.display()))
            .hint("name a file to write")
            .into());
    }
    // Devices and pipes are never in the way.
    if !force && path.is_file() {
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
