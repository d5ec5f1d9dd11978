//! Columns as of CoNLL-2002 and CoNLL-2003, written: a token and a tag per line.

use std::io::{self, Write};

use vestnik_core::Document;

use super::{WriteOptions, items};
use crate::corpus::Corpus;
use crate::loss::{Loss, LossKind, Places};
use crate::tagged::{TaggedSentence, tag_document};

/// What the format holds besides text and entities: nothing.
const PLACES: Places = Places {
    metadata: false,
    entity_fields: false,
    others: false,
};

/// Writes `-DOCSTART-` before each document, a tab between token and tag, and a blank line behind each sentence.
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
        if rebuilt(document, &sentences) != document.text() {
            losses.push(Loss::written(document, LossKind::Spacing));
        }
        writeln!(out, "-DOCSTART-\tO\n")?;
        for sentence in &sentences {
            for (token, tag) in sentence.tokens.iter().zip(&sentence.tags) {
                writeln!(out, "{}\t{tag}", &document.text()[token.range()])?;
            }
            writeln!(out)?;
        }
    }
    Ok(losses)
}

/// The text that a reader makes of the tokens.
fn rebuilt(document: &Document, sentences: &[TaggedSentence]) -> String {
    let sentences = sentences.iter().map(|sentence| {
        let tokens = sentence.tokens.iter();
        let tokens: Vec<&str> = tokens
            .map(|token| &document.text()[token.range()])
            .collect();
        tokens.join(" ")
    });
    sentences.collect::<Vec<_>>().join("\n")
}
