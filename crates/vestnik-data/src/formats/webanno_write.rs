//! WebAnno TSV 3.3, written: a file a document, with entities that overlap or cut tokens too.

use std::fmt::Write as _;

use vestnik_core::{ColumnScheme, Document, OffsetMap, OffsetUnit, Span};

use super::webanno_lines::{NAMED_ENTITY, escape_text, escape_value};
use super::{WriteOptions, items};
use crate::corpus::Corpus;
use crate::files::{Files, Names};
use crate::loss::{Loss, LossKind, Places};
use crate::tagged::tag_document;

/// What the format holds besides text and entities: ids, as names of files.
const PLACES: Places = Places {
    metadata: false,
    entity_fields: false,
    others: false,
};

/// The files of a corpus.
pub(super) fn files(corpus: &Corpus, options: &WriteOptions<'_>) -> Files {
    let (mut files, mut names) = (Files::default(), Names::default());
    for item in items(corpus) {
        let document = item.document;
        let name = names.name(document.id());
        let is_id = |loss: &Loss| loss.kind == LossKind::Field("id".to_owned());
        let losses = item.losses(&PLACES);
        files.lose(losses.into_iter().filter(|loss| !is_id(loss)));
        if name != document.id() {
            files.lose([Loss::written(document, LossKind::Id(name.clone()))]);
        }
        let writer = Writer {
            document,
            offsets: OffsetMap::new(document.text(), OffsetUnit::Utf16),
        };
        files.lose(writer.losses());
        files.add(format!("{name}.tsv"), writer.file(options));
    }
    files
}

struct Writer<'a> {
    document: &'a Document,
    offsets: OffsetMap<'a>,
}

impl Writer<'_> {
    /// Spans are marked on visible text: white space at their edges is lost.
    fn losses(&self) -> Vec<Loss> {
        let entities = self.document.entities().iter();
        let edged = entities.filter(|entity| {
            let text = self.document.slice(entity.span).unwrap_or_default();
            text.trim() != text
        });
        edged
            .map(|entity| Loss::of_entity(self.document, entity, LossKind::LineBreak))
            .collect()
    }

    fn file(&self, options: &WriteOptions<'_>) -> String {
        let mut file =
            format!("#FORMAT=WebAnno TSV 3.3\n#T_SP={NAMED_ENTITY}|identifier|value\n\n");
        // Only the tokens are needed: the marks of this format hold more than tags.
        let plain = Document::new("", self.document.text());
        let (sentences, _) = tag_document(&plain, options.segmenter, ColumnScheme::Iob2);
        let starts: Vec<usize> = sentences
            .iter()
            .filter_map(|sentence| Some(sentence.tokens.first()?.start()))
            .collect();
        for (index, sentence) in sentences.iter().enumerate() {
            // The white space between sentences is told by no offset, so it belongs to their texts.
            let start = if index == 0 { 0 } else { starts[index] };
            let end = starts.get(index + 1).copied();
            let end = end.unwrap_or(self.document.text().len());
            file.push('\n');
            for line in self.document.text()[start..end].split('\n') {
                let _ = writeln!(file, "#Text={}", escape_text(line));
            }
            for (number, &token) in sentence.tokens.iter().enumerate() {
                self.token(&format!("{}-{}", index + 1, number + 1), token, &mut file);
            }
        }
        file
    }

    /// The line of a token, and one for each part of it that an entity begins or ends in.
    fn token(&self, number: &str, token: Span, file: &mut String) {
        let mut whole = Vec::new();
        let mut parts: Vec<(Span, Vec<usize>)> = Vec::new();
        for (index, entity) in self.document.entities().iter().enumerate() {
            if !entity.span.overlaps(token) {
                continue;
            }
            let start = entity.span.start().max(token.start());
            let end = entity.span.end().min(token.end());
            match Span::new(start, end) {
                Ok(part) if part == token => whole.push(index),
                Ok(part) => match parts.iter_mut().find(|(span, _)| *span == part) {
                    Some((_, indices)) => indices.push(index),
                    None => parts.push((part, vec![index])),
                },
                Err(_) => {}
            }
        }
        self.unit(number, token, &whole, file);
        for (part, (span, indices)) in parts.iter().enumerate() {
            self.unit(&format!("{number}.{}", part + 1), *span, indices, file);
        }
    }

    fn unit(&self, number: &str, span: Span, entities: &[usize], file: &mut String) {
        let range = self.offsets.from_span(span);
        let text = escape_text(&self.document.text()[span.range()]);
        let marks = |value: &dyn Fn(usize) -> String| {
            let marks = entities
                .iter()
                .map(|&index| format!("{}[{}]", value(index), index + 1));
            match marks.collect::<Vec<_>>().join("|") {
                none if none.is_empty() => "_".to_owned(),
                marks => marks,
            }
        };
        let identifiers = marks(&|_| "*".to_owned());
        let values = marks(&|index| escape_value(&self.document.entities()[index].label));
        let _ = writeln!(
            file,
            "{number}\t{}-{}\t{text}\t{identifiers}\t{values}\t",
            range.start, range.end
        );
    }
}
