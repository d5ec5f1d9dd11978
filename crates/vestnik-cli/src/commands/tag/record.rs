//! The output record: all fields of the input, then the entities and how they were made.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use vestnik_core::{Entity, OffsetMap, OffsetUnit};
use vestnik_data::Article;
use vestnik_infer::{Aggregation, Analysis, Vestnik};

/// Makes output lines.
pub(crate) struct Writer<'a> {
    vestnik: &'a Vestnik,
    unit: OffsetUnit,
}

/// An entity as it is written.
#[derive(Serialize)]
struct EntityRecord<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
}

/// How the record was made.
#[derive(Serialize)]
struct Provenance<'a> {
    model: &'a str,
    version: &'a str,
    offset_unit: OffsetUnit,
    tokens: usize,
    windows: usize,
    tasks: &'a [&'a str],
    /// Only where it is not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregation: Option<&'static str>,
}

impl<'a> Writer<'a> {
    /// A writer for results of `vestnik`, with offsets in `unit`.
    pub(crate) fn new(vestnik: &'a Vestnik, unit: OffsetUnit) -> Self {
        Self { vestnik, unit }
    }

    /// One line of JSON, without the line end. Fields `entities` and `vestnik` of the input are replaced.
    pub(crate) fn line(&self, article: Article, analysis: &Analysis) -> Result<String> {
        let mut fields: Map<String, Value> = article.fields;
        let entities = self.entities(&article.text, &analysis.entities)?;
        fields.insert("entities".to_owned(), serde_json::to_value(entities)?);
        let aggregation = self.vestnik.ner().aggregation();
        let provenance = Provenance {
            model: self.vestnik.name(),
            version: env!("CARGO_PKG_VERSION"),
            offset_unit: self.unit,
            tokens: analysis.tokens,
            windows: analysis.windows,
            tasks: self.vestnik.tasks(),
            aggregation: (aggregation != Aggregation::default()).then_some(aggregation.as_str()),
        };
        fields.insert("vestnik".to_owned(), serde_json::to_value(provenance)?);
        Ok(serde_json::to_string(&fields)?)
    }

    fn entities<'t>(&self, text: &'t str, entities: &'t [Entity]) -> Result<Vec<EntityRecord<'t>>> {
        let map = OffsetMap::new(text, self.unit);
        let record = |entity: &'t Entity| -> Result<EntityRecord<'t>> {
            let range = map.from_span(entity.span);
            Ok(EntityRecord {
                start: range.start,
                end: range.end,
                text: entity
                    .span
                    .slice(text)
                    .context("a span outside of its text")?,
                label: &entity.label,
                score: entity.score.map(rounded),
            })
        };
        entities.iter().map(record).collect()
    }
}

/// Four decimals: more is noise, and outputs of different machines stay comparable.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}
