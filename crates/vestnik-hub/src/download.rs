//! One file: locked, downloaded, checked, and only then given its name.

use std::fs;
use std::path::Path;

use crate::cache::{ModelCache, create_parent};
use crate::client::{Client, RemoteFile};
use crate::digest::Digest;
use crate::error::io_error;
use crate::event::{Event, Listener};
use crate::transfer::Transfer;
use crate::{Error, ModelName, Result};

/// What a download is made with.
pub(crate) struct Downloader<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cache: &'a ModelCache,
    pub(crate) model: &'a ModelName,
}

impl Downloader<'_> {
    /// Brings the bytes of a file into the cache, if they are not there. `before` is the number of bytes of earlier
    /// files, for the progress.
    pub(crate) fn download(
        &self,
        file: &RemoteFile,
        before: u64,
        listener: Listener<'_>,
    ) -> Result<()> {
        let blob = self.cache.blob(&file.etag);
        if blob.exists() {
            return Ok(());
        }
        let name = file.name.as_str();
        let _lock = self
            .cache
            .lock(&file.etag, || listener(Event::Waiting { file: name }))?;
        if blob.exists() {
            return Ok(());
        }
        let partial = self.cache.incomplete(&file.etag);
        create_parent(&partial)?;
        self.gather(file, &partial, before, listener)?;
        fs::rename(&partial, &blob).map_err(io_error("rename", &partial))
    }

    /// Fills `partial` with bytes that pass the check. What an earlier download left may be damaged: it gets a second
    /// chance from the start.
    fn gather(
        &self,
        file: &RemoteFile,
        partial: &Path,
        before: u64,
        listener: Listener<'_>,
    ) -> Result<()> {
        let leftover = partial.metadata().is_ok_and(|found| found.len() > 0);
        Transfer::open(self, file, partial, before)?.run(listener)?;
        let checked = self.check(file, partial);
        if checked.is_ok() || !leftover {
            return checked;
        }
        Transfer::open(self, file, partial, before)?.run(listener)?;
        self.check(file, partial)
    }

    /// Compares with the announced hash; what fails is removed.
    fn check(&self, file: &RemoteFile, partial: &Path) -> Result<()> {
        let Some(digest) = Digest::of_etag(&file.etag) else {
            return Ok(());
        };
        let found = digest.of_file(partial).map_err(io_error("read", partial))?;
        if found == file.etag {
            return Ok(());
        }
        remove(partial)?;
        Err(Error::Damaged {
            model: self.model.to_string(),
            file: file.name.clone(),
            expected: file.etag.clone(),
            found,
        })
    }
}

pub(crate) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(io_error("remove", path))
}
