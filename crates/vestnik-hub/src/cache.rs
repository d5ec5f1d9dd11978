//! The folder of one model in the cache, laid out as Python's `huggingface_hub` does it.
//!
//! ```text
//! models--org--name/blobs/ETAG                  the bytes; ETAG.incomplete while they arrive
//!                   snapshots/COMMIT/FILE       a link to ../../blobs/ETAG
//!                   refs/REVISION               the commit that a branch or tag stood for
//!                   .no_exist/COMMIT/FILE       an empty file: the commit has no such file
//! .locks/models--org--name/ETAG.lock            held while ETAG is downloaded
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use crate::error::io_error;
use crate::name::is_commit;
use crate::{ModelName, Result};

/// The folder of one model.
pub(crate) struct ModelCache {
    folder: PathBuf,
    locks: PathBuf,
    repo: CacheRepo,
}

impl ModelCache {
    pub(crate) fn new(cache: &Path, model: &ModelName) -> Self {
        let repo = Repo::model(model.id().to_owned());
        let folder_name = repo.folder_name();
        Self {
            folder: cache.join(&folder_name),
            locks: cache.join(".locks").join(folder_name),
            repo: Cache::new(cache.to_owned()).repo(repo),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// A file of a commit; it may not be there.
    pub(crate) fn file(&self, commit: &str, name: &str) -> PathBuf {
        self.snapshot(commit).join(name)
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.repo.blob_path(etag)
    }

    /// Where bytes are gathered until they are all there.
    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.blob(&format!("{etag}.incomplete"))
    }

    /// The commit of a revision: itself, or what its branch or tag stood for when it was fetched last.
    pub(crate) fn commit(&self, model: &ModelName) -> Option<String> {
        if let Some(commit) = model.commit() {
            return Some(commit.to_owned());
        }
        let commit = fs::read_to_string(self.reference(model)).ok()?;
        let commit = commit.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// Remembers what a branch or tag stands for.
    pub(crate) fn remember(&self, model: &ModelName, commit: &str) -> Result<()> {
        if self.commit(model).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.reference(model);
        create_parent(&path)?;
        write_atomically(&path, commit).map_err(io_error("write", &path))
    }

    /// Whether a commit is known not to have a file.
    pub(crate) fn is_absent(&self, commit: &str, name: &str) -> bool {
        self.absent(commit, name).is_file()
    }

    /// Remembers that a commit has no such file, so that an offline run does not miss it.
    pub(crate) fn note_absent(&self, commit: &str, name: &str) -> Result<()> {
        let path = self.absent(commit, name);
        if path.exists() {
            return Ok(());
        }
        create_parent(&path)?;
        fs::write(&path, "").map_err(io_error("write", &path))
    }

    /// Gives a file of a commit its bytes.
    pub(crate) fn link(&self, commit: &str, name: &str, etag: &str) -> Result<()> {
        let path = self.file(commit, name);
        if path.exists() {
            return Ok(());
        }
        create_parent(&path)?;
        // A link whose bytes were deleted.
        if path.is_symlink() {
            fs::remove_file(&path).map_err(io_error("replace", &path))?;
        }
        let up = "../".repeat(2 + name.matches('/').count());
        let target = format!("{up}blobs/{etag}");
        match make_link(Path::new(&target), &self.blob(etag), &path) {
            // Another process was quicker.
            Err(_) if path.exists() => Ok(()),
            linked => linked.map_err(io_error("link", &path)),
        }
    }

    /// Waits until no other process downloads `etag`, and keeps others out until the result is dropped. `waiting` is
    /// called when there is something to wait for. `None` where the file system knows no locks.
    pub(crate) fn lock(&self, etag: &str, waiting: impl FnOnce()) -> Result<Option<File>> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io_error("write", &path))?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        match locked {
            Ok(()) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(io_error("lock", &path)(error)),
        }
    }

    fn reference(&self, model: &ModelName) -> PathBuf {
        self.folder.join("refs").join(model.revision())
    }

    fn absent(&self, commit: &str, name: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(name)
    }
}

/// Makes the folders above a file.
pub(crate) fn create_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(io_error("create", folder))
}

/// Writes beside and renames; others may read the file as usual (a temporary file would be private).
fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let file = tempfile::Builder::new().make_in(folder, |path| File::create_new(path))?;
    fs::write(file.path(), text)?;
    file.into_temp_path().persist(path)?;
    Ok(())
}

/// Links `path` to `target`, which is relative to its folder; on a file system without such links it becomes another
/// name of `blob`, or a copy of it.
fn make_link(target: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    symbolic_link(target, path)
        .or_else(|_| fs::hard_link(blob, path))
        .or_else(|_| fs::copy(blob, path).map(|_| ()))
}

#[cfg(unix)]
fn symbolic_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn symbolic_link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
