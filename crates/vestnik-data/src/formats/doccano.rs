//! JSON lines of doccano, in both shapes: `"label": [[0, 5, "LOC"]]`, and `"entities": [{"start_offset": …}]`.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit};

use super::vestnik::metadata;
use super::{ReadOptions, items};
use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::loss::{Loss, LossKind, Places};
use crate::problem::Problem;
use crate::records::{Origin, Record, read_records};
use crate::spans::AnnotatedText;

/// Fields of a record that are read; the others are metadata.
const FIELDS: [&str; 10] = [
    "id",
    "lang",
    "source",
    "text",
    "data",
    "label",
    "labels",
    "entities",
    "annotated",
    "vestnik",
];

/// Fields that doccano writes and a document cannot hold.
const LOST: [(&str, &str); 3] = [
    ("relations", "relations are not read"),
    ("Comments", "comments are not read"),
    ("cats", "labels of the whole text are not read"),
];

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let unit = options.offset_unit.unwrap_or_default();
    let mut losses = Vec::new();
    let read = read_records(path, |record, problems| {
        let fields = Fields::new(&record.fields);
        let document = document(path, record, unit, problems)?;
        losses.extend(lost(path, record, document.id()));
        let mut others = fields.without(&FIELDS);
        for (name, _) in LOST {
            others.remove(name);
        }
        Some((document, others))
    })?;
    Ok(Corpus::from_records(read, losses))
}

fn lost(path: &Path, record: &Record, id: &str) -> Vec<Loss> {
    let filled = |name: &str| {
        let value = record.fields.get(name);
        value
            .and_then(Value::as_array)
            .is_some_and(|items| !items.is_empty())
    };
    let found = LOST.into_iter().filter(|(name, _)| filled(name));
    found
        .map(|(_, what)| Loss {
            document: Some(id.to_owned()),
            ..Loss::read(path, record.line, LossKind::Annotation(what.to_owned()))
        })
        .collect()
}

fn document(
    path: &Path,
    record: &Record,
    unit: OffsetUnit,
    problems: &mut Problems,
) -> Option<Document> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let annotated = problems.keep(fields.optional_labels("annotated"))?;
    // Exports of doccano before 1.0 call the text "data".
    let text_field = if fields.has("text") || !fields.has("data") {
        "text"
    } else {
        "data"
    };
    let text = AnnotatedText::new(problems.keep(fields.text(text_field))?, unit);
    let entities = entities(&fields, &text, problems)?;
    let mut document = origin?.document(text.text, annotated);
    document.set_entities(entities).ok()?;
    Some(document)
}

fn entities(
    fields: &Fields<'_>,
    text: &AnnotatedText<'_>,
    problems: &mut Problems,
) -> Option<Vec<Entity>> {
    let mut entities = Vec::new();
    if fields.has("entities") {
        for item in problems.keep(fields.objects("entities"))? {
            let item = problems.keep(item)?;
            let start = problems.keep(item.offset("start_offset"));
            let end = problems.keep(item.offset("end_offset"));
            let label = problems.keep(item.label("label"));
            let span = problems.keep(text.checked(item.path(), start?, end?));
            entities.push(Entity::new(span?, label?));
        }
        return Some(entities);
    }
    let field = if fields.has("labels") {
        "labels"
    } else {
        "label"
    };
    let items = problems.keep(triples(fields, field))?;
    for (index, item) in items.iter().enumerate() {
        entities.extend(problems.keep(triple(&format!("{field}[{index}]"), item, text)));
    }
    Some(entities)
}

fn triples<'a>(fields: &Fields<'a>, field: &str) -> std::result::Result<&'a Vec<Value>, Problem> {
    match fields.value(field) {
        None => Err(fields.missing(field)),
        Some(value) => value
            .as_array()
            .ok_or_else(|| fields.wrong_type(field, value, "an array of [start, end, label]")),
    }
}

/// `[start, end, label]`.
fn triple(
    path: &str,
    item: &Value,
    text: &AnnotatedText<'_>,
) -> std::result::Result<Entity, Problem> {
    let wrong = || Problem::NoList {
        field: path.to_owned(),
        found: item.to_string(),
        expected: "[start, end, label]",
    };
    let Some([start, end, label]) = item.as_array().map(Vec::as_slice) else {
        return Err(wrong());
    };
    let offset = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let (Some(start), Some(end), Some(label)) = (offset(start), offset(end), label.as_str()) else {
        return Err(wrong());
    };
    let span = text.checked(path, start, end)?;
    if label.is_empty() {
        let field = format!("{path}[2]");
        return Err(Problem::EmptyLabel { field });
    }
    Ok(Entity::new(span, label))
}

/// What the format holds besides text and entities: metadata and other fields.
const PLACES: Places = Places {
    metadata: true,
    entity_fields: false,
    others: true,
};

/// Writes the shape that doccano imports: a field `label` with triples.
pub(super) fn write(corpus: &Corpus, out: &mut dyn Write) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for item in items(corpus) {
        losses.extend(item.losses(&PLACES));
        let document = item.document;
        let offsets = OffsetMap::new(document.text(), OffsetUnit::Char);
        let triples = document.entities().iter().map(|entity| {
            let range = offsets.from_span(entity.span);
            json!([range.start, range.end, entity.label])
        });
        let mut record = metadata(&item);
        record.insert("text".to_owned(), document.text().into());
        record.insert("label".to_owned(), triples.collect());
        if let Some(annotated) = document.annotated() {
            record.insert("annotated".to_owned(), annotated.into());
        }
        for (name, value) in item.others {
            if record.contains_key(name) || FIELDS.contains(&name.as_str()) {
                losses.push(Loss::written(document, LossKind::Field(name.clone())));
            } else {
                record.insert(name.clone(), value.clone());
            }
        }
        writeln!(out, "{}", Value::Object(record))?;
    }
    Ok(losses)
}
