//! Corpora with named entities: JSON lines, or column files.

use std::path::Path;

use vestnik_core::{Document, Entity, OffsetUnit};

use crate::columns::{ColumnOptions, read_columns};
use crate::compression::{extension, peek, without_compression};
use crate::corpus::{Corpus, Records};
use crate::error::Result;
use crate::fields::{Fields, Problems, one_of};
use crate::inputs::{PEEKED_BYTES, starts_like_json};
use crate::issue::Issue;
use crate::problem::Problem;
use crate::records::{Origin, Record, open_file, read_records};
use crate::spans::AnnotatedText;

/// Reads a corpus with named entities and names all of its defects.
///
/// The name decides about the format, without `.gz` or `.zst`: `.jsonl`, `.json` and `.ndjson` are JSON lines, `.conll`,
/// `.conll03`, `.iob`, `.iob2`, `.bio`, `.bioes`, `.bilou`, `.col` and `.tsv` are columns
/// ([`read_columns`](crate::read_columns)). Any other file is JSON lines when it starts with `{` or `[`, and columns otherwise.
///
/// A JSON record is
/// `{"id","lang","source","text","entities":[{"start","end","label","lemma","link","score","text"}],"annotated":[…]}`;
/// `text`, `entities` and in them `start`, `end` and `label` are required. Offsets count Unicode code points, or what
/// `vestnik.offset_unit` says in output of this program; ends are exclusive. An entity's own `text` must equal the
/// text under its span. `annotated` lists the labels that are marked in this document; without it all are.
/// A record without `id` is called by its file and line.
///
/// # Errors
/// [`Error::NotFound`](crate::Error::NotFound), [`Error::IsFolder`](crate::Error::IsFolder), [`Error::Io`](crate::Error::Io)
/// when the file cannot be opened; [`Error::Input`](crate::Error::Input) when it cannot be read to its end, for example
/// because the compressed data is cut.
pub fn read_ner(path: &Path) -> Result<Corpus> {
    match extension(&without_compression(path)).as_str() {
        "jsonl" | "json" | "ndjson" => read_json(path),
        "conll" | "conll03" | "iob" | "iob2" | "bio" | "bioes" | "bilou" | "col" | "tsv" => {
            read_columns(path, &ColumnOptions::default())
        }
        _ if looks_like_json(path)? => read_json(path),
        _ => read_columns(path, &ColumnOptions::default()),
    }
}

fn looks_like_json(path: &Path) -> Result<bool> {
    let peeked = peek(open_file(path)?, PEEKED_BYTES);
    let (head, _) = peeked.map_err(|error| Issue::of_file(path, error.into()))?;
    Ok(starts_like_json(&head))
}

fn read_json(path: &Path) -> Result<Corpus> {
    let read = read_records(path, |record, problems| document(path, record, problems))?;
    let Records {
        records: documents,
        positions,
        issues,
    } = read;
    Ok(Corpus {
        documents,
        positions,
        issues,
    })
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
    problems.keep(text.check_quote(fields, span?, quote?))?;
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
