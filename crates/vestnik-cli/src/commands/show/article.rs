//! A tagged article as it is shown.

use serde_json::Value;
use vestnik_core::{OffsetMap, OffsetUnit};
use vestnik_data::Article;

use super::times::Day;

/// Where dates are looked for.
const DATE_FIELDS: [&str; 6] = [
    "date",
    "published",
    "published_at",
    "timestamp",
    "time",
    "created_at",
];

/// An article with what was found in it.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) lang: Option<String>,
    pub(super) day: Option<Day>,
    pub(super) text: String,
    /// In the order of the text, none over another.
    pub(super) mentions: Vec<Mention>,
    pub(super) topics: Vec<(String, f64)>,
    /// Whether a tagger has seen it.
    pub(super) is_tagged: bool,
}

/// A mention, in bytes of the text.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
    pub(super) label: String,
    pub(super) score: Option<f64>,
    pub(super) stance: Option<(String, f64)>,
}

impl Shown {
    pub(super) fn of(article: Article, date_field: Option<&str>) -> Self {
        let fields = &article.fields;
        let made_by = fields.get("vestnik").unwrap_or_default();
        let unit: OffsetUnit = made_by["offset_unit"]
            .as_str()
            .and_then(|unit| unit.parse().ok())
            .unwrap_or_default();
        let lang = fields
            .str("lang")
            .map(Into::into)
            .or_else(|| Some(made_by["lang"].as_str()?.to_owned()));
        let day = match date_field {
            Some(field) => fields.raw_at(field).and_then(Day::of_json),
            None => DATE_FIELDS
                .iter()
                .find_map(|field| fields.raw(field).and_then(Day::of_json)),
        };
        let entities = fields.get("entities");
        let topics = fields.get("topics");
        let is_tagged = entities.is_some() || topics.is_some();
        let topic = |topic: &Value| {
            Some((
                topic["label"].as_str()?.to_owned(),
                topic["score"].as_f64().unwrap_or_default(),
            ))
        };
        Self {
            title: fields
                .str("title")
                .map(Into::into)
                .filter(|title: &String| !title.trim().is_empty()),
            lang,
            day,
            mentions: mentions(&article, unit, entities.as_ref()),
            topics: items(topics.as_ref()).filter_map(topic).collect(),
            is_tagged,
            id: article.id.unwrap_or_else(|| article.origin.to_string()),
            text: article.text,
        }
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn mentions(article: &Article, unit: OffsetUnit, entities: Option<&Value>) -> Vec<Mention> {
    let whole = OffsetMap::new(&article.text, unit);
    let parts = article.parts.iter();
    let parts: Vec<_> = parts
        .map(|part| {
            let text = &article.text[part.start..part.end];
            (part, OffsetMap::new(text, unit))
        })
        .collect();
    let mut mentions: Vec<Mention> = items(entities)
        .filter_map(|entity| {
            let field = entity["field"].as_str();
            let part = parts
                .iter()
                .find(|(part, _)| Some(part.field.as_str()) == field);
            let offset = |name: &str| Some(entity[name].as_u64()? as usize);
            let byte = |name: &str| match part {
                Some((part, offsets)) => Some(part.start + offsets.to_byte(offset(name)?)?),
                None => whole.to_byte(offset(name)?),
            };
            let (start, end) = (byte("start")?, byte("end")?);
            let stance = &entity["stance"];
            Some(Mention {
                text: article.text.get(start..end)?.to_owned(),
                start,
                end,
                label: entity["label"].as_str()?.to_owned(),
                score: entity["score"].as_f64(),
                stance: stance["label"].as_str().map(|label| {
                    (
                        label.to_owned(),
                        stance["score"].as_f64().unwrap_or_default(),
                    )
                }),
            })
        })
        .collect();
    mentions.sort_by_key(|mention| (mention.start, mention.end));
    let mut end = 0;
    mentions.retain(|mention| {
        let beside = mention.start >= end && mention.start < mention.end;
        if beside {
            end = mention.end;
        }
        beside
    });
    mentions
}
