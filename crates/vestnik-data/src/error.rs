//! What stops a whole input or output.

use std::io;
use std::path::{Path, PathBuf};

use crate::formats::Format;
use crate::issue::Issue;
use crate::parts::Difference;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What stops a whole input or output. A defect of one record is an [`Issue`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to open, read, write or rename a file.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried, as a verb: "open", "read", "write", ….
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// An input does not exist.
    #[error("{}: no such file or folder", path.display())]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A folder was given where one file is needed.
    #[error("{}: found a folder, expected a file", path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The folder that a file should be written into does not exist.
    #[error("cannot write {}: the folder {} does not exist", path.display(), folder.display())]
    NoSuchFolder {
        /// The file to be written.
        path: PathBuf,
        /// The folder that is missing.
        folder: PathBuf,
    },
    /// A folder holds nothing that could be an article.
    #[error(
        "{}: the folder holds no articles, expected .txt, .jsonl, .json, .csv, .tsv, .parquet, .warc, .xml or .html files (also .gz, .zst, .bz2, .xz)",
        folder.display()
    )]
    NoArticles {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder holds no corpus.
    #[error(
        "{}: the folder holds no corpus, expected .ann files (brat), .tsv files (WebAnno) or .json files (UIMA CAS)",
        folder.display()
    )]
    NoCorpus {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder for output holds something else.
    #[error(
        "{}: the folder holds {found} already; hint: name a new folder",
        folder.display()
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// A file in it.
        found: String,
    },
    /// The name of a format that does not exist.
    #[error("unknown format {name:?}, expected {}", format_names())]
    UnknownFormatName {
        /// What was given.
        name: String,
    },
    /// An output is there already.
    #[error("{}: the file exists; hint: choose another name, or force the overwriting", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// Another process writes into a folder of parts.
    #[error("{}: another process is writing there", folder.display())]
    PartsInUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder of parts is not what its manifest says, or has none that is understood.
    #[error("{}: {reason}", path.display())]
    DamagedParts {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Parquet files of shards that cannot be one.
    #[error(
        "the column {column:?} is not the same in {} and {}",
        first.display(),
        second.display()
    )]
    ShardColumns {
        /// One of the files.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
        /// The first column that is not in both, with one type.
        column: String,
    },
    /// The output of a shard has not the rows that it was written with.
    #[error("{} has not the rows that its shard has", path.display())]
    ShardRows {
        /// The output.
        path: PathBuf,
    },
    /// A folder of parts belongs to a run with other inputs, another model or other options.
    #[error("{}: not the same run: {}", folder.display(), listed(differences))]
    ChangedRun {
        /// The folder.
        folder: PathBuf,
        /// What is not the same.
        differences: Vec<Difference>,
    },
    /// An input that cannot be used, or from here on not, with its position.
    #[error("{0}")]
    Input(Box<Issue>),
}

fn listed(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    all.join("; ")
}

fn format_names() -> String {
    Format::ALL.map(Format::as_str).join(", ")
}

impl Error {
    /// Wraps the system's error; a missing file gets its own variant.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::IsADirectory => Self::IsFolder { path },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }
}

impl From<Issue> for Error {
    fn from(issue: Issue) -> Self {
        Self::Input(Box::new(issue))
    }
}
