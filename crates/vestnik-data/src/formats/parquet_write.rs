//! Parquet files of Hugging Face datasets, written: `tokens`, and `ner_tags` as numbers with their names.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};
use vestnik_core::{ColumnScheme, Document};

use super::hf_json::{PLACES, is_own};
use super::parquet::DESCRIPTION;
use super::{Item, WriteOptions, items};
use crate::corpus::Corpus;
use crate::loss::{Loss, LossKind};
use crate::tagged::{TaggedSentence, tag_document};

/// Documents of a row group; a reader needs memory for one of these.
const GROUP_ROWS: usize = 1000;

/// Writes a row a document: `id`, `lang`, `source`, `text`, `tokens`, `ner_tags`, `annotated`, and the other fields that
/// are strings, numbers or truth values in all documents. Compressed with snappy, as `datasets` does.
pub(super) fn write(
    corpus: &Corpus,
    options: &WriteOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<Vec<Loss>> {
    let tags = tag_names(corpus, options);
    let (others, mut losses) = others(corpus);
    let absent = absent(corpus);
    let all: Vec<Item<'_>> = items(corpus).collect();
    let mut writer: Option<ArrowWriter<Vec<u8>>> = None;
    let groups = all
        .chunks(GROUP_ROWS)
        .chain(all.is_empty().then_some(&[][..]));
    for group in groups {
        let mut rows = Rows::new(&tags, options);
        group.iter().for_each(|item| rows.add(item));
        losses.append(&mut rows.losses);
        let mut columns = rows.columns();
        columns.retain(|(name, _)| !absent.contains(&name.as_str()));
        columns.extend(others.iter().map(|(name, kind)| {
            let values = group.iter().map(|item| item.others.get(name));
            (name.clone(), kind.array(values))
        }));
        // `datasets` knows its own columns only where they may be null.
        let columns = columns
            .into_iter()
            .map(|(name, column)| (name, column, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns).map_err(failed)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(open(&batch, &tags)?),
        };
        writer.write(&batch)?;
        writer.flush()?;
    }
    if let Some(writer) = writer {
        out.write_all(&writer.into_inner()?)?;
    }
    Ok(losses)
}

/// Columns that no document has a value for.
fn absent(corpus: &Corpus) -> Vec<&'static str> {
    let none = |has: fn(&Document) -> bool| !corpus.documents.iter().any(has);
    let columns = [
        ("lang", none(|document| document.lang().is_some())),
        ("source", none(|document| document.source().is_some())),
        ("annotated", none(|document| document.annotated().is_some())),
    ];
    let absent = columns.into_iter().filter(|(_, absent)| *absent);
    absent.map(|(name, _)| name).collect()
}

fn failed(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

fn open(batch: &RecordBatch, tags: &[String]) -> io::Result<ArrowWriter<Vec<u8>>> {
    let schema = batch.schema();
    let features: Map<String, Value> = schema
        .fields()
        .iter()
        .map(|field| (field.name().clone(), feature(field, tags)))
        .collect();
    let description = json!({"info": {"features": features}}).to_string();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            DESCRIPTION.to_owned(),
            description,
        )]))
        .set_created_by(format!("vestnik {}", env!("CARGO_PKG_VERSION")));
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    Ok(ArrowWriter::try_new_with_options(
        Vec::new(),
        schema,
        options,
    )?)
}

/// A column as `datasets` describes it.
fn feature(field: &FieldRef, tags: &[String]) -> Value {
    let plain = |data_type: &DataType| {
        let dtype = match data_type {
            DataType::Boolean => "bool",
            DataType::Int64 => "int64",
            DataType::Float64 => "float64",
            _ => "string",
        };
        json!({"dtype": dtype, "_type": "Value"})
    };
    match field.data_type() {
        DataType::List(_) if field.name() == TAGS => {
            json!({"feature": {"names": tags, "_type": "ClassLabel"}, "_type": "Sequence"})
        }
        DataType::List(items) => json!({"feature": plain(items.data_type()), "_type": "Sequence"}),
        other => plain(other),
    }
}

const TAGS: &str = super::hf_json::TAG_FIELDS[0];

/// `O`, and all tags that the labels can have in the scheme, in the order of the labels.
fn tag_names(corpus: &Corpus, options: &WriteOptions<'_>) -> Vec<String> {
    let entities = corpus.documents.iter().flat_map(Document::entities);
    let labels = entities.map(|entity| entity.label.as_str());
    let labels: BTreeSet<&str> = labels.chain(options.labels.iter().copied()).collect();
    let prefixes = match options.scheme {
        ColumnScheme::Bioes => "BIES",
        ColumnScheme::Bilou => "BILU",
        _ => "BI",
    };
    let tags = labels.iter().flat_map(|label| {
        let tags = prefixes.chars();
        tags.map(move |prefix| format!("{prefix}-{label}"))
    });
    std::iter::once("O".to_owned()).chain(tags).collect()
}

/// The columns that all documents have.
struct Rows<'a> {
    tags: &'a [String],
    options: &'a WriteOptions<'a>,
    ids: StringBuilder,
    langs: StringBuilder,
    sources: StringBuilder,
    texts: StringBuilder,
    tokens: ListBuilder<StringBuilder>,
    ner_tags: ListBuilder<Int64Builder>,
    annotated: ListBuilder<StringBuilder>,
    losses: Vec<Loss>,
}

impl<'a> Rows<'a> {
    fn new(tags: &'a [String], options: &'a WriteOptions<'a>) -> Self {
        Self {
            tags,
            options,
            ids: StringBuilder::new(),
            langs: StringBuilder::new(),
            sources: StringBuilder::new(),
            texts: StringBuilder::new(),
            tokens: list(StringBuilder::new(), DataType::Utf8),
            ner_tags: list(Int64Builder::new(), DataType::Int64),
            annotated: list(StringBuilder::new(), DataType::Utf8),
            losses: Vec::new(),
        }
    }

    fn add(&mut self, item: &Item<'_>) {
        let document = item.document;
        let none = std::iter::empty();
        self.losses.extend(PLACES.losses(document, none));
        let (sentences, lost) = tag_document(document, self.options.segmenter, self.options.scheme);
        self.losses.extend(lost);
        self.ids.append_value(document.id());
        self.langs.append_option(document.lang());
        self.sources.append_option(document.source());
        self.texts.append_value(document.text());
        self.add_tags(document, &sentences);
        for label in document.annotated().unwrap_or_default() {
            self.annotated.values().append_value(label);
        }
        self.annotated.append(document.annotated().is_some());
    }

    fn add_tags(&mut self, document: &Document, sentences: &[TaggedSentence]) {
        for sentence in sentences {
            for (token, tag) in sentence.tokens.iter().zip(&sentence.tags) {
                let text = &document.text()[token.range()];
                self.tokens.values().append_value(text);
                let number = self.tags.iter().position(|known| known == tag);
                let number = number.expect("all tags of the labels have a number");
                self.ner_tags.values().append_value(number as i64);
            }
        }
        self.tokens.append(true);
        self.ner_tags.append(true);
    }

    fn columns(mut self) -> Vec<(String, ArrayRef)> {
        let columns: [(&str, ArrayRef); 7] = [
            ("id", Arc::new(self.ids.finish())),
            ("lang", Arc::new(self.langs.finish())),
            ("source", Arc::new(self.sources.finish())),
            ("text", Arc::new(self.texts.finish())),
            ("tokens", Arc::new(self.tokens.finish())),
            (TAGS, Arc::new(self.ner_tags.finish())),
            ("annotated", Arc::new(self.annotated.finish())),
        ];
        columns
            .map(|(name, column)| (name.to_owned(), column))
            .into()
    }
}

/// Items of lists are called "element", as the specification of Parquet wants it.
fn list<T: arrow_array::builder::ArrayBuilder>(values: T, item: DataType) -> ListBuilder<T> {
    ListBuilder::new(values).with_field(Field::new("element", item, true))
}

/// The type of a column of other fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Bool,
    Int,
    Float,
}

impl Kind {
    /// `None` for what no column holds as it is, such as a number with more digits than a float has.
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(_) => Some(Self::String),
            Value::Bool(_) => Some(Self::Bool),
            Value::Number(number) if number.is_i64() => Some(Self::Int),
            Value::Number(number) => {
                let float = Value::from(number.as_f64()?);
                (float == *value).then_some(Self::Float)
            }
            _ => None,
        }
    }

    fn array<'v>(self, values: impl Iterator<Item = Option<&'v Value>>) -> ArrayRef {
        match self {
            Self::String => {
                let values = values.map(|value| value.and_then(Value::as_str));
                Arc::new(values.collect::<StringArray>())
            }
            Self::Bool => {
                let values = values.map(|value| value.and_then(Value::as_bool));
                Arc::new(values.collect::<BooleanArray>())
            }
            Self::Int => {
                let values = values.map(|value| value.and_then(Value::as_i64));
                Arc::new(values.collect::<Int64Array>())
            }
            Self::Float => {
                let values = values.map(|value| value.and_then(Value::as_f64));
                Arc::new(values.collect::<Float64Array>())
            }
        }
    }
}

/// The other fields that make columns; those that do not are lost.
fn others(corpus: &Corpus) -> (Vec<(String, Kind)>, Vec<Loss>) {
    let mut names: Vec<&String> = Vec::new();
    let mut seen = BTreeSet::new();
    for name in corpus.fields.iter().flat_map(Map::keys) {
        if seen.insert(name) {
            names.push(name);
        }
    }
    let (mut kept, mut losses) = (Vec::new(), Vec::new());
    for name in names {
        let values = corpus.fields.iter().filter_map(|fields| fields.get(name));
        let mut kinds = values.filter(|value| !value.is_null()).map(Kind::of);
        let first = kinds.next().unwrap_or(Some(Kind::String));
        match first.filter(|&kind| !is_own(name) && kinds.all(|other| other == Some(kind))) {
            Some(kind) => kept.push((name.clone(), kind)),
            None => losses.extend(lost(corpus, name)),
        }
    }
    (kept, losses)
}

fn lost(corpus: &Corpus, name: &str) -> Vec<Loss> {
    let with = items(corpus).filter(|item| item.others.contains_key(name));
    with.map(|item| Loss::written(item.document, LossKind::Field(name.to_owned())))
        .collect()
}
