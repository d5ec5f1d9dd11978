//! JSON lines as of spaCy's `Doc.to_json`: offsets count code points.

use std::io::{Error as IoError, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use vestnik_core::{OffsetMap, OffsetUnit};

use super::line::{parsed, unit, with_one_text};
use super::{Lines, OutputOptions};
use crate::atomic::write_beside;
use crate::error::Result;

/// Fields that are told in the way of spaCy.
const TOLD: [&str; 4] = ["text", "entities", "topics", "vestnik"];

pub(super) fn write(lines: Lines<'_>, path: &Path, options: &OutputOptions<'_>) -> Result<()> {
    let mut failed = None;
    write_beside(path, |out| {
        for line in parsed(lines) {
            match line {
                Ok(line) => writeln!(out, "{}", document(with_one_text(&line, options)))?,
                Err(error) => {
                    failed = Some(error);
                    return Err(IoError::other("the lines end"));
                }
            }
        }
        Ok(())
    })
    .map_err(|error| failed.take().unwrap_or(error))
}

fn document(mut record: Map<String, Value>) -> Value {
    let unit = unit(&record);
    let text = record
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let maps = (
        OffsetMap::new(&text, unit),
        OffsetMap::new(&text, OffsetUnit::Char),
    );
    let entities = record.remove("entities").unwrap_or_default();
    let ents: Vec<Value> = entities
        .as_array()
        .into_iter()
        .flatten()
        .map(|entity| ent(entity, &maps.0, &maps.1))
        .collect();
    let topics = record.remove("topics").unwrap_or_default();
    let topics = topics.as_array().into_iter().flatten();
    let cats: Map<String, Value> = topics
        .filter_map(|topic| Some((topic["label"].as_str()?.to_owned(), topic["score"].clone())))
        .collect();
    record.retain(|name, _| !TOLD.contains(&name.as_str()));
    json!({"text": text, "ents": ents, "cats": cats, "_": record})
}

/// An entity, its offsets taken from one map to another.
fn ent(entity: &Value, from: &OffsetMap<'_>, to: &OffsetMap<'_>) -> Value {
    let at = |name: &str| entity[name].as_u64().unwrap_or_default() as usize;
    let chars = |name: &str| {
        from.to_byte(at(name))
            .map_or_else(|| at(name), |byte| to.from_byte(byte))
    };
    let mut ent = json!({"start": chars("start"), "end": chars("end"), "label": entity["label"]});
    for name in ["score", "stance"] {
        if let Some(value) = entity.get(name) {
            ent[name] = value.clone();
        }
    }
    ent
}
