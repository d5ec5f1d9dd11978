//! The lines of a run: a tagged record, and where it was found.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use vestnik_core::{OffsetMap, OffsetUnit};

use super::{Lines, OutputOptions};
use crate::articles::{Article, ArticleOptions, text};
use crate::atomic::write_beside;
use crate::error::{Error, Result};
use crate::issue::Issue;
use crate::problem::Problem;
use crate::record::RecordFields;

/// A line that says where its record was found, for [`write_output`](super::write_output).
#[must_use]
pub fn located(article: &Article, record: &str) -> String {
    let path = written_path(&article.origin.path);
    format!(
        "{}\t{}\t{path}\t{record}",
        article.record, article.origin.line
    )
}

/// A path as a line tells it: a tab would end it, and a line is text.
pub(super) fn written_path(path: &Path) -> String {
    path.to_string_lossy().replace('\t', " ")
}

/// A line, taken apart.
pub(super) struct Line {
    /// The number of the record in all inputs, from 1.
    pub(super) record_number: u64,
    /// The line, or the row, in its file; from 1.
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) record: RecordFields,
}

impl Line {
    pub(super) fn parse(line: Result<String>) -> Result<Self> {
        let line = line?;
        let parts: Vec<&str> = line.splitn(4, '\t').collect();
        let damaged = |problem| Error::from(Issue::of_file(Path::new("parts"), problem));
        let [record_number, number, path, json] = parts[..] else {
            return Err(damaged(Problem::EmptyFile));
        };
        Ok(Self {
            record_number: record_number.parse().unwrap_or_default(),
            number: number.parse().unwrap_or_default(),
            path: path.into(),
            record: RecordFields::parse(json).map_err(damaged)?,
        })
    }
}

/// The numbers of the records that the lines come from, in their order.
///
/// # Errors
/// Those of the lines.
pub fn record_numbers(lines: Lines<'_>) -> Result<Vec<u64>> {
    parsed(lines).map(|line| Ok(line?.record_number)).collect()
}

/// All lines, taken apart.
pub(super) fn parsed<'a>(lines: Lines<'a>) -> impl Iterator<Item = Result<Line>> + use<'a> {
    lines().map(Line::parse)
}

/// Writes the records alone.
pub(super) fn write(lines: Lines<'_>, path: &Path) -> Result<()> {
    let records: Box<dyn Iterator<Item = Result<Line>>> = Box::new(parsed(lines));
    let mut failed = None;
    write_beside(path, |out| {
        for line in records {
            match line {
                Ok(line) => writeln!(out, "{}", line.record)?,
                Err(error) => {
                    failed = Some(error);
                    return Err(std::io::Error::other("the lines end"));
                }
            }
        }
        Ok(())
    })
    .map_err(|error| failed.take().unwrap_or(error))
}

/// The unit of the offsets of a tagged record.
pub(super) fn unit(record: &Map<String, Value>) -> OffsetUnit {
    let unit = record
        .get("vestnik")
        .and_then(|made_by| made_by.get("offset_unit"));
    unit.and_then(Value::as_str)
        .and_then(|unit| unit.parse().ok())
        .unwrap_or_default()
}

/// A record whose text is in `text`, with offsets into that: fields that were read together become one.
pub(super) fn with_one_text(line: &Line, options: &OutputOptions<'_>) -> Map<String, Value> {
    let mut record = line.record.to_map();
    if options.text_fields == ["text"] {
        return record;
    }
    let article_options = ArticleOptions {
        text_fields: options.text_fields.to_vec(),
        max_text_bytes: usize::MAX,
        ..ArticleOptions::default()
    };
    let Ok((text, parts)) = text(&line.record, &article_options) else {
        return record;
    };
    let offsets = OffsetMap::new(&text, unit(&record));
    for entity in record
        .get_mut("entities")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let field = entity
            .get("field")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some(part) = parts.iter().find(|part| part.field == field) else {
            continue;
        };
        let shift = offsets.from_byte(part.start) as u64;
        for end in ["start", "end"] {
            if let Some(offset) = entity[end].as_u64() {
                entity[end] = (offset + shift).into();
            }
        }
    }
    record.insert("text".to_owned(), text.into());
    record
}
