//! What is told while files are fetched.

/// Something that happened while files are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The files to be downloaded are known; nothing is told when all are in the cache.
    Plan {
        /// Number of files.
        files: usize,
        /// Bytes of all of them, those included that an earlier download left.
        bytes: u64,
    },
    /// Bytes arrived.
    Progress {
        /// The file that is being downloaded.
        file: &'a str,
        /// Bytes of all files of the plan that are there. It can fall when a server sends a file again from the start.
        done: u64,
    },
    /// Another process is downloading the file; its end is waited for.
    Waiting {
        /// The file.
        file: &'a str,
    },
    /// A download broke off and goes on.
    Retry {
        /// The file.
        file: &'a str,
        /// Why it broke off.
        reason: &'a str,
    },
}

/// Who is told.
pub(crate) type Listener<'l> = &'l mut dyn FnMut(Event<'_>);
