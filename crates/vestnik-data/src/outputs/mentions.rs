//! A row for each mention, as CSV or Parquet.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use csv::Writer;
use serde_json::Value;

use super::line::parsed;
use super::table::TableFile;
use super::{Lines, OutputFormat};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};

pub(super) const COLUMNS: [&str; 11] = [
    "article",
    "id",
    "lang",
    "field",
    "start",
    "end",
    "text",
    "label",
    "score",
    "stance",
    "stance_score",
];

/// Rows of a batch.
pub(super) const ROWS: usize = 20_000;

/// A mention, as it is written; what is not known is empty.
struct Mention {
    /// The number of the article, from 1.
    article: u64,
    id: Option<String>,
    lang: Option<String>,
    entity: Value,
}

impl Mention {
    fn text_of(&self, field: &str) -> Option<&str> {
        self.entity.get(field)?.as_str()
    }

    fn stance(&self, field: &str) -> Option<&Value> {
        self.entity.get("stance")?.get(field)
    }

    fn row(&self) -> [String; 11] {
        let text = |field: &str| self.text_of(field).unwrap_or_default().to_owned();
        let number = |value: Option<&Value>| {
            value
                .filter(|value| !value.is_null())
                .map_or_else(String::new, Value::to_string)
        };
        let stance = self
            .stance("label")
            .and_then(Value::as_str)
            .unwrap_or_default();
        [
            self.article.to_string(),
            self.id.clone().unwrap_or_default(),
            self.lang.clone().unwrap_or_default(),
            text("field"),
            number(self.entity.get("start")),
            number(self.entity.get("end")),
            text("text"),
            text("label"),
            number(self.entity.get("score")),
            stance.to_owned(),
            number(self.stance("score")),
        ]
    }
}

/// Writes a row a mention: as Parquet where the name asks for it, else as CSV.
///
/// # Errors
/// [`Error::Io`].
pub fn write_mentions(lines: Lines<'_>, path: &Path) -> Result<()> {
    match OutputFormat::of_output(path) {
        OutputFormat::Parquet => write_parquet(lines, path),
        _ => write_csv(lines, path),
    }
}

fn mentions<'a>(lines: Lines<'a>) -> impl Iterator<Item = Result<Vec<Mention>>> + use<'a> {
    parsed(lines).zip(1..).map(|(line, article)| {
        let record = line?.record;
        let id = record.get("id").and_then(|id| match id {
            Value::Null => None,
            Value::String(id) => Some(id),
            other => Some(other.to_string()),
        });
        let detected = || Some(record.get("vestnik")?.get("lang")?.as_str()?.to_owned());
        let lang = record.str("lang").map(Into::into).or_else(detected);
        let entities = record.get("entities").unwrap_or_default();
        let mention = |entity: &Value| Mention {
            article,
            id: id.clone(),
            lang: lang.clone(),
            entity: entity.clone(),
        };
        Ok(entities
            .as_array()
            .into_iter()
            .flatten()
            .map(mention)
            .collect())
    })
}

fn write_csv(lines: Lines<'_>, path: &Path) -> Result<()> {
    let failed = |error: csv::Error| Error::io("write", path, error.into());
    let mut writer = Writer::from_writer(AtomicFile::create(path)?);
    writer.write_record(COLUMNS).map_err(failed)?;
    for mentions in mentions(lines) {
        for mention in mentions? {
            writer.write_record(mention.row()).map_err(failed)?;
        }
    }
    let file = writer
        .into_inner()
        .map_err(|error| Error::io("write", path, error.into_error()))?;
    file.commit()
}

fn write_parquet(lines: Lines<'_>, path: &Path) -> Result<()> {
    let mut table: Option<TableFile> = None;
    let mut waiting: Vec<Mention> = Vec::new();
    for mentions in mentions(lines) {
        waiting.extend(mentions?);
        if waiting.len() >= ROWS {
            TableFile::add(&mut table, path, &batch(&waiting, path)?)?;
            waiting.clear();
        }
    }
    TableFile::add(&mut table, path, &batch(&waiting, path)?)?;
    table.map_or(Ok(()), TableFile::finish)
}

fn batch(mentions: &[Mention], path: &Path) -> Result<RecordBatch> {
    let text = |value: &dyn Fn(&Mention) -> Option<String>| -> ArrayRef {
        let mut column = StringBuilder::new();
        mentions
            .iter()
            .for_each(|mention| column.append_option(value(mention)));
        Arc::new(column.finish())
    };
    let field = |name: &'static str| {
        text(&move |mention: &Mention| mention.text_of(name).map(str::to_owned))
    };
    let whole = |value: &dyn Fn(&Mention) -> Option<u64>| -> ArrayRef {
        let mut column = UInt64Builder::new();
        mentions
            .iter()
            .for_each(|mention| column.append_option(value(mention)));
        Arc::new(column.finish())
    };
    let number = |value: &dyn Fn(&Mention) -> Option<f64>| -> ArrayRef {
        let mut column = Float64Builder::new();
        mentions
            .iter()
            .for_each(|mention| column.append_option(value(mention)));
        Arc::new(column.finish())
    };
    let at =
        |name: &'static str| whole(&move |mention: &Mention| mention.entity.get(name)?.as_u64());
    let columns = [
        whole(&|mention: &Mention| Some(mention.article)),
        text(&|mention: &Mention| mention.id.clone()),
        text(&|mention: &Mention| mention.lang.clone()),
        field("field"),
        at("start"),
        at("end"),
        field("text"),
        field("label"),
        number(&|mention: &Mention| mention.entity.get("score")?.as_f64()),
        text(&|mention: &Mention| mention.stance("label")?.as_str().map(str::to_owned)),
        number(&|mention: &Mention| mention.stance("score")?.as_f64()),
    ];
    let columns = COLUMNS
        .into_iter()
        .zip(columns)
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| Error::io("write", path, std::io::Error::other(error)))
}
