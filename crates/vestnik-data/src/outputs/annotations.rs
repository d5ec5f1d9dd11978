//! Tagged articles in the formats of annotated corpora, some documents at a time.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value};

use super::line::{Line, parsed, with_one_text};
use super::{Lines, LossCounts, OutputOptions};
use crate::atomic::AtomicFile;
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::formats::{Format, WriteOptions, write_corpus, write_folder, write_predictions};
use crate::issue::{Issue, Position};
use crate::loss::Loss;
use crate::ner::document_with_others;
use crate::records::Record;
use vestnik_core::ColumnScheme;

/// Documents that are in memory at a time, and files of a folder.
const DOCUMENTS: usize = 1000;

pub(super) fn write(
    lines: Lines<'_>,
    format: Format,
    path: &Path,
    options: &OutputOptions<'_>,
) -> Result<LossCounts> {
    let write_options = WriteOptions {
        scheme: ColumnScheme::Iob2,
        segmenter: options.segmenter,
        labels: &[],
    };
    match format.is_folder() {
        true => write_folders(lines, format, path, options, &write_options),
        false => write_file(lines, format, path, options, &write_options),
    }
}

/// Documents, some at a time.
fn corpora<'l, 'o>(
    lines: Lines<'l>,
    options: &'o OutputOptions<'o>,
) -> impl Iterator<Item = Result<Corpus>> + use<'l, 'o> {
    let mut lines: Box<dyn Iterator<Item = Result<Line>> + 'l> = Box::new(parsed(lines));
    std::iter::from_fn(move || {
        let mut corpus = Corpus::default();
        for line in lines.by_ref().take(DOCUMENTS) {
            if let Err(error) = line.and_then(|line| add(&mut corpus, &line, options)) {
                return Some(Err(error));
            }
        }
        (!corpus.documents.is_empty()).then_some(Ok(corpus))
    })
}

fn add(corpus: &mut Corpus, line: &Line, options: &OutputOptions<'_>) -> Result<()> {
    let mut fields = with_one_text(line, options);
    let misfits = take_misfits(&mut fields);
    let record = Record {
        line: line.number,
        fields,
    };
    let read = document_with_others(&line.path, &record);
    let (document, mut others) =
        read.map_err(|problem| Error::from(Issue::at(&line.path, line.number, problem)))?;
    let position = Position {
        path: line.path.clone(),
        line: line.number,
    };
    others.extend(misfits);
    corpus.push_with(document, position, others);
    Ok(())
}

/// Takes out the fields of an article whose names a document has for something else: nobody said that they would be read.
fn take_misfits(fields: &mut Map<String, Value>) -> Map<String, Value> {
    let misfits: Vec<&str> = ["id", "lang", "source", "annotated"]
        .into_iter()
        .filter(|name| {
            fields
                .get(*name)
                .is_some_and(|value| !fits(name, value, fields))
        })
        .collect();
    let taken = |name: &str| Some((name.to_owned(), fields.shift_remove(name)?));
    misfits.into_iter().filter_map(taken).collect()
}

fn fits(name: &str, value: &Value, fields: &Map<String, Value>) -> bool {
    match (name, value) {
        (_, Value::Null)
        | ("id" | "lang" | "source", Value::String(_))
        | ("id", Value::Number(_)) => true,
        ("annotated", Value::Array(known)) => {
            let entities = fields.get("entities").and_then(Value::as_array);
            let labels = entities
                .into_iter()
                .flatten()
                .filter_map(|entity| entity.get("label"));
            known.iter().all(Value::is_string)
                && labels.into_iter().all(|label| known.contains(label))
        }
        _ => false,
    }
}

fn count(losses: Vec<Loss>, counts: &mut LossCounts) {
    for loss in losses {
        *counts.entry(loss.kind.to_string()).or_default() += 1;
    }
}

fn write_file(
    lines: Lines<'_>,
    format: Format,
    path: &Path,
    options: &OutputOptions<'_>,
    write_options: &WriteOptions<'_>,
) -> Result<LossCounts> {
    let failed = |source| Error::io("write", path, source);
    let mut counts = LossCounts::new();
    let mut file = AtomicFile::create(path)?;
    let mut n_documents = 0;
    for corpus in corpora(lines, options) {
        let corpus = corpus?;
        let losses = match format {
            Format::LabelStudio => write_predictions(&corpus, n_documents, &mut file),
            _ => write_corpus(&corpus, format, write_options, &mut file),
        };
        count(losses.map_err(failed)?, &mut counts);
        n_documents += corpus.documents.len();
    }
    if format == Format::LabelStudio {
        let end: &[u8] = if n_documents == 0 { b"[]\n" } else { b"\n]\n" };
        file.write_all(end).map_err(failed)?;
    }
    file.commit()?;
    Ok(counts)
}

/// A folder of its own for each thousand documents, when there are more.
fn write_folders(
    lines: Lines<'_>,
    format: Format,
    path: &Path,
    options: &OutputOptions<'_>,
    write_options: &WriteOptions<'_>,
) -> Result<LossCounts> {
    let failed = |source| Error::io("write", path, source);
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    if partial.exists() {
        fs::remove_dir_all(partial).map_err(failed)?;
    }
    let mut counts = LossCounts::new();
    let mut corpora = corpora(lines, options).peekable();
    let mut number = 0;
    while let Some(corpus) = corpora.next() {
        let many = number > 0 || corpora.peek().is_some();
        let folder = match many {
            true => partial.join(format!("{number:06}")),
            false => partial.to_path_buf(),
        };
        if many {
            fs::create_dir_all(partial).map_err(failed)?;
        }
        count(
            write_folder(&corpus?, format, write_options, &folder, false)?,
            &mut counts,
        );
        number += 1;
    }
    if path.is_dir() {
        // It was seen to be empty when the run began; one that is not is left alone.
        fs::remove_dir(path).map_err(failed)?;
    }
    fs::rename(partial, path).map_err(failed)?;
    Ok(counts)
}
