//! Output that survives a kill: lines in parts beside their place, and a manifest that says how far they are sound.
//!
//! A folder holds `manifest.json`, the parts `part-000000.jsonl`, … and `errors.jsonl`. Lines are appended to the last part
//! and to the errors; [`Parts::commit`] brings them to the disk and then replaces the manifest, in one step, by one that
//! counts them. What is behind the counted bytes after a kill is cut off. A part that is long enough is closed, and
//! compressed if the output is to be. Where parts end depends on the lines alone, never on time or on a kill, so that the
//! joined parts are the same bytes in any case.

mod journal;
mod manifest;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

pub use manifest::{Difference, Identity, Manifest};

use crate::articles::RecordPosition;
use crate::atomic::{AtomicFile, Encoder, sync_folder};
use crate::compression::{BytesRead, Compression, open};
use crate::error::{Error, Result};
use journal::{Hashed, Journal};
use manifest::{MANIFEST, Part, Position};

const ERRORS: &str = "errors.jsonl";
const LOCK: &str = "lock";

/// How long a part gets by default, in bytes before compression: 32 MiB.
pub const PART_BYTES: u64 = 32 * 1024 * 1024;

/// How parts are compressed when they are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing(Compression);

impl Packing {
    /// As the name of an output asks for, so that the joined parts are the output.
    #[must_use]
    pub fn of_output(path: &Path) -> Self {
        Self(Compression::of_name(path))
    }

    /// As small as can be done quickly, for parts that will be read again.
    #[must_use]
    pub fn compact() -> Self {
        Self(Compression::Zstd)
    }

    fn suffix(self) -> &'static str {
        self.0.suffix()
    }
}

/// Lines to be appended together, and what is known when they are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Whole lines of output.
    pub lines: String,
    /// Whole lines about records that could not be used.
    pub errors: String,
    /// How far the input was read.
    pub position: RecordPosition,
    /// Counts of everything up to there, by name.
    pub counts: BTreeMap<String, u64>,
}

/// A folder of parts that is being written.
pub struct Parts {
    folder: PathBuf,
    packing: Packing,
    part_bytes: u64,
    manifest: Manifest,
    part: Journal,
    errors: Journal,
    /// Held as long as this value lives.
    _lock: File,
}

impl Parts {
    /// The folder for the parts of an output.
    #[must_use]
    pub fn folder_of(output: &Path) -> PathBuf {
        let mut name = output.as_os_str().to_owned();
        name.push(".parts");
        name.into()
    }

    /// What the manifest of a folder says; `None` when there is no such folder, or a run ended before it had a manifest.
    ///
    /// # Errors
    /// [`Error::DamagedParts`] when it cannot be understood, or the folder is another one.
    pub fn look(folder: &Path) -> Result<Option<Manifest>> {
        refuse_other_files(folder)?;
        match folder.join(MANIFEST).exists() {
            true => Manifest::read(folder).map(Some),
            false => Ok(None),
        }
    }

    /// Starts a folder. What an earlier run left in it is removed.
    ///
    /// # Errors
    /// [`Error::PartsInUse`], [`Error::NoSuchFolder`], [`Error::Io`].
    pub fn create(folder: &Path, identity: Identity, packing: Packing) -> Result<Self> {
        let parent = folder
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent
            && !parent.is_dir()
        {
            return Err(Error::NoSuchFolder {
                path: folder.to_path_buf(),
                folder: parent.to_path_buf(),
            });
        }
        Self::clear(folder)?;
        let failed = |source| Error::io("write", folder, source);
        fs::create_dir(folder).map_err(failed)?;
        sync_folder(folder).map_err(failed)?;
        let lock = lock(folder)?;
        let manifest = Manifest::new(identity, packing.suffix());
        let mut parts = Self {
            packing,
            part_bytes: PART_BYTES,
            part: Journal::create(&folder.join(part_name(0)))?,
            errors: Journal::create(&folder.join(ERRORS))?,
            folder: folder.to_path_buf(),
            manifest,
            _lock: lock,
        };
        parts.commit()?;
        Ok(parts)
    }

    /// Removes what an earlier run left, if anything.
    ///
    /// # Errors
    /// [`Error::PartsInUse`], [`Error::DamagedParts`] when it is no folder of parts, [`Error::Io`].
    pub fn clear(folder: &Path) -> Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        refuse_other_files(folder)?;
        drop(lock(folder)?);
        fs::remove_dir_all(folder).map_err(|source| Error::io("remove", folder, source))
    }

    /// Goes on with a folder: what is behind the last commit is cut off.
    ///
    /// # Errors
    /// [`Error::ChangedRun`] when it is the folder of another run, [`Error::PartsInUse`], [`Error::DamagedParts`] when its
    /// files are not what the manifest says, [`Error::Io`].
    pub fn resume(folder: &Path, identity: &Identity, packing: Packing) -> Result<Self> {
        let lock = lock(folder)?;
        let manifest = Manifest::read(folder)?;
        let differences = manifest.identity.differences(identity);
        if !differences.is_empty() {
            return Err(Error::ChangedRun {
                folder: folder.to_path_buf(),
                differences,
            });
        }
        let part = folder.join(part_name(manifest.parts.len()));
        Ok(Self {
            packing,
            part_bytes: PART_BYTES,
            part: Journal::resume(&part, &manifest.open)?,
            errors: Journal::resume(&folder.join(ERRORS), &manifest.errors)?,
            folder: folder.to_path_buf(),
            manifest,
            _lock: lock,
        })
    }

    /// Closes parts when they have so many bytes before compression. Default: [`PART_BYTES`].
    #[must_use]
    pub fn with_part_bytes(mut self, part_bytes: u64) -> Self {
        self.part_bytes = part_bytes;
        self
    }

    /// What the manifest says.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Appends lines. They are safe after the next [`Parts::commit`].
    ///
    /// # Errors
    /// [`Error::Io`]; nothing may be appended after it.
    pub fn append(&mut self, batch: &Batch) -> Result<()> {
        self.part.append(batch.lines.as_bytes())?;
        self.errors.append(batch.errors.as_bytes())?;
        self.manifest.position = Position::new(batch.position);
        self.manifest.counts.clone_from(&batch.counts);
        if self.part.n_bytes() >= self.part_bytes {
            self.close_part()?;
        }
        Ok(())
    }

    /// Makes all that was appended survive a kill and a loss of power.
    ///
    /// # Errors
    /// [`Error::Io`]; what was committed before is as it was.
    pub fn commit(&mut self) -> Result<()> {
        self.manifest.open = self.part.sync()?;
        self.manifest.errors = self.errors.sync()?;
        self.manifest.write(&self.folder)
    }

    /// Closes the last part: nothing will be appended any more.
    ///
    /// # Errors
    /// As [`Parts::commit`].
    pub fn finish(&mut self) -> Result<()> {
        if self.part.n_bytes() > 0 {
            self.close_part()?;
        }
        self.manifest.finished = true;
        self.commit()
    }

    fn close_part(&mut self) -> Result<()> {
        let number = self.manifest.parts.len();
        let plain = self.folder.join(part_name(number));
        let mut hashed = self.part.sync()?;
        let mut file = part_name(number);
        if self.packing.0 != Compression::None {
            file.push_str(self.packing.suffix());
            hashed = compress(&plain, &self.folder.join(&file), self.packing.0)?;
        }
        self.part = Journal::create(&self.folder.join(part_name(number + 1)))?;
        self.manifest.parts.push(Part {
            file,
            content: hashed,
        });
        self.commit()?;
        if self.packing.0 != Compression::None {
            fs::remove_file(&plain).map_err(|source| Error::io("remove", &plain, source))?;
        }
        Ok(())
    }

    /// Writes all closed parts one behind the other, as they lie on the disk.
    ///
    /// # Errors
    /// [`Error::DamagedParts`] when a part is not what was written, [`Error::Io`].
    pub fn join(&self, out: &mut dyn Write) -> Result<()> {
        for part in &self.manifest.parts {
            let path = self.folder.join(&part.file);
            copy_checked(&path, &part.content, out)?;
        }
        Ok(())
    }

    /// Writes the lines about records that could not be used.
    ///
    /// # Errors
    /// As [`Parts::join`].
    pub fn join_errors(&self, out: &mut dyn Write) -> Result<()> {
        copy_checked(&self.folder.join(ERRORS), &self.manifest.errors, out)
    }

    /// Makes a file of the closed parts. They must be packed as its name asks for.
    ///
    /// # Errors
    /// As [`Parts::join`], and those of [`AtomicFile`].
    pub fn write_output(&self, path: &Path) -> Result<()> {
        let mut file = AtomicFile::create_as_is(path)?;
        self.join(&mut file)?;
        file.commit()
    }

    /// The lines of all closed parts.
    pub fn lines(&self) -> impl Iterator<Item = Result<String>> {
        let paths = self
            .manifest
            .parts
            .iter()
            .map(|part| self.folder.join(&part.file));
        paths.flat_map(|path| match read_lines(&path) {
            Ok(lines) => Box::new(lines) as Box<dyn Iterator<Item = Result<String>>>,
            Err(error) => Box::new(std::iter::once(Err(error))),
        })
    }

    /// The lines of all parts, that which is still open included, as far as they are committed.
    pub fn lines_so_far(&self) -> impl Iterator<Item = Result<String>> {
        let path = self.folder.join(part_name(self.manifest.parts.len()));
        let open = File::open(&path)
            .map(|file| BufReader::new(file.take(self.manifest.open.bytes)).lines());
        let (open, error) = match open {
            Ok(lines) => (Some(lines), None),
            Err(source) => (None, Some(Error::io("read", &path, source))),
        };
        let open = open
            .into_iter()
            .flatten()
            .map(move |line| line.map_err(|source| Error::io("read", &path, source)));
        self.lines().chain(error.map(Err)).chain(open)
    }

    /// Removes the folder, the manifest first: half a folder is none that can be continued.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(self) -> Result<()> {
        fs::remove_file(self.folder.join(MANIFEST))
            .and_then(|()| fs::remove_dir_all(&self.folder))
            .map_err(|source| Error::io("remove", &self.folder, source))
    }
}

/// The lines of a file of text, compressed or not.
///
/// # Errors
/// [`Error::Input`] when it cannot be opened; as items, [`Error::Io`] when it cannot be read to its end.
pub fn read_lines(path: &Path) -> Result<impl Iterator<Item = Result<String>> + use<>> {
    let source = open(path, &BytesRead::default());
    let source = source.map_err(|problem| Error::from(crate::Issue::of_file(path, problem)))?;
    let path = path.to_path_buf();
    Ok(source
        .lines()
        .map(move |line| line.map_err(|source| Error::io("read", &path, source))))
}

/// Nothing is removed that somebody else has put there.
fn refuse_other_files(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    let is_known = |name: &str| {
        [MANIFEST, ERRORS, LOCK].contains(&name)
            || ["part-", ".manifest.json."]
                .iter()
                .any(|start| name.starts_with(start))
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_known(&name) {
            return Err(Error::DamagedParts {
                path: folder.to_path_buf(),
                reason: format!("it holds {name}, so it is no folder of parts"),
            });
        }
    }
    Ok(())
}

fn part_name(number: usize) -> String {
    format!("part-{number:06}.jsonl")
}

/// Keeps other processes out.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let failed = |source| Error::io("open", &path, source);
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::PartsInUse {
            folder: folder.to_path_buf(),
        }),
        // Some file systems of networks have no locks.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

fn compress(from: &Path, to: &Path, compression: Compression) -> Result<Hashed> {
    let failed = |source| Error::io("write", to, source);
    let mut source = File::open(from).map_err(|source| Error::io("read", from, source))?;
    let file = File::create(to).map_err(failed)?;
    let mut encoder = Encoder::new(file, compression).map_err(failed)?;
    io::copy(&mut source, &mut encoder).map_err(failed)?;
    encoder
        .finish()
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    let mut hashed = journal::Hasher::default();
    let file = File::open(to).map_err(failed)?;
    journal::for_each_block(file, |block| {
        hashed.add(block);
        Ok(())
    })
    .map_err(failed)?;
    Ok(hashed.hashed())
}

fn copy_checked(path: &Path, expected: &Hashed, out: &mut dyn Write) -> Result<()> {
    let failed = |source| Error::io("read", path, source);
    let file = BufReader::new(File::open(path).map_err(failed)?).take(expected.bytes);
    let mut hasher = journal::Hasher::default();
    let mut written = Ok(());
    let read = journal::for_each_block(file, |block| {
        hasher.add(block);
        written = out.write_all(block);
        match written {
            Ok(()) => Ok(()),
            Err(_) => Err(io::Error::other("cannot write")),
        }
    });
    written.map_err(|source| Error::io("write", path, source))?;
    read.map_err(failed)?;
    hasher.hashed().expect(path, expected)
}
