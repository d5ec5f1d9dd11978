//! Articles to be tagged, as a stream.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::STDIN;
use crate::compression::{BytesRead, Source, decompressed, open, peek};
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::inputs::{InputFile, Inputs, Kind, PEEKED_BYTES, starts_like_json, total_bytes};
use crate::issue::{Issue, Position};
use crate::lines::{BYTE_ORDER_MARK, MAX_LINE_BYTES, is_utf16};
use crate::problem::Problem;
use crate::records::{Record, RecordLines};

/// Which fields of a record are read, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArticleOptions {
    /// The field with the text. Default: `text`.
    pub text_field: String,
    /// The field with the id. Default: `id`.
    pub id_field: String,
    /// The longest line, and the longest text file, in bytes. Default: [`MAX_LINE_BYTES`].
    pub max_line_bytes: usize,
}

impl Default for ArticleOptions {
    fn default() -> Self {
        Self {
            text_field: "text".to_owned(),
            id_field: "id".to_owned(),
            max_line_bytes: MAX_LINE_BYTES,
        }
    }
}

/// An article as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Article {
    /// The file and the line; line 1 for a text file.
    pub origin: Position,
    /// The id, numbers as text; for a text file its name, inside a folder its path from there.
    pub id: Option<String>,
    /// The text, which may be empty.
    pub text: String,
    /// All fields of the record in their order, text and id included; a text file has these two. Numbers are as they
    /// are written, but for the spelling of an exponent: `1E5` becomes `1e+5`.
    pub fields: Map<String, Value>,
}

/// Reads articles from files, folders and standard input, one at a time.
///
/// - A folder gives its files with names in `.txt`, `.jsonl`, `.json` and `.ndjson`, also with `.gz` or `.zst`, sorted,
///   those of subfolders too; hidden ones are left out.
/// - `-` is standard input.
/// - A `.txt` file is one article. All other files hold JSON lines, an article each; blank lines are skipped. A file
///   without a known name is read when it starts with `{`.
///
/// Every defect is an [`Issue`] in the stream, and reading goes on behind it. Memory is bounded by the longest article.
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
    lines: Option<RecordLines>,
    /// What the last step gave: an article, or all issues of one record.
    found: VecDeque<Found>,
    bytes_read: BytesRead,
}

type Found = std::result::Result<Article, Issue>;

impl ArticleReader {
    /// Reads the inputs in their order.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) and [`Error::NoArticles`](crate::Error::NoArticles), before any input
    /// is read.
    pub fn open(inputs: &[PathBuf], options: ArticleOptions) -> Result<Self> {
        Ok(Self::new(Inputs::new(inputs)?, options))
    }

    /// Reads JSON lines, compressed or not, from a stream, as from standard input.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) when the first bytes cannot be read, or are of a kind that is not read.
    pub fn from_reader(
        reader: impl Read + Send + 'static,
        options: ArticleOptions,
    ) -> Result<Self> {
        let mut articles = Self::new(Inputs::new(&[])?, options);
        let path = Path::new(STDIN);
        let source = decompressed(reader, &articles.bytes_read);
        let source = source.map_err(|problem| Issue::of_file(path, problem))?;
        articles.lines = Some(articles.record_lines(path, source));
        Ok(articles)
    }

    fn new(inputs: Inputs, options: ArticleOptions) -> Self {
        let (found, bytes_read) = (VecDeque::new(), BytesRead::default());
        Self {
            options,
            inputs,
            lines: None,
            found,
            bytes_read,
        }
    }

    /// A count of the bytes read so far, which goes on counting while this reader is used elsewhere.
    pub fn bytes_read(&self) -> BytesRead {
        self.bytes_read.clone()
    }

    /// The size of all inputs as they lie on the disk, in bytes; `None` when standard input is among them.
    pub fn total_bytes(inputs: &[PathBuf]) -> Option<u64> {
        total_bytes(inputs)
    }

    fn record_lines(&self, path: &Path, source: Source) -> RecordLines {
        RecordLines::new(path, source, self.options.max_line_bytes)
    }

    /// Reads the next record or opens the next file. Says whether there was one.
    fn step(&mut self) -> bool {
        let Some(lines) = &mut self.lines else {
            return self.next_file();
        };
        match lines.next() {
            Some(Ok(record)) => self
                .found
                .extend(articles(lines.path(), record, &self.options)),
            Some(Err(issue)) => self.found.push_back(Err(issue)),
            None => self.lines = None,
        }
        true
    }

    fn next_file(&mut self) -> bool {
        let Some(file) = self.inputs.next() else {
            return false;
        };
        if let Err(issue) = file.and_then(|file| self.start(&file)) {
            self.found.push_back(Err(issue));
        }
        true
    }

    fn start(&mut self, file: &InputFile) -> std::result::Result<(), Issue> {
        let whole = |problem| Issue::of_file(&file.path, problem);
        let source = open(&file.path, &self.bytes_read).map_err(whole)?;
        let (kind, source) = kind(&file.path, source).map_err(whole)?;
        match kind {
            Kind::Lines => self.lines = Some(self.record_lines(&file.path, source)),
            Kind::Text => self
                .found
                .push_back(text_article(file, source, &self.options)),
        }
        Ok(())
    }
}

impl Iterator for ArticleReader {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        while self.found.is_empty() && self.step() {}
        self.found.pop_front()
    }
}

/// What a file holds, by its name or else its first character.
fn kind(path: &Path, source: Source) -> std::result::Result<(Kind, Source), Problem> {
    if path == Path::new(STDIN) {
        return Ok((Kind::Lines, source));
    }
    if let Some(kind) = Kind::of_name(path) {
        return Ok((kind, source));
    }
    let (head, source) = peek(source, PEEKED_BYTES)?;
    match head.is_empty() {
        true => Err(Problem::EmptyFile),
        false if starts_like_json(&head) => Ok((Kind::Lines, source)),
        false => Err(Problem::UnknownFormat),
    }
}

/// The article of a record, or all that is wrong with it.
fn articles(path: &Path, record: Record, options: &ArticleOptions) -> Vec<Found> {
    let fields = Fields::new(&record.fields);
    let mut problems = Problems::default();
    let id = problems.keep(fields.identifier(&options.id_field));
    let text = problems.keep(fields.string(&options.text_field));
    if let (Some(id), Some(text)) = (id, text.map(str::to_owned)) {
        let origin = Position {
            path: path.to_path_buf(),
            line: record.line,
        };
        return vec![Ok(Article {
            origin,
            id,
            text,
            fields: record.fields,
        })];
    }
    let issue = |problem| Err(Issue::at(path, record.line, problem));
    problems.into_vec().into_iter().map(issue).collect()
}

/// A whole text file as an article.
fn text_article(file: &InputFile, source: Source, options: &ArticleOptions) -> Found {
    let read = read_text(source, options.max_line_bytes);
    let text = read.map_err(|(line, problem)| Issue {
        path: file.path.clone(),
        line,
        problem,
    })?;
    let mut fields = Map::new();
    fields.insert(options.id_field.clone(), Value::String(file.name.clone()));
    fields.insert(options.text_field.clone(), Value::String(text.clone()));
    let origin = Position {
        path: file.path.clone(),
        line: 1,
    };
    Ok(Article {
        origin,
        id: Some(file.name.clone()),
        text,
        fields,
    })
}

type TextProblem = (Option<u64>, Problem);

fn read_text(source: Source, limit: usize) -> std::result::Result<String, TextProblem> {
    let mut bytes = Vec::new();
    let read = source.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| (None, error.into()))?;
    if bytes.len() > limit {
        return Err((None, Problem::TooLong { limit }));
    }
    if is_utf16(&bytes) {
        return Err((None, Problem::Utf16));
    }
    if bytes.is_empty() {
        return Err((None, Problem::EmptyFile));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (bad, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        invalid_utf8(&bytes[..bad])
    })?;
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// The line of the first bad byte, and its offset there, from the bytes before it.
fn invalid_utf8(valid: &[u8]) -> TextProblem {
    let line_start = valid
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |feed| feed + 1);
    let n_feeds = valid.iter().filter(|&&byte| byte == b'\n').count();
    (
        Some(n_feeds as u64 + 1),
        Problem::InvalidUtf8 {
            offset: valid.len() - line_start,
        },
    )
}
