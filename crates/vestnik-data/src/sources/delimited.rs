//! CSV and TSV: a record a row, named by the header; all values are strings.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde_json::Value;

use super::{Found, RawRecord};
use crate::compression::Source;
use crate::issue::Rejected;
use crate::problem::Problem;

/// What may stand between two values.
const DELIMITERS: [u8; 4] = *b",\t;|";

pub(super) struct Rows {
    path: PathBuf,
    reader: Reader<Bounded>,
    /// Bytes that the next record may still have.
    left: Arc<AtomicUsize>,
    max_bytes: usize,
    names: Vec<String>,
    finished: bool,
}

/// The delimiter that stands most often in the first line.
pub(super) fn delimiter(head: &[u8]) -> u8 {
    let line = head
        .trim_ascii_start()
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: u8| memchr::memchr_iter(delimiter, line).count();
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|&delimiter| count(delimiter))
        .unwrap_or(b',')
}

impl Rows {
    /// Reads the header.
    pub(super) fn open(
        path: &Path,
        source: Source,
        delimiter: u8,
        max_bytes: usize,
    ) -> Result<Self, Problem> {
        let left = Arc::new(AtomicUsize::new(max_bytes));
        let bounded = Bounded {
            source,
            left: left.clone(),
            last: b'\n',
            ended: false,
        };
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bounded);
        let header = reader.byte_headers().map_err(problem)?.clone();
        let names = header
            .iter()
            .map(|name| Ok(crate::records::utf8(name)?.trim().to_owned()));
        let names = names.collect::<Result<Vec<String>, Problem>>()?;
        if names.is_empty() {
            return Err(Problem::EmptyFile);
        }
        let twice = (1..names.len()).find(|&at| names[..at].contains(&names[at]));
        if let Some(at) = twice {
            return Err(Problem::FieldTwice {
                field: names[at].clone(),
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            reader,
            left,
            max_bytes,
            names,
            finished: false,
        })
    }

    fn open_quote(&self, row: &ByteRecord, line: u64) -> Rejected {
        let problem = "a quote is not closed, the rest of the file is in it";
        Rejected {
            path: self.path.clone(),
            line: Some(line),
            problems: vec![io::Error::other(problem).into()],
            record: Some(as_json(row)),
        }
    }

    fn record(&self, row: &ByteRecord, line: u64) -> Found {
        let rejected = |problem| Rejected {
            path: self.path.clone(),
            line: Some(line),
            problems: vec![problem],
            record: Some(as_json(row)),
        };
        if row.len() != self.names.len() {
            return Err(rejected(Problem::ValueCount {
                found: row.len(),
                expected: self.names.len(),
            }));
        }
        let mut json = String::from("{");
        for (name, value) in self.names.iter().zip(row) {
            let value = crate::records::utf8(value).map_err(rejected)?;
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&Value::from(name.as_str()).to_string());
            json.push(':');
            json.push_str(&Value::from(value).to_string());
        }
        json.push('}');
        Ok(RawRecord { line, json })
    }
}

/// A row as a JSON array, for the file of errors.
fn as_json(row: &ByteRecord) -> Vec<u8> {
    let values = row.iter().map(String::from_utf8_lossy);
    let values: Value = values.map(|value| Value::from(value.as_ref())).collect();
    values.to_string().into_bytes()
}

fn problem(error: csv::Error) -> Problem {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => io::Error::other(format!("{other:?}")).into(),
    }
}

impl Iterator for Rows {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.finished {
            return None;
        }
        // The reader may have taken the start of the record with the last block.
        self.left.store(self.max_bytes, Ordering::Relaxed);
        let mut row = ByteRecord::new();
        match self.reader.read_byte_record(&mut row) {
            Ok(true) => {
                let line = row.position().map_or(0, csv::Position::line);
                if self.reader.get_ref().is_open(&row) {
                    return Some(Err(self.open_quote(&row, line)));
                }
                Some(self.record(&row, line))
            }
            Ok(false) => None,
            Err(error) => {
                self.finished = true;
                let line = self.reader.position().line();
                Some(Err(Rejected::file(&self.path, Some(line), problem(error))))
            }
        }
    }
}

/// Ends a source when one record takes more bytes than allowed: a quote that is never closed would take all of it.
struct Bounded {
    source: Source,
    left: Arc<AtomicUsize>,
    /// The last byte so far that ends no line.
    last: u8,
    ended: bool,
}

impl Bounded {
    /// Whether a row, if it is the last one, has a quote that is not closed: it goes over lines up to the end of the file, which
    /// is no quote.
    fn is_open(&self, row: &ByteRecord) -> bool {
        let goes_over_lines = |value: &[u8]| value.contains(&b'\n');
        self.ended && self.last != b'"' && row.iter().next_back().is_some_and(goes_over_lines)
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(
                "a row is too long; is a quote not closed?",
            ));
        }
        let n_bytes = self.source.read(buffer)?;
        let ends_no_line = |byte: &&u8| !matches!(byte, b'\n' | b'\r');
        if let Some(&last) = buffer[..n_bytes].iter().rfind(ends_no_line) {
            self.last = last;
        }
        self.ended = n_bytes == 0;
        self.left
            .store(left.saturating_sub(n_bytes), Ordering::Relaxed);
        Ok(n_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn rows(csv: &[u8], max_bytes: usize) -> Vec<Result<String, String>> {
        let source: Source = Box::new(Cursor::new(csv.to_vec()));
        let rows = Rows::open(Path::new("a.csv"), source, delimiter(csv), max_bytes).unwrap();
        rows.map(|row| match row {
            Ok(record) => Ok(format!("{} {}", record.line, record.json)),
            Err(rejected) => Err(rejected.to_string()),
        })
        .collect()
    }

    #[test]
    fn rows_are_named_by_the_header() {
        let csv = "\u{feff}id;text\n1;\"Рим; \"\"вечный\"\"\nгород\"\n2;x;y\n3;z\n";
        let found = rows(csv.as_bytes(), 1000);
        assert_eq!(
            found,
            [
                Ok(r#"2 {"id":"1","text":"Рим; \"вечный\"\nгород"}"#.to_owned()),
                Err("a.csv:4: found 3 values, expected 2 as in the header".to_owned()),
                Ok(r#"5 {"id":"3","text":"z"}"#.to_owned()),
            ]
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told() {
        let found = rows(b"id,text\n0,\"a\nb\"\n1,\"unclosed\n2,two\n", 1000);
        assert_eq!(found[0], Ok(r#"2 {"id":"0","text":"a\nb"}"#.to_owned()));
        assert_eq!(found.len(), 2);
        let problem = found[1].as_ref().unwrap_err();
        assert!(
            problem.starts_with("a.csv:4:") && problem.contains("not closed"),
            "{problem}"
        );
        for sound in [
            "id,text\n1,\"a\nb\"",
            "id,text\n\"a\nb\",1\n",
            "id,text\n1,b\n",
        ] {
            assert!(rows(sound.as_bytes(), 1000)[0].is_ok(), "{sound}");
        }
    }

    #[test]
    fn delimiters_are_found() {
        assert_eq!(delimiter(b"a\tb\tc,d\n,,,,"), b'\t');
        assert_eq!(delimiter(b"text\nx"), b',');
        assert_eq!(delimiter(b"a|b"), b'|');
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let found = rows(b"text\n\xff\n", 1000);
        assert!(
            found[0]
                .as_ref()
                .is_err_and(|message| message.contains("invalid UTF-8")),
            "{found:?}"
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_does_not_take_the_memory() {
        let csv = format!("text\n\"{}", "a\n".repeat(1 << 20));
        let found = rows(csv.as_bytes(), 1 << 16);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .as_ref()
                .is_err_and(|message| message.contains("is a quote not closed")),
            "{found:?}"
        );
    }
}
