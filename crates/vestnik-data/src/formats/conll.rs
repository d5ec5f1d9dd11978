//! Columns as of CoNLL-2002 and CoNLL-2003, written: a token and a tag per line.

use std::io::{self, Write};

use serde_json::Value;

use super::vestnik::metadata;
use super::{Item, WriteOptions, items};
use crate::corpus::Corpus;
use crate::loss::{Loss, LossKind, Places};
use crate::tagged::tag_document;

/// What the format holds besides text and entities: all fields, in the line that starts a document.
const PLACES: Places = Places {
    metadata: true,
    entity_fields: false,
    others: true,
};

/// Writes `-DOCSTART-` before each document, a tab between token and tag, and a blank line behind each sentence.
///
/// Other programs skip lines that start with `-DOCSTART-`: so these can hold what columns cannot, the exact text and
/// the other fields, as JSON in the second column.
pub(super) fn write(
    corpus: &Corpus,
    options: &WriteOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for item in items(corpus) {
        losses.extend(item.losses(&PLACES));
        let document = item.document;
        let (sentences, lost) = tag_document(document, options.segmenter, options.scheme);
        losses.extend(lost);
        writeln!(out, "-DOCSTART-\t{}\tO\n", start(&item, &mut losses))?;
        for sentence in &sentences {
            for (token, tag) in sentence.tokens.iter().zip(&sentence.tags) {
                writeln!(out, "{}\t{tag}", &document.text()[token.range()])?;
            }
            writeln!(out)?;
        }
    }
    Ok(losses)
}

fn start(item: &Item<'_>, losses: &mut Vec<Loss>) -> Value {
    let mut start = metadata(item);
    if let Some(annotated) = item.document.annotated() {
        start.insert("annotated".to_owned(), annotated.into());
    }
    start.insert("text".to_owned(), item.document.text().into());
    for (name, value) in item.others {
        if start.contains_key(name) || name == "annotated" {
            losses.push(Loss::written(item.document, LossKind::Field(name.clone())));
        } else {
            start.insert(name.clone(), value.clone());
        }
    }
    Value::Object(start)
}
