//! Which format a file or folder has, by its name and its first records.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Format, label_studio};
use crate::compression::{extension, peek, without_compression};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::files::files_below;
use crate::inputs::{PEEKED_BYTES, starts_like_json};
use crate::issue::Issue;
use crate::json_array::for_each_element;
use crate::lines::{MAX_LINE_BYTES, without_byte_order_mark};
use crate::records::{RecordLines, open_file};

/// How many records are looked at, where the first ones may be of several formats.
const RECORDS: usize = 200;

/// The first line of WebAnno TSV 3, but for its minor version.
pub(super) const WEBANNO_HEADER: &str = "#FORMAT=WebAnno TSV 3";

/// The number of columns of CoNLL-U.
const CONLLU_COLUMNS: usize = 10;

pub(super) fn detect(path: &Path) -> Result<Format> {
    if path.is_dir() {
        return of_folder(path);
    }
    let name = without_compression(path);
    match extension(&name).as_str() {
        "ann" => Ok(Format::Brat),
        "txt" if name.with_extension("ann").is_file() => Ok(Format::Brat),
        "conllu" | "conllup" => Ok(Format::Conllu),
        "jsonl" | "json" | "ndjson" => of_json(path),
        "parquet" => Ok(Format::HfParquet),
        // A token may be a brace too.
        "conll" | "conll03" | "iob" | "iob2" | "bio" | "bioes" | "bilou" | "col" | "tsv" => {
            Ok(of_lines(&head(path)?))
        }
        _ => of_content(path),
    }
}

pub(super) fn of_output(path: &Path) -> Option<Format> {
    match extension(&without_compression(path)).as_str() {
        "jsonl" | "ndjson" => Some(Format::Vestnik),
        "json" => Some(Format::LabelStudio),
        "conll" | "iob" | "iob2" | "bio" => Some(Format::Conll),
        "conllu" => Some(Format::Conllu),
        "parquet" => Some(Format::HfParquet),
        _ => None,
    }
}

fn of_folder(folder: &Path) -> Result<Format> {
    if !files_below(folder, &["ann"])?.is_empty() {
        return Ok(Format::Brat);
    }
    if !files_below(folder, &["tsv"])?.is_empty() {
        return Ok(Format::WebAnno);
    }
    let json = files_below(folder, &["json"])?;
    if let Some(first) = json.first()
        && of_json(first)? == Format::Cas
    {
        return Ok(Format::Cas);
    }
    Err(Error::NoCorpus {
        folder: folder.to_path_buf(),
    })
}

fn head(path: &Path) -> Result<Vec<u8>> {
    let peeked = peek(open_file(path)?, 8 * PEEKED_BYTES);
    let (head, _) = peeked.map_err(|error| Issue::of_file(path, error.into()))?;
    Ok(head)
}

fn of_content(path: &Path) -> Result<Format> {
    let head = head(path)?;
    if starts_like_json(&head) {
        return of_json(path);
    }
    Ok(of_lines(&head))
}

/// A format of lines, which are no JSON.
fn of_lines(head: &[u8]) -> Format {
    let head = String::from_utf8_lossy(without_byte_order_mark(head)).into_owned();
    if head.starts_with(WEBANNO_HEADER) {
        Format::WebAnno
    } else if is_conllu(&head) {
        Format::Conllu
    } else {
        Format::Conll
    }
}

/// CoNLL-U has ten columns, the first one counts from 1 or names a range, and the last one is no tag.
fn is_conllu(head: &str) -> bool {
    let mut lines = head
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let Some(line) = lines.next() else {
        return false;
    };
    let columns: Vec<&str> = line.split('\t').collect();
    let counts = matches!(columns[0], "1" | "0.1") || columns[0].starts_with("1-");
    counts && columns.len() == CONLLU_COLUMNS && (columns[9] == "_" || columns[9].contains('='))
}

fn of_json(path: &Path) -> Result<Format> {
    let peeked = peek(open_file(path)?, PEEKED_BYTES);
    let (head, source) = peeked.map_err(|error| Issue::of_file(path, error.into()))?;
    if is_cas(&head) {
        return Ok(Format::Cas);
    }
    if without_byte_order_mark(&head)
        .trim_ascii_start()
        .starts_with(b"[")
    {
        let mut format = Format::Vestnik;
        let read = for_each_element(source, &mut |element| {
            format = element
                .value
                .as_object()
                .and_then(of_record)
                .unwrap_or(format);
            false
        });
        // Only one format is an array; what is broken is named when the file is read.
        if read.is_err() {
            format = Format::LabelStudio;
        }
        return Ok(format);
    }
    let records = RecordLines::new(path, source, MAX_LINE_BYTES).take(RECORDS);
    let format = records
        .flatten()
        .find_map(|record| of_record(&record.fields));
    Ok(format.unwrap_or(Format::Vestnik))
}

/// The first field of a CAS is one of its keywords, which begin with `%`.
fn is_cas(head: &[u8]) -> bool {
    let head = without_byte_order_mark(head).trim_ascii_start();
    let field = head.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    field.is_some_and(|field| field.starts_with(b"\"%"))
}

/// The format of a record; `None` when it fits several.
fn of_record(record: &Map<String, Value>) -> Option<Format> {
    let array = |name: &str| record.get(name).and_then(Value::as_array);
    if array("tokens").is_some() && !record.contains_key("entities") {
        return Some(Format::HfJson);
    }
    let made_by_tool = ["annotations", "completions"];
    if record.get("data").is_some_and(Value::is_object)
        && made_by_tool.iter().any(|name| record.contains_key(*name))
    {
        return Some(Format::LabelStudio);
    }
    if label_studio::is_flat(&Fields::new(record)) {
        return Some(Format::LabelStudio);
    }
    if let Some(first) = array("entities").and_then(|entities| entities.first()) {
        let doccano = first.get("start_offset").is_some();
        return Some(if doccano {
            Format::Doccano
        } else {
            Format::Vestnik
        });
    }
    if record.contains_key("relations") || record.contains_key("Comments") {
        return Some(Format::Doccano);
    }
    let labels = array("label").or_else(|| array("labels"))?;
    let spans = labels.first().is_none_or(Value::is_array);
    (spans && !record.contains_key("entities")).then_some(Format::Doccano)
}
