//! JSON of Label Studio: an array of tasks, or a task a line.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use vestnik_core::{Document, OffsetMap, OffsetUnit};

use super::label_studio_regions::{Place, annotator_of, chosen, region_fields, regions};
use super::vestnik::metadata;
use super::{Item, ReadOptions, items};
use crate::compression::peek;
use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::inputs::PEEKED_BYTES;
use crate::issue::{Issue, Position};
use crate::json::JsonType;
use crate::json_array::{Element, for_each_element};
use crate::lines::{MAX_LINE_BYTES, without_byte_order_mark};
use crate::loss::{Loss, LossKind, Places};
use crate::problem::Problem;
use crate::records::{RecordLines, file_name, open_file};

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let peeked = peek(open_file(path)?, PEEKED_BYTES);
    let (head, source) = peeked.map_err(|error| Issue::of_file(path, error.into()))?;
    let mut tasks = Tasks {
        path,
        options,
        corpus: Corpus::default(),
        ids: BTreeSet::new(),
        flat: BTreeSet::new(),
    };
    if !without_byte_order_mark(&head)
        .trim_ascii_start()
        .starts_with(b"[")
    {
        for record in RecordLines::new(path, source, MAX_LINE_BYTES) {
            match record {
                Ok(record) => tasks.add(record.line, &Fields::new(&record.fields)),
                Err(issue) if issue.problem.ends_input() => return Err(issue.into()),
                Err(issue) => tasks.corpus.issues.push(issue),
            }
        }
        return Ok(tasks.corpus);
    }
    let end = for_each_element(source, &mut |element| {
        tasks.add_element(&element);
        true
    });
    if let Err((line, problem)) = end {
        let issue = Issue::at(path, line, problem);
        if issue.problem.ends_input() {
            return Err(issue.into());
        }
        tasks.corpus.issues.push(issue);
    }
    Ok(tasks.corpus)
}

/// Makes documents of tasks.
struct Tasks<'a> {
    path: &'a Path,
    options: &'a ReadOptions,
    corpus: Corpus,
    ids: BTreeSet<String>,
    /// The tasks of "JSON-MIN" that an annotation was read of.
    flat: BTreeSet<String>,
}

/// What is wrong with a task, and what of it is not kept.
#[derive(Default)]
struct Notes {
    problems: Problems,
    losses: Vec<LossKind>,
}

/// What Label Studio adds to the data in the export "JSON-MIN".
const FLAT: [&str; 5] = [
    "annotator",
    "annotation_id",
    "created_at",
    "updated_at",
    "lead_time",
];

/// Whether a record is of the export "JSON-MIN".
pub(super) fn is_flat(task: &Fields<'_>) -> bool {
    !task.has("data") && task.has("annotation_id")
}

impl Tasks<'_> {
    fn add_element(&mut self, element: &Element) {
        let path = format!("[{}]", element.index);
        match &element.value {
            Value::Object(map) => self.add(element.line, &Fields::at(map, path)),
            other => self.corpus.issues.push(Issue::at(
                self.path,
                element.line,
                Problem::WrongType {
                    field: path,
                    expected: "an object",
                    found: JsonType::of(other),
                },
            )),
        }
    }

    fn add(&mut self, line: u64, task: &Fields<'_>) {
        let mut notes = Notes::default();
        let read = self.read(line, task, &mut notes);
        let Notes { problems, losses } = notes;
        let document = read.as_ref().map(|(document, _)| document.id().to_owned());
        let losses = losses.into_iter().map(|kind| Loss {
            document: document.clone(),
            ..Loss::read(self.path, line, kind)
        });
        self.corpus.losses.extend(losses);
        let problems = problems.into_vec();
        if let (Some((document, fields)), true) = (read, problems.is_empty()) {
            let path = self.path.to_path_buf();
            self.corpus
                .push_with(document, Position { path, line }, fields);
        }
        let issues = problems.into_iter();
        let issues = issues.map(|problem| Issue::at(self.path, line, problem));
        self.corpus.issues.extend(issues);
    }

    fn read(
        &mut self,
        line: u64,
        task: &Fields<'_>,
        notes: &mut Notes,
    ) -> Option<(Document, Map<String, Value>)> {
        if is_flat(task) {
            return self.read_flat(line, task, notes);
        }
        let Notes { problems, losses } = notes;
        let data = problems.keep(task.object("data"))?;
        let annotator = self.options.annotator.as_deref();
        let Some(annotation) = problems.keep(chosen(task, annotator, losses))? else {
            losses.push(LossKind::NotAnnotated);
            return None;
        };
        let place = Place::Result(annotation);
        self.document(line, (task, &data), &place, notes)
    }

    /// A record of the export "JSON-MIN": an annotation each, with the task's data beside it. The annotation that comes
    /// first for a task is read, or the annotator's.
    fn read_flat(
        &mut self,
        line: u64,
        task: &Fields<'_>,
        notes: &mut Notes,
    ) -> Option<(Document, Map<String, Value>)> {
        let name = annotator_of(task.value("annotator"));
        let wanted = self.options.annotator.as_ref();
        let id = notes.problems.keep(task.identifier("id"))?;
        let fits = wanted.is_none_or(|wanted| *wanted == name);
        let is_first = fits && id.is_none_or(|id| self.flat.insert(id));
        if !is_first {
            notes.losses.push(LossKind::Annotator(name));
            return None;
        }
        let others = task.without(&[]);
        let fields = region_fields(&others);
        let data = task.without(&FLAT);
        let data = data.into_iter().filter(|(name, _)| !fields.contains(name));
        let data: Map<String, Value> = data.collect();
        let place = Place::Task(task, fields);
        let data = Fields::at(&data, task.path().to_owned());
        self.document(line, (task, &data), &place, notes)
    }

    fn document(
        &mut self,
        line: u64,
        (task, data): (&Fields<'_>, &Fields<'_>),
        place: &Place<'_>,
        notes: &mut Notes,
    ) -> Option<(Document, Map<String, Value>)> {
        let Notes { problems, losses } = notes;
        let text_field = problems.keep(self.text_field(data))?;
        let text = problems.keep(data.text(&text_field))?;
        let regions = regions(place, text, self.options.offset_unit, problems)?;
        losses.extend(regions.losses);
        let id = problems.keep(data.identifier("id"))?;
        let id = id.or(problems.keep(task.identifier("id"))?);
        let id = id.unwrap_or_else(|| format!("{}:{line}", file_name(self.path)));
        let id = self.unique(&id);
        let mut document = Document::new(id, text);
        if let Some(lang) = problems.keep(data.optional_string("lang"))? {
            document = document.with_lang(lang);
        }
        if let Some(source) = problems.keep(data.optional_string("source"))? {
            document = document.with_source(source);
        }
        if let Some(labels) = problems.keep(data.optional_labels("annotated"))? {
            document = document.with_annotated(labels);
        }
        document.set_entities(regions.entities).ok()?;
        let read = [&text_field, "id", "lang", "source", "annotated"];
        Some((document, data.without(&read)))
    }

    /// `data.id` is the user's own: it need not be unique.
    fn unique(&mut self, id: &str) -> String {
        let mut name = id.to_owned();
        let mut number = 1;
        while !self.ids.insert(name.clone()) {
            number += 1;
            name = format!("{id}#{number}");
        }
        name
    }

    /// The field of `data` with the text.
    fn text_field(&self, data: &Fields<'_>) -> std::result::Result<String, Problem> {
        const DEFAULT: &str = "text";
        if let Some(field) = &self.options.text_field {
            return Ok(field.clone());
        }
        if data.has(DEFAULT) {
            return Ok(DEFAULT.to_owned());
        }
        let mut strings = data.strings();
        if strings.len() == 1 {
            return Ok(strings.remove(0));
        }
        Err(Problem::NoTextField {
            field: data.path().to_owned(),
            found: strings,
        })
    }
}

/// What the format holds besides text and entities: metadata and other fields, in `data`.
const PLACES: Places = Places {
    metadata: true,
    entity_fields: false,
    others: true,
};

/// Writes tasks as Label Studio imports them, for `<Labels name="label" toName="text">` and `<Text name="text"
/// value="$text">`. Offsets count UTF-16 units.
pub(super) fn write(corpus: &Corpus, out: &mut dyn Write) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for (index, item) in items(corpus).enumerate() {
        losses.extend(item.losses(&PLACES));
        let separator = if index == 0 { "[\n" } else { ",\n" };
        let data = data(&item, &mut losses);
        let task = json!({
            "id": index + 1,
            "data": data,
            "annotations": [{"id": index + 1, "result": results(item.document)}],
        });
        write!(out, "{separator}{task}")?;
    }
    let end = if corpus.documents.is_empty() {
        "[]\n"
    } else {
        "\n]\n"
    };
    out.write_all(end.as_bytes())?;
    Ok(losses)
}

/// Writes tasks with what a model has found, for people to correct, behind `n_before` others. The array that the first
/// one opens is not closed.
pub(crate) fn write_predictions(
    corpus: &Corpus,
    n_before: usize,
    out: &mut dyn Write,
) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for (index, item) in items(corpus).enumerate() {
        losses.extend(item.losses(&PLACES));
        let id = n_before + index + 1;
        let separator = if id == 1 { "[\n" } else { ",\n" };
        let data = data(&item, &mut losses);
        let task = json!({
            "id": id,
            "data": data,
            "predictions": [{"model_version": "vestnik", "result": results(item.document)}],
        });
        write!(out, "{separator}{task}")?;
    }
    Ok(losses)
}

fn data(item: &Item<'_>, losses: &mut Vec<Loss>) -> Map<String, Value> {
    let mut data = metadata(item);
    data.insert("text".to_owned(), item.document.text().into());
    if let Some(annotated) = item.document.annotated() {
        data.insert("annotated".to_owned(), annotated.into());
    }
    for (name, value) in item.others {
        if data.contains_key(name) {
            losses.push(Loss::written(item.document, LossKind::Field(name.clone())));
        } else {
            data.insert(name.clone(), value.clone());
        }
    }
    data
}

fn results(document: &Document) -> Vec<Value> {
    let offsets = OffsetMap::new(document.text(), OffsetUnit::Utf16);
    let entities = document.entities().iter().enumerate();
    entities
        .map(|(index, entity)| {
            let range = offsets.from_span(entity.span);
            json!({
                "id": format!("e{}", index + 1),
                "from_name": "label",
                "to_name": "text",
                "type": "labels",
                "value": {
                    "start": range.start,
                    "end": range.end,
                    "text": document.slice(entity.span).unwrap_or_default(),
                    "labels": [entity.label],
                },
            })
        })
        .collect()
}
