//! JSON lines as records: every line is an object with a position, or an issue.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vestnik_core::Document;

use crate::compression::{BytesRead, Source, open};
use crate::corpus::Records;
use crate::error::{Error, Result};
use crate::fields::{Fields, Problems};
use crate::issue::{Issue, Position};
use crate::json::parse_object;
use crate::lines::{Line, LineReader, MAX_LINE_BYTES, is_utf16};
use crate::problem::Problem;

/// One line of a file of JSON lines.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) line: u64,
    pub(crate) fields: Map<String, Value>,
}

/// Iterates over the records of one input. Blank lines are skipped.
pub(crate) struct RecordLines {
    path: PathBuf,
    lines: LineReader,
    max_line_bytes: usize,
    started: bool,
    finished: bool,
}

impl RecordLines {
    pub(crate) fn new(path: &Path, source: Source, max_line_bytes: usize) -> Self {
        Self {
            path: path.to_path_buf(),
            lines: LineReader::new(source, max_line_bytes),
            max_line_bytes,
            started: false,
            finished: false,
        }
    }

    /// The next line that is not blank: its number, and what it holds.
    fn next_object(&mut self) -> Option<(Option<u64>, Parsed)> {
        loop {
            let first = !self.started;
            let number = self.lines.number() + 1;
            let line = match self.lines.next_line() {
                Ok(Some(line)) if line.is_blank() => continue,
                Ok(line) => line,
                Err(error) => {
                    self.finished = true;
                    return Some((Some(number), Err(error.into())));
                }
            };
            self.started = true;
            let Some(line) = line else {
                self.finished = true;
                return first.then_some((None, Err(Problem::EmptyFile)));
            };
            if first && let Some(problem) = not_lines(line.bytes) {
                self.finished = true;
                return Some((None, Err(problem)));
            }
            return Some((Some(number), parse(&line, self.max_line_bytes)));
        }
    }
}

type Parsed = std::result::Result<Map<String, Value>, Problem>;

impl Iterator for RecordLines {
    type Item = std::result::Result<Record, Issue>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let (line, parsed) = self.next_object()?;
        let path = self.path.clone();
        Some(match parsed {
            Ok(fields) => Ok(Record {
                line: line.unwrap_or_default(),
                fields,
            }),
            Err(problem) => Err(Issue {
                path,
                line,
                problem,
            }),
        })
    }
}

fn parse(line: &Line<'_>, max_bytes: usize) -> Parsed {
    if line.too_long {
        return Err(Problem::TooLong { limit: max_bytes });
    }
    parse_object(utf8(line.bytes)?)
}

/// A line as text.
pub(crate) fn utf8(line: &[u8]) -> std::result::Result<&str, Problem> {
    simdutf8::compat::from_utf8(line).map_err(|error| Problem::InvalidUtf8 {
        offset: error.valid_up_to(),
    })
}

/// Says when the first line shows that the whole file is no file of lines, so that one mistake gives one issue.
fn not_lines(first_line: &[u8]) -> Option<Problem> {
    if is_utf16(first_line) {
        return Some(Problem::Utf16);
    }
    match first_line.trim_ascii() {
        [b'[', ..] => Some(Problem::NotInLines {
            found: "a JSON array",
            filter: ".[]",
        }),
        b"{" => Some(Problem::NotInLines {
            found: "a JSON object over several lines",
            filter: ".",
        }),
        _ => None,
    }
}

/// Reads a file of JSON lines whole: `convert` makes a value of each record and names what is wrong with it.
pub(crate) fn read_records<T>(
    path: &Path,
    convert: impl FnMut(&Record, &mut Problems) -> Option<T>,
) -> Result<Records<T>> {
    let source = open_file(path)?;
    convert_records(
        path,
        RecordLines::new(path, source, MAX_LINE_BYTES),
        convert,
    )
}

/// Reads the records of a file, wherever they come from, as [`read_records`] does.
pub(crate) fn convert_records<T>(
    path: &Path,
    records: impl Iterator<Item = std::result::Result<Record, Issue>>,
    mut convert: impl FnMut(&Record, &mut Problems) -> Option<T>,
) -> Result<Records<T>> {
    let mut reader = RecordReader {
        path,
        records: Records::default(),
        lines_of_ids: BTreeMap::new(),
    };
    for record in records {
        match record {
            Ok(record) => reader.add(&record, &mut convert),
            Err(issue) if issue.problem.ends_input() => return Err(issue.into()),
            Err(issue) => reader.records.issues.push(issue),
        }
    }
    Ok(reader.records)
}

/// Opens a file that must be there and be readable.
pub(crate) fn open_file(path: &Path) -> Result<Source> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::io("open", path, source))?;
    if metadata.is_dir() {
        return Err(Error::IsFolder {
            path: path.to_path_buf(),
        });
    }
    open(path, &BytesRead::default()).map_err(|problem| Issue::of_file(path, problem).into())
}

struct RecordReader<'a, T> {
    path: &'a Path,
    records: Records<T>,
    lines_of_ids: BTreeMap<String, u64>,
}

impl<T> RecordReader<'_, T> {
    fn add(
        &mut self,
        record: &Record,
        mut convert: impl FnMut(&Record, &mut Problems) -> Option<T>,
    ) {
        let mut problems = Problems::default();
        problems.keep(self.note_id(record));
        let value = convert(record, &mut problems);
        if let (Some(value), true) = (value, problems.is_empty()) {
            let position = Position {
                path: self.path.to_path_buf(),
                line: record.line,
            };
            self.records.positions.push(position);
            self.records.records.push(value);
        }
        let issues = problems.into_vec().into_iter();
        let issues = issues.map(|problem| Issue::at(self.path, record.line, problem));
        self.records.issues.extend(issues);
    }

    /// Refuses an id that an earlier record has.
    fn note_id(&mut self, record: &Record) -> std::result::Result<(), Problem> {
        // An id of a wrong type is named where the record is converted.
        let Ok(Some(id)) = Fields::new(&record.fields).identifier("id") else {
            return Ok(());
        };
        match self.lines_of_ids.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(record.line);
                Ok(())
            }
            Entry::Occupied(entry) => Err(Problem::DuplicateId {
                id: entry.key().clone(),
                first_line: *entry.get(),
            }),
        }
    }
}

/// The fields that the records of all tasks have.
pub(crate) struct Origin {
    pub(crate) id: String,
    pub(crate) lang: Option<String>,
    pub(crate) source: Option<String>,
}

impl Origin {
    /// Reads `id`, `lang` and `source`; a record without an id is named after its file and line.
    pub(crate) fn read(path: &Path, record: &Record, problems: &mut Problems) -> Option<Self> {
        let fields = Fields::new(&record.fields);
        let id = problems.keep(fields.identifier("id"));
        let lang = problems.keep(fields.optional_string("lang"));
        let source = problems.keep(fields.optional_string("source"));
        let id = id?.unwrap_or_else(|| format!("{}:{}", file_name(path), record.line));
        Some(Self {
            id,
            lang: lang?,
            source: source?,
        })
    }

    /// A document without entities.
    pub(crate) fn document(self, text: &str, annotated: Option<Vec<String>>) -> Document {
        let mut document = Document::new(self.id, text);
        if let Some(lang) = self.lang {
            document = document.with_lang(lang);
        }
        if let Some(source) = self.source {
            document = document.with_source(source);
        }
        match annotated {
            Some(labels) => document.with_annotated(labels),
            None => document,
        }
    }
}

/// The last part of a path, for names.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}
