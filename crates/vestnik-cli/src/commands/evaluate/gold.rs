//! Annotated documents of files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_core::{Document, LabelSet};

use super::part::PartArgs;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::report::measured::Sourced;
use crate::report::scored::source_of;

/// A document and its file.
pub(crate) struct Gold<'a> {
    pub(crate) document: Document,
    pub(crate) path: &'a Path,
}

/// Reads the files; all their defects are told.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Gold<'_>>> {
    let mut reading = Reading::nested();
    let mut gold = Vec::new();
    for path in paths {
        let documents = reading.read(path).into_iter();
        gold.extend(documents.map(|document| Gold { document, path }));
    }
    reading.finish()?;
    Ok(gold)
}

/// As [`read`], of the part that is asked for.
pub(super) fn read_part<'a>(paths: &'a [PathBuf], part: &PartArgs) -> Result<Vec<Gold<'a>>> {
    let mut gold = read(paths)?;
    gold.retain(|gold| part.takes(gold.document.text()));
    part.refuse_empty(paths, gold.is_empty())?;
    Ok(gold)
}

/// A label that the model cannot give would only lower its score without a word.
pub(crate) fn refuse_unknown_labels(gold: &[Gold<'_>], known: &LabelSet) -> Result<()> {
    let stranger = gold.iter().find_map(|Gold { document, .. }| {
        let entity = document
            .entities()
            .iter()
            .find(|e| known.id(&e.label).is_none())?;
        Some((document.id(), entity.label.as_str()))
    });
    let Some((id, label)) = stranger else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().collect();
    let message = format!("document {id:?} has the label {label:?}, which the model does not know");
    Err(Mistake::new(message)
        .hint(format!("the model knows {}", known.join(", ")))
        .into())
}

/// The documents with the names of their files.
pub(crate) fn sourced<'a>(gold: &'a [Gold<'_>]) -> Vec<Sourced<'a>> {
    gold.iter()
        .map(|gold| (&gold.document, source_of(gold.path)))
        .collect()
}
