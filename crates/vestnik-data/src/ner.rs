//! Our own JSON lines: documents with named entities.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};
use vestnik_core::{Document, Entity, OffsetUnit};

use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::{Fields, Problems, one_of};
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::{Origin, Record, read_records};
use crate::spans::AnnotatedText;

/// Reads our own JSON lines.
pub(crate) fn read(path: &Path) -> Result<Corpus> {
    let mut losses = Vec::new();
    let read = read_records(path, |record, problems| {
        let document = document(path, record, problems)?;
        losses.extend(lost_fields(path, record));
        let others = Fields::new(&record.fields).without(&FIELDS);
        Some((document, others))
    })?;
    Ok(Corpus::from_records(read, losses))
}

/// A document of a record, and the fields that it has no place for.
///
/// # Errors
/// The first thing that is wrong with the record.
pub(crate) fn document_with_others(
    path: &Path,
    record: &Record,
) -> std::result::Result<(Document, Map<String, Value>), Problem> {
    let mut problems = Problems::default();
    let document = document(path, record, &mut problems);
    match (document, problems.into_vec().into_iter().next()) {
        (Some(document), None) => Ok((document, Fields::new(&record.fields).without(&FIELDS))),
        (_, problem) => Err(problem.unwrap_or(Problem::EmptyFile)),
    }
}

/// The fields of a record that a document holds.
const FIELDS: [&str; 7] = [
    "id",
    "lang",
    "source",
    "text",
    "entities",
    "annotated",
    "vestnik",
];

/// The fields of an entity that [`Entity`] holds, or that follow from them.
const ENTITY_FIELDS: [&str; 7] = ["start", "end", "label", "lemma", "link", "score", "text"];

/// Fields of entities, such as `stance`, that an entity has no place for; each name once for a record.
fn lost_fields(path: &Path, record: &Record) -> Vec<Loss> {
    let fields = Fields::new(&record.fields);
    let items = fields.objects("entities").into_iter().flatten().flatten();
    let names: BTreeSet<String> = items
        .flat_map(|item| item.without(&ENTITY_FIELDS))
        .map(|(name, _)| name)
        .collect();
    let loss = |name| {
        Loss::read(
            path,
            record.line,
            LossKind::Field(format!("entities[].{name}")),
        )
    };
    names.into_iter().map(loss).collect()
}

/// Makes a document of a record, with all the problems of the record.
fn document(path: &Path, record: &Record, problems: &mut Problems) -> Option<Document> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let annotated = problems.keep(fields.optional_labels("annotated")).flatten();
    let text = problems.keep(fields.text("text"));
    let unit = problems.keep(offset_unit(&fields));
    let items = problems.keep(fields.objects("entities"));
    let text = AnnotatedText::new(text?, unit?);
    let mut entities = Vec::new();
    for item in items? {
        let Some(item) = problems.keep(item) else {
            continue;
        };
        entities.extend(entity(&item, &text, problems));
        problems.keep(check_annotated(&item, annotated.as_deref()));
    }
    let mut document = origin?.document(text.text, annotated);
    document
        .set_entities(entities)
        .expect("every span was checked against the text");
    Some(document)
}

/// The unit of the offsets: what the output of `vestnik tag` says of itself, or code points.
fn offset_unit(fields: &Fields<'_>) -> std::result::Result<OffsetUnit, Problem> {
    const FIELD: &str = "offset_unit";
    const UNITS: [&str; 3] = ["byte", "char", "utf16"];
    let Some(made_by) = fields.optional_object("vestnik")? else {
        return Ok(OffsetUnit::default());
    };
    let Some(unit) = made_by.optional_string(FIELD)? else {
        return Ok(OffsetUnit::default());
    };
    let unit = one_of(made_by.path_of(FIELD), &unit, &UNITS)?;
    Ok(unit.parse().expect("the names are those of the type"))
}

fn entity(
    fields: &Fields<'_>,
    text: &AnnotatedText<'_>,
    problems: &mut Problems,
) -> Option<Entity> {
    let span = text.span(fields, problems);
    let label = problems.keep(fields.label("label"));
    let lemma = problems.keep(fields.optional_string("lemma"));
    let link = problems.keep(fields.optional_string("link"));
    let score = problems.keep(fields.optional_number("score"));
    let quote = problems.keep(fields.optional_string("text"));
    problems.keep(text.check_quote(fields.path(), span?, quote?))?;
    let mut entity = Entity::new(span?, label?);
    (entity.lemma, entity.link) = (lemma?, link?);
    entity.score = score?.map(|score| score as f32);
    Some(entity)
}

/// Refuses a label that the document does not say it annotates.
fn check_annotated(
    fields: &Fields<'_>,
    annotated: Option<&[String]>,
) -> std::result::Result<(), Problem> {
    let (Some(annotated), Ok(label)) = (annotated, fields.label("label")) else {
        return Ok(());
    };
    if annotated.iter().any(|known| known == label) {
        return Ok(());
    }
    let (field, label) = (fields.path_of("label"), label.to_owned());
    Err(Problem::LabelNotAnnotated {
        field,
        label,
        annotated: annotated.to_vec(),
    })
}
