//! Tagged articles in the formats that others want: made at the end of a run, of the lines of its parts.

mod annotations;
mod arrays;
mod kinds;
mod line;
mod mentions;
mod merge;
mod same_table;
mod spacy;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::compression::{extension, without_compression};
use crate::error::Result;
use crate::formats::{Format, Segmenter};

pub use line::{located, record_numbers};
pub use mentions::write_mentions;
pub use merge::{merge_mentions, merge_tables};

/// A format of tagged articles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputFormat {
    /// JSON lines: the records with what was found.
    JsonLines,
    /// Parquet: a row an article, lists of structures for what was found.
    Parquet,
    /// CSV: a row a mention.
    Csv,
    /// JSON lines as of spaCy's `Doc.to_json`: `text`, `ents`, `cats`.
    Spacy,
    /// A format of annotated corpora.
    Annotated(Format),
}

impl OutputFormat {
    const NAMED: [(&'static str, Self); 11] = [
        ("jsonl", Self::JsonLines),
        ("parquet", Self::Parquet),
        ("csv", Self::Csv),
        ("spacy", Self::Spacy),
        ("conll", Self::Annotated(Format::Conll)),
        ("conllu", Self::Annotated(Format::Conllu)),
        ("brat", Self::Annotated(Format::Brat)),
        ("doccano", Self::Annotated(Format::Doccano)),
        ("label-studio", Self::Annotated(Format::LabelStudio)),
        ("webanno", Self::Annotated(Format::WebAnno)),
        ("cas", Self::Annotated(Format::Cas)),
    ];

    /// The format that the name of an output asks for; JSON lines where it says nothing.
    #[must_use]
    pub fn of_output(path: &Path) -> Self {
        match extension(&without_compression(path)).as_str() {
            "parquet" | "pq" => Self::Parquet,
            "csv" => Self::Csv,
            "conll" => Self::Annotated(Format::Conll),
            "conllu" => Self::Annotated(Format::Conllu),
            _ => Self::JsonLines,
        }
    }

    /// Whether the format is a folder with files for each article.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Annotated(format) if format.is_folder())
    }
}

impl FromStr for OutputFormat {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let found = Self::NAMED.into_iter().find(|(known, _)| *known == name);
        let names = || Self::NAMED.map(|(name, _)| name).join(", ");
        found
            .map(|(_, format)| format)
            .ok_or_else(|| format!("one of {}", names()))
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::NAMED.into_iter().find(|(_, format)| format == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// Gives the lines of a run from the start: each is what [`located`] has made.
pub type Lines<'a> = &'a dyn Fn() -> Box<dyn Iterator<Item = Result<String>> + 'a>;

/// What is known of a run whose lines are written.
pub struct OutputOptions<'a> {
    /// The fields of the text, as they were read.
    pub text_fields: &'a [String],
    /// The tokens of formats that have tokens.
    pub segmenter: Segmenter<'a>,
    /// The inputs of the run: when all are Parquet, the columns of a Parquet output are theirs.
    pub inputs: &'a [PathBuf],
}

/// What a format could not hold, and how often.
pub type LossCounts = BTreeMap<String, u64>;

/// Writes the articles of a run in a format; the file or folder appears when it is complete.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io), and [`Error::FolderInUse`](crate::Error::FolderInUse) for a folder that holds anything.
pub fn write_output(
    lines: Lines<'_>,
    format: OutputFormat,
    path: &Path,
    options: &OutputOptions<'_>,
) -> Result<LossCounts> {
    match format {
        OutputFormat::JsonLines => line::write(lines, path).map(|()| LossCounts::new()),
        OutputFormat::Parquet => {
            if !same_table::write(lines, path, options.inputs)? {
                table::write(lines, path)?;
            }
            Ok(LossCounts::new())
        }
        OutputFormat::Csv => write_mentions(lines, path).map(|()| LossCounts::new()),
        OutputFormat::Spacy => spacy::write(lines, path, options).map(|()| LossCounts::new()),
        OutputFormat::Annotated(format) => annotations::write(lines, format, path, options),
    }
}
