//! JSON lines as Hugging Face datasets have them: `tokens`, and `ner_tags` as names or as numbers.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};
use vestnik_core::{ColumnScheme, Document};

use super::vestnik::metadata;
use super::{ReadOptions, WriteOptions, items};
use crate::column_lines::is_tag;
use crate::corpus::{Corpus, Records};
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::issue::Issue;
use crate::loss::{Loss, LossKind, Places};
use crate::problem::Problem;
use crate::records::{Origin, Record, read_records};
use crate::tagged::{TaggedSentence, align, entities, tag_document};

/// Names of the field with the tags, the best first.
pub(super) const TAG_FIELDS: [&str; 3] = ["ner_tags", "tags", "labels"];

/// Fields of a record that are read, and the one with the tags.
const FIELDS: [&str; 6] = ["id", "lang", "source", "text", "tokens", "annotated"];

/// The file beside the data in which datasets keep the names of tags.
const DATASET_INFO: &str = "dataset_info.json";

/// A record before the scheme of its file is known.
pub(super) struct Tagged {
    document: Document,
    tokens: Vec<Range<usize>>,
    tags: Vec<String>,
    others: serde_json::Map<String, Value>,
}

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let names = options.tag_names.clone().or_else(|| names_beside(path));
    let names = names.as_deref();
    let read = read_records(path, |record, problems| {
        tagged(path, record, names, problems)
    })?;
    Ok(corpus(read, names.is_some()))
}

/// The documents of records, whose tags all follow one scheme. Where numbers have no names, that is told once.
pub(super) fn corpus(mut read: Records<Tagged>, named: bool) -> Corpus {
    let mut told = named;
    read.issues.retain(|issue| {
        let without = matches!(issue.problem, Problem::TagWithoutName { .. });
        !without || named || !std::mem::replace(&mut told, true)
    });
    let tags = read.records.iter().map(|record| &record.tags);
    let scheme = ColumnScheme::detect(tags.map(|tags| tags.iter().map(String::as_str)));
    let mut corpus = Corpus {
        issues: read.issues,
        ..Corpus::default()
    };
    for (record, position) in read.records.into_iter().zip(read.positions) {
        let Tagged {
            mut document,
            tokens,
            tags,
            others,
        } = record;
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let (entities, problems) = entities(&tags, scheme, &tokens);
        let sound = problems.is_empty();
        corpus.issues.extend(problems.into_iter().map(|problem| {
            Issue::at(&position.path, position.line, Problem::TagSequence(problem))
        }));
        if sound && document.set_entities(entities).is_ok() {
            corpus.push_with(document, position, others);
        }
    }
    corpus.issues.sort_by_key(|issue| issue.line);
    corpus
}

/// Reads a record with all its problems.
pub(super) fn tagged(
    path: &Path,
    record: &Record,
    names: Option<&[String]>,
    problems: &mut Problems,
) -> Option<Tagged> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let annotated = problems.keep(fields.optional_labels("annotated"));
    let tokens = fields.labels("tokens").map_err(|problem| match problem {
        Problem::EmptyLabel { field } => Problem::EmptyText { field },
        other => other,
    });
    let tokens = problems.keep(tokens)?;
    let tags = problems.keep(tags(&fields, tokens.len(), names));
    let text = problems.keep(fields.optional_string("text"))?;
    let (text, ranges) = problems.keep(placed(&tokens, text))?;
    if text.trim().is_empty() {
        let field = "tokens".to_owned();
        problems.keep::<()>(Err(Problem::EmptyText { field }));
    }
    Some(Tagged {
        document: origin?.document(&text, annotated?),
        tokens: ranges,
        tags: tags?,
        others: fields.without(&read_fields(&fields)),
    })
}

/// The name of the field with the tags.
fn tag_field(fields: &Fields<'_>) -> &'static str {
    let field = TAG_FIELDS.into_iter().find(|field| fields.has(field));
    field.unwrap_or(TAG_FIELDS[0])
}

fn read_fields(fields: &Fields<'_>) -> Vec<&'static str> {
    FIELDS.into_iter().chain([tag_field(fields)]).collect()
}

/// The text that a record gives, or its tokens with a space between each two; and where the tokens stand in it.
fn placed(
    tokens: &[String],
    text: Option<String>,
) -> std::result::Result<(String, Vec<Range<usize>>), Problem> {
    let joined = tokens.join(" ");
    let text = text.unwrap_or_else(|| joined.clone());
    match align(&text, tokens.iter().map(String::as_str)) {
        Some(ranges) => Ok((text, ranges)),
        None => Err(Problem::TokensNotText {
            text,
            tokens: joined,
        }),
    }
}

fn tags(
    fields: &Fields<'_>,
    n_tokens: usize,
    names: Option<&[String]>,
) -> std::result::Result<Vec<String>, Problem> {
    let field = tag_field(fields);
    let value = fields.value(field).ok_or_else(|| fields.missing(field))?;
    let expected = "an array of tags or numbers";
    let items = value
        .as_array()
        .ok_or_else(|| fields.wrong_type(field, value, expected))?;
    if items.len() != n_tokens {
        return Err(Problem::TagCount {
            field: fields.path_of(field),
            found: items.len(),
            expected: n_tokens,
        });
    }
    let items = items.iter().enumerate();
    items
        .map(|(index, item)| tag(format!("{field}[{index}]"), item, names))
        .collect()
}

fn tag(
    field: String,
    item: &Value,
    names: Option<&[String]>,
) -> std::result::Result<String, Problem> {
    let tag = match (item, item.as_u64()) {
        (Value::String(tag), _) => tag,
        (_, Some(number)) => {
            let index = usize::try_from(number).unwrap_or(usize::MAX);
            match names.and_then(|names| names.get(index)) {
                Some(name) => name,
                None => return Err(Problem::TagWithoutName { field, tag: number }),
            }
        }
        _ => {
            let found = crate::json::JsonType::of(item);
            let expected = "a tag or its number";
            return Err(Problem::WrongType {
                field,
                expected,
                found,
            });
        }
    };
    if is_tag(tag) {
        return Ok(tag.clone());
    }
    Err(Problem::BadTag { tag: tag.clone() })
}

/// The names of tags in the `dataset_info.json` beside a file, or in the folder above.
pub(super) fn names_beside(path: &Path) -> Option<Vec<String>> {
    let folder = path.parent()?;
    let info = [
        folder.join(DATASET_INFO),
        folder.join("..").join(DATASET_INFO),
    ];
    let json = info.iter().find_map(|path| std::fs::read(path).ok())?;
    names_in(&serde_json::from_slice(&json).ok()?)
}

/// The names of tags in a description of a data set.
pub(super) fn names_in(info: &Value) -> Option<Vec<String>> {
    TAG_FIELDS
        .iter()
        .find_map(|field| names_of(find(info, "features")?.get(field)?))
}

/// The first value of a field, at any depth.
fn find<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map
            .get(field)
            .or_else(|| map.values().find_map(|value| find(value, field))),
        Value::Array(items) => items.iter().find_map(|item| find(item, field)),
        _ => None,
    }
}

fn names_of(feature: &Value) -> Option<Vec<String>> {
    let names = find(feature, "names")?.as_array()?.iter();
    names.map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What the format holds besides text and entities: any fields, as columns.
pub(super) const PLACES: Places = Places {
    metadata: true,
    entity_fields: false,
    others: true,
};

/// Whether a field of a record is one that this format has itself.
pub(super) fn is_own(name: &str) -> bool {
    FIELDS.contains(&name) || TAG_FIELDS.contains(&name)
}

/// Writes a record a document, with `text` beside the tokens so that the white space comes back.
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
        let mut record = metadata(&item);
        record.insert("text".to_owned(), document.text().into());
        record.insert("tokens".to_owned(), tokens(document, &sentences));
        let tags = sentences.iter().flat_map(|sentence| &sentence.tags);
        record.insert(
            TAG_FIELDS[0].to_owned(),
            tags.map(|tag| json!(tag)).collect(),
        );
        if let Some(annotated) = document.annotated() {
            record.insert("annotated".to_owned(), annotated.into());
        }
        for (name, value) in item.others {
            if is_own(name) {
                losses.push(Loss::written(document, LossKind::Field(name.clone())));
            } else {
                record.insert(name.clone(), value.clone());
            }
        }
        writeln!(out, "{}", Value::Object(record))?;
    }
    Ok(losses)
}

fn tokens(document: &Document, sentences: &[TaggedSentence]) -> Value {
    let tokens = sentences.iter().flat_map(|sentence| &sentence.tokens);
    tokens
        .map(|token| json!(&document.text()[token.range()]))
        .collect()
}
