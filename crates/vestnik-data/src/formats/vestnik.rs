//! Our own JSON lines, written.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use vestnik_core::{Entity, OffsetMap, OffsetUnit};

use super::{Item, items};
use crate::corpus::Corpus;
use crate::loss::Loss;

/// Writes a record a line: all that documents hold, and the other fields behind it.
pub(super) fn write(corpus: &Corpus, out: &mut dyn Write) -> io::Result<Vec<Loss>> {
    for item in items(corpus) {
        writeln!(out, "{}", Value::Object(record(&item)))?;
    }
    Ok(Vec::new())
}

fn record(item: &Item<'_>) -> Map<String, Value> {
    let document = item.document;
    let offsets = OffsetMap::new(document.text(), OffsetUnit::Char);
    let mut record = metadata(item);
    record.insert("text".to_owned(), document.text().into());
    let entities = document.entities().iter();
    let entities: Vec<Value> = entities.map(|item| entity(item, &offsets)).collect();
    record.insert("entities".to_owned(), entities.into());
    if let Some(annotated) = document.annotated() {
        record.insert("annotated".to_owned(), annotated.into());
    }
    for (name, value) in item.others {
        record.insert(name.clone(), value.clone());
    }
    record
}

/// Id, language and source, as the first fields of a record.
pub(super) fn metadata(item: &Item<'_>) -> Map<String, Value> {
    let document = item.document;
    let mut fields = Map::new();
    fields.insert("id".to_owned(), document.id().into());
    if let Some(lang) = document.lang() {
        fields.insert("lang".to_owned(), lang.into());
    }
    if let Some(source) = document.source() {
        fields.insert("source".to_owned(), source.into());
    }
    fields
}

fn entity(entity: &Entity, offsets: &OffsetMap<'_>) -> Value {
    let range = offsets.from_span(entity.span);
    let mut value = json!({"start": range.start, "end": range.end, "label": entity.label});
    if let Some(lemma) = &entity.lemma {
        value["lemma"] = lemma.as_str().into();
    }
    if let Some(link) = &entity.link {
        value["link"] = link.as_str().into();
    }
    if let Some(score) = entity.score {
        value["score"] = shortest(score);
    }
    value
}

/// The shortest number that reads back as the same score.
pub(super) fn shortest(score: f32) -> Value {
    let digits = format!("{score}");
    digits.parse::<f64>().map_or(Value::Null, Value::from)
}
