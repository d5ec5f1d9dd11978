//! What a file of a dump holds: by its first bytes, and where they leave it open by its name.

use std::fmt;
use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;
use std::str::FromStr;

use crate::STDIN;
use crate::compression::{Source, extension, without_compression};
use crate::lines::without_byte_order_mark;
use crate::problem::Problem;

/// How articles lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// JSON lines: an object a line.
    JsonLines,
    /// A JSON array of objects, or objects one after another, over any lines.
    Json,
    /// Plain text: the whole file is one article.
    Text,
    /// Values separated by commas, or by what stands most often in the header: tabs, semicolons or bars.
    Csv,
    /// Values separated by tabs.
    Tsv,
    /// Parquet.
    Parquet,
    /// A web archive.
    Warc,
    /// A dump of MediaWiki in XML.
    MediaWiki,
    /// A web page: the article in it.
    Html,
}

impl InputFormat {
    /// All formats.
    pub const ALL: [Self; 9] = [
        Self::JsonLines,
        Self::Json,
        Self::Text,
        Self::Csv,
        Self::Tsv,
        Self::Parquet,
        Self::Warc,
        Self::MediaWiki,
        Self::Html,
    ];

    /// The name: `jsonl`, `json`, `text`, `csv`, `tsv`, `parquet`, `warc`, `mediawiki` or `html`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
            Self::Warc => "warc",
            Self::MediaWiki => "mediawiki",
            Self::Html => "html",
        }
    }

    /// Whether a file may start with anything in this format, so that its name decides.
    fn is_not_to_be_guessed(self) -> bool {
        matches!(self, Self::Text | Self::Csv | Self::Tsv)
    }

    /// What the name of a file says, without its compression.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        match extension(&without_compression(path)).as_str() {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "json" => Some(Self::Json),
            "txt" => Some(Self::Text),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" | "pq" => Some(Self::Parquet),
            "warc" | "wet" => Some(Self::Warc),
            "xml" => Some(Self::MediaWiki),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            _ => None,
        }
    }
}

/// Shows the name.
impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for InputFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == name);
        known.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// How far into a file to look for what it is.
const LOOKED_BYTES: usize = 1024;

/// Looks at the start of a source: up to the end of the first line that is not blank. The source gives it again.
///
/// Waits for no more than that, so that a pipe may be slow.
pub(super) fn look(mut source: Source) -> io::Result<(Vec<u8>, Source)> {
    let mut head = Vec::new();
    while head.len() < LOOKED_BYTES && !has_line(&head) {
        let found = source.fill_buf()?;
        if found.is_empty() {
            break;
        }
        let n_bytes = found.len();
        head.extend_from_slice(found);
        source.consume(n_bytes);
    }
    let whole: Source = Box::new(Cursor::new(head.clone()).chain(source));
    Ok((head, whole))
}

fn has_line(head: &[u8]) -> bool {
    without_byte_order_mark(head)
        .trim_ascii_start()
        .contains(&b'\n')
}

/// The format of a file.
pub(super) fn detect(path: &Path, head: &[u8]) -> Result<InputFormat, Problem> {
    let named = InputFormat::of_name(path);
    let start = without_byte_order_mark(head).trim_ascii_start();
    if let Some(format) = named
        && format.is_not_to_be_guessed()
    {
        return Ok(format);
    }
    if named == Some(InputFormat::JsonLines) && !is_open_brace(start) && start.starts_with(b"{") {
        // A line that was cut is one bad record of many, not the first line of a value over several lines.
        return Ok(InputFormat::JsonLines);
    }
    if let Some(format) = of_content(start) {
        return Ok(format);
    }
    match named {
        Some(InputFormat::Json) => Ok(InputFormat::JsonLines),
        Some(format) => Ok(format),
        None if path == Path::new(STDIN) => Ok(InputFormat::JsonLines),
        None if head.is_empty() => Err(Problem::EmptyFile),
        None => Err(Problem::UnknownFormat),
    }
}

/// Whether the first line is the brace of a value over several lines.
fn is_open_brace(start: &[u8]) -> bool {
    let line = start.split(|&byte| byte == b'\n').next();
    line.is_some_and(|line| line.trim_ascii_end() == b"{")
}

/// What the first characters that are no blanks show.
fn of_content(start: &[u8]) -> Option<InputFormat> {
    match start {
        [b'[', ..] => Some(InputFormat::Json),
        [b'{', ..] => {
            let line = start
                .split(|&byte| byte == b'\n')
                .next()
                .unwrap_or_default();
            let whole = line.trim_ascii_end().ends_with(b"}") || !start.contains(&b'\n');
            Some(if whole {
                InputFormat::JsonLines
            } else {
                InputFormat::Json
            })
        }
        [b'P', b'A', b'R', b'1', ..] => Some(InputFormat::Parquet),
        [b'W', b'A', b'R', b'C', b'/', ..] => Some(InputFormat::Warc),
        [b'<', ..] => of_markup(start),
        _ => None,
    }
}

/// What a text with tags is; a text with any other one is no dump.
fn of_markup(start: &[u8]) -> Option<InputFormat> {
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    if start.contains("<mediawiki") {
        return Some(InputFormat::MediaWiki);
    }
    let is_page = ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.contains(tag));
    is_page.then_some(InputFormat::Html)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, head: &str) -> Option<&'static str> {
        detect(Path::new(name), head.as_bytes())
            .ok()
            .map(InputFormat::as_str)
    }

    #[test]
    fn content_decides_before_the_name() {
        assert_eq!(found("a.jsonl", " [\n{}]"), Some("json"));
        assert_eq!(found("a.json", "{\"a\":1}\n{}"), Some("jsonl"));
        assert_eq!(found("a.json", "{\n \"a\":1}"), Some("json"));
        assert_eq!(found("a.json", "{\"a\": \"cut"), Some("jsonl"));
        assert_eq!(found("a.jsonl", "no json"), Some("jsonl"));
        assert_eq!(found("a.jsonl", "{\"a\": \"cut\n{}\n"), Some("jsonl"));
        assert_eq!(found("a.jsonl", "{ \n \"a\":1}"), Some("json"));
        assert_eq!(found("a", "{\"a\":\n1}"), Some("json"));
        assert_eq!(found("a.txt", "{}"), Some("text"));
        assert_eq!(found("-", ""), Some("jsonl"));
        assert_eq!(found("dump", "\u{feff}{}"), Some("jsonl"));
        assert_eq!(found("dump", "hello"), None);
        assert_eq!(found("dump", "WARC/1.0\r\n"), Some("warc"));
        assert_eq!(found("dump", "PAR1"), Some("parquet"));
        assert_eq!(found("a.csv", "{x},y"), Some("csv"));
        assert_eq!(
            found("dump.xml", "<mediawiki xmlns=\"x\""),
            Some("mediawiki")
        );
        assert_eq!(found("page", "<!DOCTYPE html>"), Some("html"));
    }

    #[test]
    fn looking_loses_nothing_and_waits_for_one_line() {
        let source: Source = Box::new(Cursor::new(b"\n\n{\"a\":1}\n{\"b\":2}\n".to_vec()));
        let (head, mut source) = look(source).unwrap();
        let mut text = String::new();
        source.read_to_string(&mut text).unwrap();
        assert!(head.starts_with(b"\n\n{\"a\":1}\n"));
        assert_eq!(text, "\n\n{\"a\":1}\n{\"b\":2}\n");
    }
}
