//! Annotated documents, and what a model finds in them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_core::{Document, LabelSet};
use vestnik_infer::Vestnik;

use super::predictions;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::output::Output;
use crate::progress::{Progress, ProgressMode};
use crate::report::scored::{Scored, source_of, tag};

/// Documents that are handed to the model at once.
const CHUNK: usize = 64;

/// A document and its file.
pub(crate) struct Gold<'a> {
    pub(crate) document: Document,
    pub(crate) path: &'a Path,
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) scored: Vec<Scored>,
    pub(crate) tokens: usize,
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

/// Tags the documents, and writes what was found to `predictions`.
pub(crate) fn measure(
    progress: ProgressMode,
    vestnik: &Vestnik,
    gold: &[Gold<'_>],
    mut predictions: Option<&mut Output>,
) -> Result<Measured> {
    let mut progress = Progress::new(progress, Some(gold.len() as u64));
    let mut measured = Measured {
        scored: Vec::with_capacity(gold.len()),
        tokens: 0,
    };
    for chunk in gold.chunks(CHUNK) {
        let documents: Vec<(&Document, String)> = chunk
            .iter()
            .map(|gold| (&gold.document, source_of(gold.path)))
            .collect();
        let (scored, tokens) = tag(vestnik, &documents)?;
        if let Some(out) = predictions.as_deref_mut() {
            predictions::write(out, &scored)?;
        }
        measured.scored.extend(scored);
        measured.tokens += tokens;
        let done = measured.scored.len() as u64;
        progress.update(done, || vec![("documents", done.into())]);
    }
    let done = measured.scored.len() as u64;
    progress.finish(done, vec![("documents", done.into())]);
    Ok(measured)
}
