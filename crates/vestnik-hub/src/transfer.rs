//! The bytes of one file, in as many attempts as it takes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ureq::Body;
use ureq::http::Response;
use ureq::http::header::CONTENT_RANGE;

use crate::client::{Failure, RemoteFile, header};
use crate::download::{Downloader, remove};
use crate::error::io_error;
use crate::event::{Event, Listener};
use crate::{Error, Result};

/// A transfer into a file that may hold the first bytes already.
pub(crate) struct Transfer<'t> {
    downloader: &'t Downloader<'t>,
    file: &'t RemoteFile,
    partial: &'t Path,
    output: File,
    /// Bytes of earlier files, for the progress.
    before: u64,
}

/// Why an attempt ended that did not fail for good; nothing when the server closed the connection as if all were sent.
type Ended = Option<String>;

impl<'t> Transfer<'t> {
    /// Opens the file for appending.
    pub(crate) fn open(
        downloader: &'t Downloader<'t>,
        file: &'t RemoteFile,
        partial: &'t Path,
        before: u64,
    ) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(partial)
            .map_err(io_error("write", partial))?;
        Ok(Self {
            downloader,
            file,
            partial,
            output,
            before,
        })
    }

    /// Downloads until the announced size is reached; each attempt goes on where the last one ended.
    pub(crate) fn run(mut self, listener: Listener<'_>) -> Result<()> {
        let retries = self.downloader.client.retries;
        let mut most = self.length()?;
        let mut failures = 0;
        while self.length()? != self.file.size {
            let ended = self.attempt(listener)?;
            let found = self.length()?;
            if found == self.file.size {
                break;
            }
            failures = if found > most { 0 } else { failures + 1 };
            most = most.max(found);
            let reason = ended.unwrap_or_default();
            if failures > retries.count {
                return Err(self.incomplete(found, reason));
            }
            listener(Event::Retry {
                file: &self.file.name,
                reason: &reason,
            });
            retries.wait(failures);
        }
        // The file gets its name next; after a power failure it must not be there without its bytes.
        self.written(self.output.sync_all())
    }

    /// One request, and as many bytes of its answer as arrive.
    fn attempt(&mut self, listener: Listener<'_>) -> Result<Ended> {
        let mut have = self.length()?;
        if have > self.file.size {
            have = self.restart()?;
        }
        let Downloader { client, model, .. } = self.downloader;
        let response = match client.bytes(model, self.file, have) {
            Ok(response) => response,
            Err(failure) => return self.forgive(failure),
        };
        // A server that cannot go on begins again.
        if have > 0 && !continues(&response, have) {
            have = self.restart()?;
        }
        self.receive(response, have, listener)
    }

    /// Appends the body of an answer to the `have` bytes that are there.
    fn receive(
        &mut self,
        response: Response<Body>,
        mut have: u64,
        listener: Listener<'_>,
    ) -> Result<Ended> {
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => n,
                Err(error) => return Ok(Some(broken(&error))),
            };
            have += n as u64;
            if have > self.file.size {
                return Err(self.too_long());
            }
            let written = self.output.write_all(&buffer[..n]);
            self.written(written)?;
            listener(Event::Progress {
                file: &self.file.name,
                done: self.before + have,
            });
        }
    }

    /// Lets a request pass that may succeed the next time. A range that the server has not is asked for no more.
    fn forgive(&mut self, failure: Failure) -> Result<Ended> {
        if matches!(failure.error, Error::Status { status: 416, .. }) {
            self.restart()?;
        } else if !failure.transient {
            return Err(failure.error);
        }
        Ok(Some(failure.error.to_string()))
    }

    fn length(&self) -> Result<u64> {
        Ok(self.written(self.output.metadata())?.len())
    }

    /// Throws away what is there; gives the new length.
    fn restart(&mut self) -> Result<u64> {
        self.written(self.output.set_len(0))?;
        Ok(0)
    }

    fn written<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(io_error("write", self.partial))
    }

    fn too_long(&self) -> Error {
        let error = Error::TooLong {
            model: self.downloader.model.to_string(),
            file: self.file.name.clone(),
            expected: self.file.size,
        };
        remove(self.partial).err().unwrap_or(error)
    }

    fn incomplete(&self, found: u64, reason: String) -> Error {
        Error::Incomplete {
            model: self.downloader.model.to_string(),
            file: self.file.name.clone(),
            expected: self.file.size,
            found,
            reason,
        }
    }
}

/// Whether an answer begins at the offset that was asked for: `Content-Range: bytes 100-199/200`.
fn continues(response: &Response<Body>, offset: u64) -> bool {
    response.status().as_u16() == 206
        && header(response.headers(), CONTENT_RANGE.as_str())
            .and_then(|range| range.strip_prefix("bytes ")?.split('-').next())
            .is_some_and(|start| start.parse() == Ok(offset))
}

/// Why reading broke off; the words of the HTTP library are about its own parts.
fn broken(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "no more bytes in time".to_owned(),
        _ => "the connection broke".to_owned(),
    }
}
