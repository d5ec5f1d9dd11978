//! Where tagged articles go, from a thread of its own: a stream, or parts that survive a kill.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use vestnik_data::{AtomicFile, Batch, Error, Identity, Manifest, Parts};

use super::making::Making;

use crate::failure::{Mistake, one_line};
use crate::output::{Output, refuse_existing};

/// Batches that wait while one is written.
const WAITING: usize = 2;
/// So much work may be lost with the power.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// Where the output goes and how an output that is there already is treated, as the command line says.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) output: Option<PathBuf>,
    pub(crate) errors: Option<PathBuf>,
    pub(crate) force: bool,
    pub(crate) resume: bool,
    pub(crate) making: Making,
}

/// An open place for batches.
pub(crate) enum Sink {
    /// Standard output, or a file that is no regular one.
    Stream {
        out: Output,
        errors: Option<Box<AtomicFile>>,
    },
    /// Parts beside the output.
    Parts {
        parts: Box<Parts>,
        output: PathBuf,
        errors: Option<PathBuf>,
        making: Box<Making>,
    },
}

impl Target {
    /// Refuses what cannot be written, before anything is read.
    ///
    /// # Errors
    /// An output exists, and neither `--force` nor `--resume` is given; a run was not ended, and nothing is said about it;
    /// `--resume` without an output.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(output) = self.output.as_deref() else {
            if self.resume {
                return Err(Mistake::new("--resume needs an output")
                    .hint("what goes to standard output cannot be continued: name a file with -o")
                    .into());
            }
            return self.refuse_existing_errors();
        };
        match self.unfinished()? {
            Some(_) if self.resume || self.force => Ok(()),
            Some(manifest) => Err(unfinished(output, &manifest)),
            None if self.resume && !self.force && self.making.is_made(output) => {
                // A kill may have come when all was done but for this.
                Parts::clear(&Parts::folder_of(output))?;
                Err(nothing_to_resume(output))
            }
            None => {
                self.making.refuse_existing(output, self.force)?;
                self.refuse_existing_errors()
            }
        }
    }

    fn refuse_existing_errors(&self) -> Result<()> {
        let errors = self.errors.as_deref();
        errors.map_or(Ok(()), |errors| refuse_existing(errors, self.force))
    }

    /// The run that was started and not ended.
    fn unfinished(&self) -> Result<Option<Manifest>> {
        let Some(output) = self.output.as_deref() else {
            return Ok(None);
        };
        match Parts::look(&Parts::folder_of(output)) {
            Err(_) if self.force => Ok(None),
            found => Ok(found?),
        }
    }

    /// Opens the place.
    ///
    /// # Errors
    /// As [`Parts::create`] and [`Parts::resume`].
    pub(crate) fn open(self, identity: impl FnOnce() -> Result<Identity>) -> Result<Sink> {
        let is_folder = self.making.format.is_folder();
        let regular =
            |path: &PathBuf| !path.exists() || path.is_file() || (is_folder && path.is_dir());
        let Some(output) = self.output.clone().filter(regular) else {
            let out = Output::open(self.output.as_deref(), self.force)?;
            let errors = self.errors.as_deref().map(AtomicFile::create).transpose()?;
            return Ok(Sink::Stream {
                out,
                errors: errors.map(Box::new),
            });
        };
        let folder = Parts::folder_of(&output);
        let packing = self.making.packing(&output);
        let parts = if self.resume && self.unfinished()?.is_some() {
            Parts::resume(&folder, &identity()?, packing).map_err(resuming)?
        } else {
            self.making.try_out(&output)?;
            Parts::create(&folder, identity()?, packing)?
        };
        Ok(Sink::Parts {
            parts: Box::new(parts),
            output,
            errors: self.errors,
            making: Box::new(self.making),
        })
    }
}

/// What can be done about a run that cannot be continued.
fn resuming(error: Error) -> anyhow::Error {
    let hint = match &error {
        Error::ChangedRun { .. } => {
            "give what the run was started with, or start again with --force"
        }
        Error::PartsInUse { .. } => "wait until it has ended",
        _ => "--force starts again",
    };
    Mistake::new(one_line(&error.into())).hint(hint).into()
}

fn nothing_to_resume(output: &Path) -> anyhow::Error {
    Mistake::new(format!(
        "{} exists, and no run of it is left to resume",
        output.display()
    ))
    .hint(
        "it is complete if a run made it: they appear whole or not at all; --force makes it again",
    )
    .into()
}

fn unfinished(output: &Path, manifest: &Manifest) -> anyhow::Error {
    let folder = Parts::folder_of(output);
    let articles = n_articles(manifest);
    let message = format!(
        "{} holds a run that was not ended, {articles} articles are done",
        folder.display()
    );
    Mistake::new(message)
        .hint("--resume goes on with it, --force starts again")
        .into()
}

impl Sink {
    /// What an earlier process has done.
    pub(crate) fn done(&self) -> Option<&Manifest> {
        match self {
            Self::Parts { parts, .. } if parts.manifest().n_records() > 0 => Some(parts.manifest()),
            _ => None,
        }
    }

    /// The lines that an earlier process has written.
    pub(crate) fn earlier_lines(
        &self,
    ) -> Box<dyn Iterator<Item = vestnik_data::Result<String>> + '_> {
        match self {
            Self::Parts { parts, .. } => Box::new(parts.lines_so_far()),
            Self::Stream { .. } => Box::new(std::iter::empty()),
        }
    }

    /// Whether lines say where their records were found.
    pub(crate) fn wants_places(&self) -> bool {
        matches!(self, Self::Parts { making, .. } if !making.joins_parts())
    }

    fn append(&mut self, batch: &Batch) -> Result<()> {
        match self {
            Self::Stream { out, errors } => {
                out.write_all(batch.lines.as_bytes())
                    .context("cannot write the output")?;
                if let Some(errors) = errors {
                    errors
                        .write_all(batch.errors.as_bytes())
                        .context("cannot write the errors")?;
                }
                // A reader at the other end of a pipe waits for whole articles, not for a full buffer.
                out.flush().context("cannot write the output")
            }
            Self::Parts { parts, .. } => Ok(parts.append(batch)?),
        }
    }

    fn commit(&mut self) -> Result<()> {
        match self {
            Self::Stream { .. } => Ok(()),
            Self::Parts { parts, .. } => Ok(parts.commit()?),
        }
    }

    /// Ends the output: what was written is now there under its name.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stream { out, errors } => {
                out.commit()?;
                errors.map_or(Ok(()), |errors| Ok(errors.commit()?))
            }
            Self::Parts {
                mut parts,
                output,
                errors,
                making,
            } => {
                parts.finish()?;
                if let Some(errors) = errors {
                    let mut file = AtomicFile::create(&errors)?;
                    parts.join_errors(&mut file)?;
                    file.commit()?;
                }
                making.make(&parts, &output)?;
                Ok(parts.remove()?)
            }
        }
    }

    /// Leaves nothing behind: there is no output.
    pub(crate) fn give_up(self) -> Result<()> {
        match self {
            Self::Stream { errors, .. } => errors.map_or(Ok(()), |errors| Ok(errors.commit()?)),
            Self::Parts { parts, errors, .. } => {
                if let Some(errors) = errors {
                    let mut file = AtomicFile::create(&errors)?;
                    parts.join_errors(&mut file)?;
                    file.commit()?;
                }
                Ok(parts.remove()?)
            }
        }
    }

    /// Leaves what was committed for another process. Gives the folder and the number of articles in it; `None`, and no
    /// folder, when there are none.
    pub(crate) fn leave(self) -> Result<Option<(PathBuf, u64)>> {
        let Self::Parts { parts, output, .. } = self else {
            return Ok(None);
        };
        let folder = Parts::folder_of(&output);
        let committed = Parts::look(&folder)?;
        let articles = committed.map_or(0, |manifest| n_articles(&manifest));
        if articles == 0 {
            parts.remove()?;
            return Ok(None);
        }
        Ok(Some((folder, articles)))
    }
}

fn n_articles(manifest: &Manifest) -> u64 {
    manifest
        .counts()
        .get("articles")
        .copied()
        .unwrap_or_default()
}

/// Writes in the background.
pub(crate) struct Writer {
    sender: SyncSender<Batch>,
    thread: JoinHandle<(Sink, Result<()>)>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(sink: Sink) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = thread::spawn(move || write_all(sink, &receiver));
        Self { sender, thread }
    }

    /// Hands a batch over. Whether that went well is seen at the end; says whether there is any use in going on.
    pub(crate) fn send(&self, batch: Batch) -> bool {
        self.sender.send(batch).is_ok()
    }

    /// Waits until all is written, and committed where that is possible.
    pub(crate) fn end(self) -> Result<(Sink, Result<()>)> {
        drop(self.sender);
        self.thread
            .join()
            .map_err(|_| anyhow!("the writing thread failed"))
    }
}

fn write_all(mut sink: Sink, batches: &Receiver<Batch>) -> (Sink, Result<()>) {
    let mut committed = Instant::now();
    let mut dirty = false;
    let written = loop {
        match batches.recv_timeout(COMMIT_INTERVAL) {
            Ok(batch) => match sink.append(&batch) {
                Ok(()) => dirty = true,
                Err(error) => break Err(error),
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break sink.commit(),
        }
        if dirty && committed.elapsed() >= COMMIT_INTERVAL {
            if let Err(error) = sink.commit() {
                break Err(error);
            }
            (committed, dirty) = (Instant::now(), false);
        }
    };
    (sink, written)
}
