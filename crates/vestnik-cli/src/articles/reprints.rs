//! `--dedup`: of articles that are nearly the same one is tagged, and what was found is copied to the others.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};
use vestnik_core::{OffsetMap, OffsetUnit};
use vestnik_data::{Article, RecordFields, Reprints, TextSignature, hash_bytes};

use super::line;

/// How many articles back a reprint is recognised.
const WINDOW: usize = 20_000;

/// Longer texts are always tagged: no agency writes them, and each of the last ones is held in memory.
const MAX_TEXT_BYTES: usize = 256 * 1024;

/// The mark of a copy, in `vestnik`.
const COPIED: &str = "copied_from";

/// An article that was tagged.
struct Original {
    id: Option<String>,
    /// A hash of its text.
    text: u64,
    /// What was found, as JSON: as values it would take several times the memory.
    results: String,
}

/// The articles that may be reprinted.
pub(super) struct Copies {
    originals: Reprints<Original>,
    /// The fields of results.
    fields: Vec<&'static str>,
    n_copied: u64,
}

impl Copies {
    /// `share` of the stretches of words must be the same; `fields` are those of results.
    pub(super) fn new(share: f64, fields: Vec<&'static str>) -> Self {
        Self {
            originals: Reprints::new(share, WINDOW),
            fields,
            n_copied: 0,
        }
    }

    pub(super) fn n_copied(&self) -> u64 {
        self.n_copied
    }

    /// What can be recognised of an article; nothing of those with several fields of text, which are always tagged.
    pub(super) fn signature(article: &Article) -> Option<TextSignature> {
        match article.parts.as_slice() {
            [] => signature(&article.text, &article.fields),
            _ => None,
        }
    }

    /// The line of an article that is a reprint.
    pub(super) fn copy(&mut self, article: &Article, signature: &TextSignature) -> Option<String> {
        let (original, share) = self.originals.find(signature)?;
        let mut results: Map<String, Value> =
            serde_json::from_str(&original.results).unwrap_or_default();
        if original.text != hash_bytes(article.text.as_bytes()) {
            results.shift_remove("summary");
            let unit = unit(&results);
            if let Some(Value::Array(entities)) = results.get_mut("entities") {
                *entities = placed(entities, &article.text, unit);
            }
        }
        if let Some(Value::Object(made_by)) = results.get_mut("vestnik") {
            // That of this article is added with its line.
            made_by.shift_remove("lang");
            let share = (share * 1e4).round() / 1e4;
            made_by.insert(
                COPIED.to_owned(),
                json!({"id": original.id, "similarity": share}),
            );
        }
        self.n_copied += 1;
        Some(line(article, results))
    }

    /// Takes note of an article that was tagged, by its line.
    pub(super) fn learn(
        &mut self,
        id: Option<String>,
        text: &str,
        signature: &TextSignature,
        line: &str,
    ) -> Result<()> {
        let fields = RecordFields::parse(record_of(line))?;
        let results = self.fields.iter();
        let results = results.filter_map(|name| Some(((*name).to_owned(), fields.get(name)?)));
        let results: Map<String, Value> = results.collect();
        if results
            .get("vestnik")
            .is_none_or(|made_by| made_by.get(COPIED).is_none())
        {
            let original = Original {
                id,
                text: hash_bytes(text.as_bytes()),
                results: Value::Object(results).to_string(),
            };
            self.originals.add(signature, original);
        }
        Ok(())
    }
}

/// What can be recognised of the text of a record; nothing where its own targets say what is asked.
pub(super) fn signature(text: &str, fields: &RecordFields) -> Option<TextSignature> {
    let plain = text.len() <= MAX_TEXT_BYTES && !fields.contains_key("targets");
    plain.then(|| TextSignature::of(text)).flatten()
}

/// The record of a line that may say where it was found.
pub(super) fn record_of(line: &str) -> &str {
    match line.starts_with('{') {
        true => line,
        false => line.splitn(4, '\t').nth(3).unwrap_or(line),
    }
}

fn unit(results: &Map<String, Value>) -> OffsetUnit {
    let unit = results
        .get("vestnik")
        .and_then(|made_by| made_by.get("offset_unit"));
    unit.and_then(Value::as_str)
        .and_then(|unit| unit.parse().ok())
        .unwrap_or_default()
}

/// Entities at the places where another text has the same words: the first mention where it has them first, and so on. What
/// it has not is left out.
fn placed(entities: &[Value], text: &str, unit: OffsetUnit) -> Vec<Value> {
    let offsets = OffsetMap::new(text, unit);
    // Where to look for the next mention of the same words.
    let mut behind: BTreeMap<&str, usize> = BTreeMap::new();
    let mut placed: Vec<(usize, Value)> = Vec::new();
    for entity in entities {
        let words = entity["text"].as_str().unwrap_or_default();
        let from = behind.entry(words).or_default();
        let place = text[*from..].find(words).filter(|_| !words.is_empty());
        let start = place.map_or(text.len(), |place| *from + place);
        *from = (start + words.len()).min(text.len());
        if place.is_some() {
            let mut entity = entity.clone();
            entity["start"] = offsets.from_byte(start).into();
            entity["end"] = offsets.from_byte(start + words.len()).into();
            placed.push((start, entity));
        }
    }
    placed.sort_by_key(|(start, _)| *start);
    placed.into_iter().map(|(_, entity)| entity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_found_again() {
        let entities = [
            json!({"start": 0, "end": 4, "text": "Київ", "label": "LOC"}),
            json!({"start": 10, "end": 14, "text": "Київ", "label": "LOC"}),
            json!({"start": 20, "end": 25, "text": "Львів", "label": "LOC"}),
            json!({"start": 30, "end": 34, "text": "Рада", "label": "ORG"}),
        ];
        let found = placed(&entities, "Рада: Київ і Київ", OffsetUnit::Char);
        let spans: Vec<_> = found
            .iter()
            .map(|entity| (entity["start"].as_u64(), entity["text"].as_str()))
            .collect();
        assert_eq!(
            spans,
            [
                (Some(0), Some("Рада")),
                (Some(6), Some("Київ")),
                (Some(13), Some("Київ"))
            ]
        );
    }
}
