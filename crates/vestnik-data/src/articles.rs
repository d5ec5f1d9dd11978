//! Articles to be tagged, as a stream.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::STDIN;
use crate::compression::{BytesRead, decompressed};
use crate::error::Result;
use crate::hash::{RecordHash, hash_bytes};
use crate::inputs::{InputFile, Inputs, total_bytes};
use crate::issue::{Issue, Position, Rejected};
use crate::lines::MAX_LINE_BYTES;
use crate::problem::Problem;
use crate::record::{RecordFields, type_of};
use crate::selection::Selection;
use crate::sources::{
    Found, InputFormat, RawRecord, RecordSource, TextEncoding, open_records, records,
};

/// The longest text of an article by default, in bytes: 8 MiB.
pub const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;

/// What stands between two fields that are read as one text.
const FIELD_SEPARATOR: &str = "\n\n";

/// Which fields of a record are read, how much of it, and which records.
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleOptions {
    /// The fields with the text, joined by a blank line when there are several; `a.b` is the field `b` of the object `a`.
    /// Default: `text`.
    pub text_fields: Vec<String>,
    /// The field with the id, also as a path. Default: `id`.
    pub id_field: String,
    /// The longest record, and the longest text file, in bytes. Default: [`MAX_LINE_BYTES`].
    pub max_line_bytes: usize,
    /// The longest text of an article, in bytes. Default: [`MAX_TEXT_BYTES`].
    pub max_text_bytes: usize,
    /// The format of all inputs. Default: found by their first bytes, and by their names.
    pub format: Option<InputFormat>,
    /// The encoding of inputs that are text. Default: UTF-8, or what a byte order mark or the text itself says.
    pub encoding: Option<TextEncoding>,
    /// Which records are read. Default: all.
    pub selection: Selection,
    /// Files and folders that are no inputs, though they may lie in a folder of them. Default: none.
    pub outputs: Vec<PathBuf>,
}

impl Default for ArticleOptions {
    fn default() -> Self {
        Self {
            text_fields: vec!["text".to_owned()],
            id_field: "id".to_owned(),
            max_line_bytes: MAX_LINE_BYTES,
            max_text_bytes: MAX_TEXT_BYTES,
            format: None,
            encoding: None,
            selection: Selection::default(),
            outputs: Vec::new(),
        }
    }
}

impl ArticleOptions {
    /// The field that a text gets which has none of its own, such as that of a text file: the last one.
    pub(crate) fn text_field(&self) -> &str {
        self.text_fields.last().map_or("text", String::as_str)
    }
}

/// An article as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Article {
    /// The file and the line; line 1 for a text file.
    pub origin: Position,
    /// The number of the record in all inputs, from 1.
    pub record: u64,
    /// The id, numbers as text; for a text file its name, inside a folder its path from there.
    pub id: Option<String>,
    /// The text, which may be empty.
    pub text: String,
    /// Where the fields lie in the text, in its order; empty when the text is that of one field.
    pub parts: Vec<TextPart>,
    /// The language of the text, where the record does not say it in a field `lang` and somebody has recognised it; the
    /// reader leaves it open.
    pub detected_lang: Option<String>,
    /// All fields of the record, text and id included; a text file has these two.
    pub fields: RecordFields,
}

/// The part of a text that one field gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPart {
    /// The field.
    pub field: String,
    /// Where it starts in the text, in bytes.
    pub start: usize,
    /// Where it ends, in bytes, exclusive.
    pub end: usize,
}

/// How far a reader is, and what it has read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordPosition {
    /// The number of records: articles, records that cannot be used, and those that were not selected.
    pub records: u64,
    /// A hash of all of them, in their order.
    pub hash: RecordHash,
}

/// Reads articles from files, folders and standard input, one at a time.
///
/// - A folder gives its files with names of formats ([`InputFormat`]), also compressed, sorted, those of subfolders too;
///   hidden ones are left out.
/// - `-` is standard input, of any format but those that only a name shows: CSV, TSV and text need
///   [`ArticleOptions::format`].
/// - Compression is seen in the first bytes, and so are JSON lines, arrays of JSON, Parquet, web archives, dumps of
///   MediaWiki and web pages; for text and tables the name decides.
/// - A text file and a web page are one article each, called by the name of the file.
///
/// Every defect is a [`Rejected`] record in the stream, and reading goes on behind it. Memory is bounded by the longest
/// record.
///
/// ```
/// use vestnik_data::{ArticleOptions, ArticleReader};
/// let dump: &[u8] = b"{\"id\":7,\"text\":\"Sofia\"}\n{\"id\":8}\n";
/// let mut articles = ArticleReader::from_reader(dump, ArticleOptions::default())?;
/// assert_eq!(articles.next().unwrap().unwrap().text, "Sofia");
/// assert_eq!(articles.next().unwrap().unwrap_err().to_string(), r#"<stdin>:2: no field "text", found "id""#);
/// assert!(articles.next().is_none());
/// # Ok::<(), vestnik_data::Error>(())
/// ```
pub struct ArticleReader {
    options: ArticleOptions,
    inputs: Inputs,
    source: Option<(PathBuf, RecordSource)>,
    position: RecordPosition,
    bytes_read: BytesRead,
}

impl ArticleReader {
    /// Reads the inputs in their order.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) and [`Error::NoArticles`](crate::Error::NoArticles), before any input
    /// is read.
    pub fn open(inputs: &[PathBuf], options: ArticleOptions) -> Result<Self> {
        Ok(Self::new(Inputs::new(inputs, &options.outputs)?, options))
    }

    /// Reads a stream, compressed or not, as from standard input.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the first bytes cannot be read, or are of a kind that is not read.
    pub fn from_reader(
        reader: impl Read + Send + 'static,
        options: ArticleOptions,
    ) -> Result<Self> {
        let mut articles = Self::new(Inputs::new(&[], &[])?, options);
        let file = InputFile {
            path: STDIN.into(),
            name: STDIN.to_owned(),
        };
        let source = decompressed(reader, &articles.bytes_read)
            .and_then(|source| records(&file, source, &articles.options));
        let source = source.map_err(|problem| Issue::of_file(&file.path, problem))?;
        articles.source = Some((file.path, source));
        Ok(articles)
    }

    fn new(inputs: Inputs, options: ArticleOptions) -> Self {
        Self {
            options,
            inputs,
            source: None,
            position: RecordPosition::default(),
            bytes_read: BytesRead::default(),
        }
    }

    /// A count of the bytes read so far, which goes on counting while this reader is used elsewhere.
    pub fn bytes_read(&self) -> BytesRead {
        self.bytes_read.clone()
    }

    /// How far the reader is.
    #[must_use]
    pub fn record_position(&self) -> RecordPosition {
        self.position
    }

    /// Passes over records without making articles of them, up to `n_records` from the start.
    ///
    /// # Errors
    /// Gives what was reached instead, when the input has not so many.
    pub fn skip_to(&mut self, n_records: u64) -> std::result::Result<(), RecordPosition> {
        while self.position.records < n_records {
            if self.next_record().is_none() {
                return Err(self.position);
            }
        }
        Ok(())
    }

    /// The size of all inputs as they lie on the disk, in bytes; `None` when standard input is among them.
    pub fn total_bytes(inputs: &[PathBuf]) -> Option<u64> {
        total_bytes(inputs)
    }

    /// The next record that is there, with its hash.
    fn next_record(&mut self) -> Option<(u64, Found)> {
        loop {
            if let Some((_, source)) = &mut self.source {
                if let Some(found) = source.next() {
                    return Some(self.counted(found));
                }
                self.source = None;
            }
            if let Err(rejected) = self.next_file()? {
                return Some(self.counted(Err(rejected)));
            }
        }
    }

    fn counted(&mut self, found: Found) -> (u64, Found) {
        let hash = match &found {
            Ok(record) => hash_bytes(record.json.as_bytes()),
            Err(rejected) => hash_bytes(rejected.record.as_deref().unwrap_or_default()),
        };
        self.position.records += 1;
        self.position.hash.add(hash);
        (hash, found)
    }

    fn next_file(&mut self) -> Option<std::result::Result<(), Rejected>> {
        Some(match self.inputs.next()? {
            Err(issue) => Err(Rejected::file(&issue.path, issue.line, issue.problem)),
            Ok(file) => open_records(&file, &self.options, &self.bytes_read)
                .map(|source| self.source = Some((file.path, source))),
        })
    }

    fn article(&self, record: RawRecord) -> std::result::Result<Article, Rejected> {
        let path = self
            .source
            .as_ref()
            .map_or(Path::new(STDIN), |(path, _)| path);
        let rejected = |problems, json: String| Rejected {
            path: path.to_path_buf(),
            line: Some(record.line),
            problems,
            record: Some(json.into_bytes()),
        };
        let fields = match RecordFields::parse_or_return(record.json) {
            Ok(fields) => fields,
            Err((problem, json)) => return Err(rejected(vec![problem], json)),
        };
        let id = id(&fields, &self.options.id_field);
        let text = text(&fields, &self.options);
        match (id, text) {
            (Ok(id), Ok((text, parts))) => Ok(Article {
                origin: Position {
                    path: path.to_path_buf(),
                    line: record.line,
                },
                record: self.position.records,
                id,
                text,
                parts,
                detected_lang: None,
                fields,
            }),
            (id, text) => {
                let problems = id.err().into_iter().chain(text.err()).collect();
                Err(rejected(problems, fields.into_json()))
            }
        }
    }
}

impl Iterator for ArticleReader {
    type Item = std::result::Result<Article, Rejected>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (hash, found) = self.next_record()?;
            if self.options.selection.takes(hash) {
                return Some(found.and_then(|record| self.article(record)));
            }
        }
    }
}

fn id(fields: &RecordFields, path: &str) -> std::result::Result<Option<String>, Problem> {
    let Some(json) = fields.raw_at(path) else {
        return Ok(None);
    };
    match serde_json::from_str(json)? {
        Value::Null => Ok(None),
        Value::String(id) => Ok(Some(id)),
        Value::Number(id) => Ok(Some(id.to_string())),
        _ => Err(wrong_type(path, json, "a string or a number")),
    }
}

fn wrong_type(path: &str, json: &str, expected: &'static str) -> Problem {
    Problem::WrongType {
        field: path.to_owned(),
        expected,
        found: type_of(json),
    }
}

pub(crate) type Text = (String, Vec<TextPart>);

/// The text of an article, and where its fields lie when there are several.
pub(crate) fn text(
    fields: &RecordFields,
    options: &ArticleOptions,
) -> std::result::Result<Text, Problem> {
    let (text, parts) = match options.text_fields.as_slice() {
        [field] => (
            one_text(fields, field)?.ok_or_else(|| missing(fields, field))?,
            Vec::new(),
        ),
        several => joined(fields, several)?,
    };
    if text.len() > options.max_text_bytes {
        return Err(Problem::TooLong {
            limit: options.max_text_bytes,
        });
    }
    Ok((text, parts))
}

fn joined(fields: &RecordFields, paths: &[String]) -> std::result::Result<Text, Problem> {
    let (mut text, mut parts) = (String::new(), Vec::new());
    for path in paths {
        if fields.raw_at(path) == Some("null") {
            continue;
        }
        let Some(part) = one_text(fields, path)? else {
            continue;
        };
        if !parts.is_empty() {
            text.push_str(FIELD_SEPARATOR);
        }
        let start = text.len();
        text.push_str(&part);
        parts.push(TextPart {
            field: path.clone(),
            start,
            end: text.len(),
        });
    }
    if parts.is_empty() {
        return Err(missing(fields, &paths.join(",")));
    }
    Ok((text, parts))
}

/// The text of a field; `None` where there is no such field. `null` is of a wrong type when it is all there is.
fn one_text(fields: &RecordFields, path: &str) -> std::result::Result<Option<String>, Problem> {
    let Some(json) = fields.raw_at(path) else {
        return Ok(None);
    };
    match crate::record::string(json) {
        Some(text) => Ok(Some(text.into_owned())),
        None => Err(wrong_type(path, json, "a string")),
    }
}

fn missing(fields: &RecordFields, path: &str) -> Problem {
    Problem::MissingField {
        field: path.to_owned(),
        present: fields.names().map(str::to_owned).collect(),
    }
}
