//! How annotated files are read: the arguments that commands share, and texts divided into tokens for writing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_core::{ColumnScheme, OffsetUnit, Span};
use vestnik_data::{
    ColumnOptions, Corpus, Format, Issue, Loss, LossKind, ReadOptions, WriteOptions, read_corpus,
};

use crate::failure::Mistake;
use crate::output::note;

/// Most lines of one kind that are told on standard error.
const TOLD: usize = 20;

/// What the files do not say of themselves.
#[derive(Debug, clap::Args)]
pub(super) struct ReadArgs {
    /// CoNLL: column of the token, from 1 [default: 1]
    #[arg(long, value_name = "N", value_parser = column)]
    token_column: Option<usize>,
    /// CoNLL: column of the tag, from 1 [default: the last]
    #[arg(long, value_name = "N", value_parser = column)]
    tag_column: Option<usize>,
    /// Unit of offsets: char, byte or utf16 [default: what the format says]
    #[arg(long, value_name = "UNIT")]
    offset_unit: Option<OffsetUnit>,
    /// Label Studio: field of "data" with the text [default: text, or the only string]
    #[arg(long, value_name = "FIELD")]
    text_field: Option<String>,
    /// Label Studio: whose annotations to read [default: the first of each task]
    #[arg(long, value_name = "ID|EMAIL")]
    annotator: Option<String>,
    /// Names of tags that are numbers, in their order, e.g. O,B-PER,I-PER
    #[arg(long, value_name = "TAG,…", value_delimiter = ',')]
    tag_names: Option<Vec<String>>,
}

/// A column on the command line counts from 1.
fn column(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if n > 0 => Ok(n - 1),
        _ => Err("expected a whole number from 1".to_owned()),
    }
}

impl ReadArgs {
    /// Reads a file or folder.
    pub(super) fn read(&self, path: &Path, format: Option<Format>) -> Result<Corpus> {
        let options = ReadOptions {
            format,
            columns: ColumnOptions {
                token_column: self.token_column.unwrap_or_default(),
                tag_column: self.tag_column,
            },
            offset_unit: self.offset_unit,
            text_field: self.text_field.clone(),
            annotator: self.annotator.clone(),
            tag_names: self.tag_names.clone(),
        };
        Ok(read_corpus(path, &options)?)
    }

    /// Reads files behind each other. An id that an earlier file has gets a number, which is listed.
    pub(super) fn read_all(&self, paths: &[PathBuf], format: Option<Format>) -> Result<Corpus> {
        let mut all = Corpus::default();
        let mut ids = BTreeSet::new();
        for path in paths {
            let mut corpus = self.read(path, format)?;
            let documents = std::mem::take(&mut corpus.documents);
            for document in documents {
                let (mut id, mut number) = (document.id().to_owned(), 1);
                while !ids.insert(id.clone()) {
                    number += 1;
                    id = format!("{}#{number}", document.id());
                }
                if id != document.id() {
                    corpus.losses.push(Loss {
                        position: None,
                        document: Some(document.id().to_owned()),
                        entity: None,
                        kind: LossKind::Id(id.clone()),
                    });
                }
                corpus.documents.push(document.with_id(id));
            }
            all.append(corpus);
        }
        if all.documents.is_empty() && all.issues.is_empty() {
            let shown = paths.iter().map(|path| path.display().to_string());
            let shown = shown.collect::<Vec<_>>().join(", ");
            return Err(Mistake::new(format!("{shown}: no annotated documents")).into());
        }
        Ok(all)
    }
}

/// The scheme of tags, as an argument.
pub(super) fn write_options(scheme: ColumnScheme) -> WriteOptions<'static> {
    WriteOptions {
        scheme,
        segmenter: &segments,
        labels: &[],
    }
}

/// The words of each sentence.
pub(crate) fn segments(text: &str) -> Vec<Vec<Span>> {
    let mut words = vestnik_text::words(text).into_iter().peekable();
    let sentences = vestnik_text::sentences(text);
    let words_of = |sentence: &Span| {
        let mut own = Vec::new();
        while let Some(word) = words.next_if(|word| word.end() <= sentence.end()) {
            own.push(word);
        }
        own
    };
    sentences.iter().map(words_of).collect()
}

/// Tells records that were set aside.
pub(super) fn tell_issues(issues: &[Issue]) {
    tell(issues.iter().map(ToString::to_string), issues.len());
}

/// Tells what cannot be kept: entities one by one, everything else with its number.
pub(super) fn tell_losses(losses: &[Loss]) {
    let entities: Vec<&Loss> = losses.iter().filter(|loss| loss.entity.is_some()).collect();
    tell(
        entities.iter().map(|loss| format!("not kept: {loss}")),
        entities.len(),
    );
    let mut others: Vec<(&LossKind, Vec<&Loss>)> = Vec::new();
    for loss in losses.iter().filter(|loss| loss.entity.is_none()) {
        match others.iter_mut().find(|(kind, _)| same(kind, &loss.kind)) {
            Some((_, losses)) => losses.push(loss),
            None => others.push((&loss.kind, vec![loss])),
        }
    }
    for (kind, losses) in others {
        match losses.as_slice() {
            [loss] => note(&format!("not kept: {loss}")),
            losses => note(&format!("not kept ({} times): {kind}", losses.len())),
        }
    }
}

fn same(a: &LossKind, b: &LossKind) -> bool {
    a == b || matches!((a, b), (LossKind::Id(_), LossKind::Id(_)))
}

fn tell(lines: impl Iterator<Item = String>, n: usize) {
    lines.take(TOLD).for_each(|line| note(&line));
    if n > TOLD {
        note(&format!("… and {} more", n - TOLD));
    }
}
