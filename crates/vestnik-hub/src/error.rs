//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong. No variant carries a token or an address with a signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is no name of a model.
    #[error("{name:?} is no name of a hub model: {reason}")]
    Name {
        /// The text.
        name: String,
        /// What a name is.
        reason: &'static str,
    },
    /// The hub is offline and the cache lacks a file.
    #[error(
        "{file} of {model} is not in the cache and nothing is fetched offline; looked in {}",
        folder.display()
    )]
    Offline {
        /// The model with its revision.
        model: String,
        /// The file that is missing.
        file: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The hub does not let the caller read the model, or hides whether there is one (status 401 or 403).
    #[error(
        "{endpoint} refuses access to {model} (status {status}){}",
        told(message)
    )]
    Refused {
        /// The model with its revision.
        model: String,
        /// The hub.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        with_token: bool,
        /// What the hub says about it; may be empty.
        message: String,
    },
    /// The hub has no such model.
    #[error("{endpoint} has no model {model}")]
    NoModel {
        /// The model, without revision.
        model: String,
        /// The hub.
        endpoint: String,
    },
    /// The model has no such revision.
    #[error("{model} has no revision {revision:?}")]
    NoRevision {
        /// The model, without revision.
        model: String,
        /// The branch, tag or commit that was asked for.
        revision: String,
    },
    /// The repository lacks a file that is needed.
    #[error("{model} has no file {file}")]
    NoFile {
        /// The model with its revision.
        model: String,
        /// The file.
        file: String,
    },
    /// The repository has no weights of the kind that was asked for.
    #[error("{model} has no {wanted}; weights there: {}", listed(found))]
    NoWeights {
        /// The model with its revision.
        model: String,
        /// The file that was asked for.
        wanted: &'static str,
        /// Weights in other formats.
        found: Vec<String>,
    },
    /// The hub answers with an error.
    #[error("{endpoint} answers {status} for {what}{}", told(message))]
    Status {
        /// The hub.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What the hub says about it; may be empty.
        message: String,
    },
    /// The hub cannot be reached: no such host, connection refused, no answer in time.
    #[error("cannot reach {host}: {reason}")]
    Connection {
        /// Scheme, host and port.
        host: String,
        /// Why.
        reason: String,
        /// Whether the cache holds the whole model, as it was when it was fetched last.
        in_cache: bool,
    },
    /// Fewer bytes arrived than were announced, also after trying again. The next fetch goes on from there.
    #[error(
        "{model}: {file} broke off after {found} of {expected} bytes{}",
        told(reason)
    )]
    Incomplete {
        /// The model with its revision.
        model: String,
        /// The file.
        file: String,
        /// Announced size in bytes.
        expected: u64,
        /// Bytes that are there.
        found: u64,
        /// What broke the last attempt; may be empty.
        reason: String,
    },
    /// More bytes arrived than were announced; they were thrown away.
    #[error("{model}: {file} is longer than the announced {expected} bytes; it was thrown away")]
    TooLong {
        /// The model with its revision.
        model: String,
        /// The file.
        file: String,
        /// Announced size in bytes.
        expected: u64,
    },
    /// The bytes that arrived have another hash than was announced; they were thrown away.
    #[error(
        "{model}: {file} is damaged and was thrown away: its hash is {found}, expected {expected}"
    )]
    Damaged {
        /// The model with its revision.
        model: String,
        /// The file.
        file: String,
        /// Announced hash.
        expected: String,
        /// Hash of what arrived.
        found: String,
    },
    /// An answer is not what a hub sends.
    #[error("{endpoint} does not answer {what} as a hub: {problem}")]
    Answer {
        /// The hub.
        endpoint: String,
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// An index of shards cannot be read, or names a file outside of the model.
    #[error("{}: {reason}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused to read or write the cache.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "lock", ….
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// `HF_ENDPOINT` is no address.
    #[error("HF_ENDPOINT is {endpoint:?}, expected http://… or https://…")]
    Endpoint {
        /// What it is.
        endpoint: String,
    },
    /// There is no place for a cache.
    #[error(
        "no folder for the cache: none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME is set"
    )]
    NoCache,
}

/// An [`Error::Io`] in the making.
pub(crate) fn io_error(
    doing: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        doing,
        path,
        source,
    }
}

fn told(message: &str) -> String {
    if message.is_empty() {
        return String::new();
    }
    format!(": {message}")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
