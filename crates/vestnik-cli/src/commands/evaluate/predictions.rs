//! Files of predictions: what `--predictions` writes and `--compare` reads.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit};

use super::gold::Gold;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::output::Output;
use crate::report::scored::Scored;

#[derive(Serialize)]
struct Prediction<'a> {
    id: &'a str,
    lang: Option<&'a str>,
    text: &'a str,
    entities: Vec<PredictedEntity<'a>>,
}

#[derive(Serialize)]
struct PredictedEntity<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    score: Option<f32>,
}

/// Writes a line for each document.
pub(super) fn write(out: &mut Output, documents: &[Scored]) -> Result<()> {
    for scored in documents {
        let line = serde_json::to_string(&record(scored))?;
        writeln!(out, "{line}").context("cannot write the predictions")?;
    }
    Ok(())
}

fn record(scored: &Scored) -> Prediction<'_> {
    let document = &scored.document;
    let map = OffsetMap::new(document.text(), OffsetUnit::Char);
    Prediction {
        id: document.id(),
        lang: document.lang(),
        text: document.text(),
        entities: scored
            .predicted
            .iter()
            .map(|entity| PredictedEntity {
                start: map.from_byte(entity.span.start()),
                end: map.from_byte(entity.span.end()),
                label: &entity.label,
                score: entity.score,
            })
            .collect(),
    }
}

/// The entities of a file of predictions in the order of the documents `gold`, told by id and text.
///
/// # Errors
/// The file has defects, or is not about the same documents.
pub(super) fn read(path: &Path, gold: &[Gold<'_>]) -> Result<Vec<Vec<Entity>>> {
    let mut reading = Reading::nested();
    let documents = reading.read(path);
    reading.finish()?;
    let n_predicted = documents.len();
    let mut by_document: BTreeMap<(&str, &str), VecDeque<&Document>> = BTreeMap::new();
    for document in &documents {
        let key = (document.id(), document.text());
        by_document.entry(key).or_default().push_back(document);
    }
    let mut predictions = Vec::with_capacity(gold.len());
    for Gold { document, .. } in gold {
        let found = by_document.get_mut(&(document.id(), document.text()));
        let Some(found) = found.and_then(VecDeque::pop_front) else {
            return Err(missing(path, document, &documents));
        };
        predictions.push(found.entities().to_vec());
    }
    if n_predicted > gold.len() {
        let more = by_document.values().flatten().next().map(|d| d.id());
        return Err(other_documents(format!(
            "{} has the document {:?}, which the data do not have",
            path.display(),
            more.unwrap_or_default()
        )));
    }
    Ok(predictions)
}

fn missing(path: &Path, document: &Document, predicted: &[Document]) -> anyhow::Error {
    let (path, id) = (path.display(), document.id());
    let has_id = predicted.iter().any(|other| other.id() == id);
    other_documents(match has_id {
        true => format!("{path} has another text for the document {id:?} than the data"),
        false => format!("{path} lacks the document {id:?} of the data"),
    })
}

fn other_documents(message: String) -> anyhow::Error {
    Mistake::new(message)
        .hint("both sides must be over the documents of --data")
        .into()
}
