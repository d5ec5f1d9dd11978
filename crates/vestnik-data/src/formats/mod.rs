//! The formats of annotated corpora: their names, and reading and writing by name.

mod brat;
mod cas;
mod cas_write;
mod conll;
mod conllu;
mod conllu_lines;
mod detect;
mod doccano;
mod hf_json;
mod label_studio;
mod label_studio_regions;
mod parquet;
mod parquet_rows;
mod parquet_write;
mod vestnik;
mod webanno;
mod webanno_lines;
mod webanno_write;

pub(crate) use label_studio::write_predictions;
pub(crate) use parquet_rows::Rows;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use vestnik_core::{ColumnScheme, Document, OffsetUnit, Span};

use crate::columns::{ColumnOptions, read_columns};
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::loss::{Loss, Places};

/// A format of annotated corpora.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Our own JSON lines: everything that a [`Document`] holds, and other fields.
    Vestnik,
    /// Columns as of CoNLL-2002 and CoNLL-2003.
    Conll,
    /// CoNLL-U, entities in `NER=` of the column MISC.
    Conllu,
    /// brat standoff: a folder of `.txt` and `.ann` files.
    Brat,
    /// JSON lines of doccano.
    Doccano,
    /// JSON of Label Studio.
    LabelStudio,
    /// WebAnno TSV 3 of INCEpTION: a file a document.
    WebAnno,
    /// JSON lines with `tokens` and `ner_tags`, as Hugging Face datasets have them.
    HfJson,
    /// Parquet with the columns `tokens` and `ner_tags`, as Hugging Face datasets have them.
    HfParquet,
    /// UIMA CAS JSON of INCEpTION: a file a document.
    Cas,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 10] = [
        Self::Vestnik,
        Self::Conll,
        Self::Conllu,
        Self::Brat,
        Self::Doccano,
        Self::LabelStudio,
        Self::WebAnno,
        Self::HfJson,
        Self::HfParquet,
        Self::Cas,
    ];

    /// The name: `vestnik`, `conll`, `conllu`, `brat`, `doccano`, `label-studio`, `webanno`, `hf`, `parquet` or `cas`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vestnik => "vestnik",
            Self::Conll => "conll",
            Self::Conllu => "conllu",
            Self::Brat => "brat",
            Self::Doccano => "doccano",
            Self::LabelStudio => "label-studio",
            Self::WebAnno => "webanno",
            Self::HfJson => "hf",
            Self::HfParquet => "parquet",
            Self::Cas => "cas",
        }
    }

    /// Finds the format of a file or folder by its name and its first records.
    ///
    /// # Errors
    /// As [`read_ner`], when the input cannot be opened.
    pub fn detect(path: &Path) -> Result<Self> {
        detect::detect(path)
    }

    /// The format that the name of an output asks for: `.conllu`, `.conll`, `.json` (Label Studio), `.parquet`, `.jsonl`
    /// (our own); `None` for other names.
    #[must_use]
    pub fn of_output(path: &Path) -> Option<Self> {
        detect::of_output(path)
    }

    /// Whether the format is a folder with files for each document.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Brat | Self::WebAnno | Self::Cas)
    }

    /// The extension of a file of the format; empty for folders.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Vestnik | Self::Doccano | Self::HfJson => ".jsonl",
            Self::Conll => ".conll",
            Self::Conllu => ".conllu",
            Self::LabelStudio => ".json",
            Self::HfParquet => ".parquet",
            Self::Brat | Self::WebAnno | Self::Cas => "",
        }
    }
}

/// Shows the name.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == name);
        known.ok_or_else(|| Error::UnknownFormatName {
            name: name.to_owned(),
        })
    }
}

/// What a reader cannot see in the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format. Default: found by [`Format::detect`].
    pub format: Option<Format>,
    /// Columns of CoNLL files.
    pub columns: ColumnOptions,
    /// The unit of offsets. Default: what the format says.
    pub offset_unit: Option<OffsetUnit>,
    /// The field with the text in Label Studio's `data`. Default: `text`, or the only string there.
    pub text_field: Option<String>,
    /// Whose annotations to read from Label Studio: an id or an address. Default: the first of each task.
    pub annotator: Option<String>,
    /// The names of tags that are numbers, in their order. Default: those of a `dataset_info.json` beside the file.
    pub tag_names: Option<Vec<String>>,
}

/// Reads a corpus with named entities, in any [`Format`], and names all of its defects.
///
/// The format is found by the name, without `.gz` or `.zst`, and by the first records ([`Format::detect`]). The formats
/// themselves are described in `docs/data-formats.md`. Records of our own are
/// `{"id","lang","source","text","entities":[{"start","end","label","lemma","link","score","text"}],"annotated":[…]}`;
/// `text`, `entities` and in them `start`, `end` and `label` are required. Offsets count Unicode code points, or what
/// `vestnik.offset_unit` says in output of this program; ends are exclusive. An entity's own `text` must equal the
/// text under its span. `annotated` lists the labels that are marked in this document; without it all are.
/// A record without `id` is called by its file and line.
///
/// # Errors
/// [`Error::NotFound`], [`Error::IsFolder`], [`Error::NoCorpus`], [`Error::Io`] when the input cannot be opened;
/// [`Error::Input`] when it cannot be read to its end, for example because the compressed data is cut.
pub fn read_ner(path: &Path) -> Result<Corpus> {
    read_corpus(path, &ReadOptions::default())
}

/// Reads a corpus as [`read_ner`] does, with options.
///
/// # Errors
/// As [`read_ner`].
pub fn read_corpus(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let format = options.format.map_or_else(|| Format::detect(path), Ok)?;
    match format {
        Format::Vestnik => crate::ner::read(path),
        Format::Conll => read_columns(path, &options.columns),
        Format::Conllu => conllu::read(path),
        Format::Brat => brat::read(path, options),
        Format::Doccano => doccano::read(path, options),
        Format::LabelStudio => label_studio::read(path, options),
        Format::WebAnno => webanno::read(path, options),
        Format::HfJson => hf_json::read(path, options),
        Format::HfParquet => parquet::read(path, options),
        Format::Cas => cas::read(path, options),
    }
}

/// How to divide a text into sentences of tokens. Tokens are in order and disjoint; visible text between them becomes
/// tokens of its own.
pub type Segmenter<'a> = &'a dyn Fn(&str) -> Vec<Vec<Span>>;

/// What a writer needs to know.
#[derive(Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The scheme of tags.
    pub scheme: ColumnScheme,
    /// The tokens of formats that have tokens.
    pub segmenter: Segmenter<'a>,
    /// Labels that get numbers in files with numbered tags although the corpus may not have them, so that the parts of
    /// one corpus have the same numbers.
    pub labels: &'a [&'a str],
}

/// A document to be written, with the other fields of its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    document: &'a Document,
    others: &'a serde_json::Map<String, serde_json::Value>,
}

impl Item<'_> {
    fn losses(&self, places: &Places) -> Vec<Loss> {
        places.losses(self.document, self.others.keys())
    }
}

fn items(corpus: &Corpus) -> impl Iterator<Item = Item<'_>> {
    let pairs = corpus.documents.iter().zip(&corpus.fields);
    pairs.map(|(document, others)| Item { document, others })
}

/// Writes a corpus into one file, and gives what the format cannot hold.
///
/// # Errors
/// Those of `out`; [`io::ErrorKind::InvalidInput`] for a format that is a folder.
pub fn write_corpus(
    corpus: &Corpus,
    format: Format,
    options: &WriteOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<Vec<Loss>> {
    match format {
        Format::Vestnik => vestnik::write(corpus, out),
        Format::Conll => conll::write(corpus, options, out),
        Format::Conllu => conllu::write(corpus, options, out),
        Format::Doccano => doccano::write(corpus, out),
        Format::LabelStudio => label_studio::write(corpus, out),
        Format::HfJson => hf_json::write(corpus, options, out),
        Format::HfParquet => parquet_write::write(corpus, options, out),
        Format::Brat | Format::WebAnno | Format::Cas => {
            let message = format!("{format} is a folder of files");
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        }
    }
}

/// Writes a corpus as a folder with files for each document, and gives what the format cannot hold.
///
/// The folder is made when it does not exist; files appear whole or not at all. With `force`, files of the same names
/// are replaced.
///
/// # Errors
/// [`Error::FolderInUse`] for a folder that holds anything, or with `force` other documents than these;
/// [`Error::Io`] when it cannot be written.
pub fn write_folder(
    corpus: &Corpus,
    format: Format,
    options: &WriteOptions<'_>,
    folder: &Path,
    force: bool,
) -> Result<Vec<Loss>> {
    let files = match format {
        Format::WebAnno => webanno_write::files(corpus, options),
        Format::Cas => cas_write::files(corpus, options),
        _ => brat::files(corpus),
    };
    files.write(folder, force)
}
