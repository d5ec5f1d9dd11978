//! UIMA CAS JSON, the format of INCEpTION: one document a file, text and annotations as "feature structures".
//!
//! Read as in the specification of `uima-uimaj-io-jsoncas` 0.5 (Apache UIMA).

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use vestnik_core::{Document, Entity, OffsetUnit};

use super::ReadOptions;
use super::webanno_lines::NAMED_ENTITY;
use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::files::{files_below, read_whole, relative_name};
use crate::issue::{Issue, Position};
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::file_name;
use crate::spans::AnnotatedText;

pub(super) const STRUCTURES: &str = "%FEATURE_STRUCTURES";
pub(super) const TYPE: &str = "%TYPE";
pub(super) const SOFA: &str = "uima.cas.Sofa";
pub(super) const VIEW: &str = "_InitialView";
pub(super) const SENTENCE: &str = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence";
pub(super) const TOKEN: &str = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token";
pub(super) const METADATA: &str =
    "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData";
/// The language of a text in no language.
pub(super) const NO_LANGUAGE: &str = "x-unspecified";

/// Types that say nothing beside text, tokens and language, or that describe the project.
const SILENT: [&str; 4] = [SENTENCE, TOKEN, METADATA, "uima.tcas.DocumentAnnotation"];
const SILENT_PACKAGES: [&str; 2] = ["de.tudarmstadt.ukp.clarin.webanno.api.type.", "uima.cas."];
const SILENT_TAGSETS: &str = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.Tag";

/// Reads a file, or all `.json` files of a folder: a document each.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let mut corpus = Corpus::default();
    if !path.is_dir() {
        let id = file_name(&path.with_extension(""));
        read_file(path, id, options, &mut corpus)?;
        return Ok(corpus);
    }
    for file in files_below(path, &["json"])? {
        let id = relative_name(path, &file.with_extension(""));
        read_file(&file, id, options, &mut corpus)?;
    }
    Ok(corpus)
}

fn read_file(path: &Path, id: String, options: &ReadOptions, corpus: &mut Corpus) -> Result<()> {
    let issue = |line, problem| Issue {
        path: path.to_path_buf(),
        line,
        problem,
    };
    let parsed = read_whole(path)?.and_then(|json| match serde_json::from_str::<Value>(&json) {
        Ok(json) => Ok(json),
        Err(error) => Err((Some(error.line() as u64), error.into())),
    });
    let json = match parsed {
        Ok(json) => json,
        Err((line, problem)) => {
            corpus.issues.push(issue(line, problem));
            return Ok(());
        }
    };
    let (mut problems, mut losses) = (Problems::default(), Vec::new());
    let document = document(id, &json, options, &mut problems, &mut losses);
    let losses = losses.into_iter();
    corpus
        .losses
        .extend(losses.map(|kind| Loss::read(path, 1, kind)));
    let problems = problems.into_vec();
    if let (Some(document), true) = (document, problems.is_empty()) {
        let path = path.to_path_buf();
        corpus.push(document, Position { path, line: 1 });
    }
    let problems = problems.into_iter();
    corpus
        .issues
        .extend(problems.map(|problem| issue(None, problem)));
    Ok(())
}

/// A feature structure with its type.
struct Structure<'a> {
    fields: Fields<'a>,
    name: &'a str,
    /// How others refer to it.
    id: Option<String>,
}

fn document(
    id: String,
    json: &Value,
    options: &ReadOptions,
    problems: &mut Problems,
    losses: &mut Vec<LossKind>,
) -> Option<Document> {
    let nothing = Map::new();
    let cas = Fields::new(json.as_object().unwrap_or(&nothing));
    let unit = problems.keep(offset_unit(&cas))?;
    let structures = structures(&cas, problems)?;
    let sofa = problems.keep(sofa(&structures))?;
    let text = problems.keep(sofa.fields.text("sofaString"))?;
    let text = AnnotatedText::new(text, options.offset_unit.unwrap_or(unit));
    let layer = problems.keep(layer(&structures))?;
    let mut annotations = Annotations {
        text: &text,
        layer,
        entities: Vec::new(),
        lang: None,
        lost: BTreeMap::new(),
    };
    for structure in &structures {
        let other_view = structure
            .fields
            .value("@sofa")
            .is_some_and(|reference| Some(written(reference)) != sofa.id);
        annotations.add(structure, other_view, problems);
    }
    let lost = annotations.lost.into_iter();
    losses.extend(lost.map(|(what, n)| LossKind::Annotation(format!("{what} are not read ({n})"))));
    let mut document = Document::new(id, text.text);
    if let Some(lang) = annotations.lang {
        document = document.with_lang(lang);
    }
    document.set_entities(annotations.entities).ok()?;
    Some(document)
}

/// The unit of offsets: UTF-16 units, as in Java, unless the header says otherwise.
fn offset_unit(cas: &Fields<'_>) -> std::result::Result<OffsetUnit, Problem> {
    const FIELD: &str = "%OFFSET_ENCODING";
    let header = cas.optional_object("%HEADER")?;
    let header = header.as_ref().filter(|header| header.has(FIELD));
    let place = header.unwrap_or(cas);
    let Some(name) = place.optional_string(FIELD)? else {
        return Ok(OffsetUnit::Utf16);
    };
    match name.as_str() {
        "UTF-16" => Ok(OffsetUnit::Utf16),
        "UTF-8" => Ok(OffsetUnit::Byte),
        "UTF-32" => Ok(OffsetUnit::Char),
        _ => Err(Problem::UnknownValue {
            field: place.path_of(FIELD),
            found: name,
            expected: ["UTF-16", "UTF-8", "UTF-32"].map(str::to_owned).to_vec(),
        }),
    }
}

/// All structures: an array, or in files of earlier drafts an object with the ids as keys.
fn structures<'a>(cas: &Fields<'a>, problems: &mut Problems) -> Option<Vec<Structure<'a>>> {
    let value = problems.keep(cas.value(STRUCTURES).ok_or_else(|| cas.missing(STRUCTURES)))?;
    let items: Vec<(String, Option<String>, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(numbered).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(id, item)| (format!("{STRUCTURES}.{id}"), Some(id.clone()), item))
            .collect(),
        other => {
            let expected = "an array of objects";
            problems.keep::<()>(Err(cas.wrong_type(STRUCTURES, other, expected)));
            return None;
        }
    };
    let structure = |(path, id, item): (String, Option<String>, &'a Value)| {
        let map = item.as_object().ok_or_else(|| Problem::WrongType {
            field: path.clone(),
            expected: "an object",
            found: crate::json::JsonType::of(item),
        })?;
        let fields = Fields::at(map, path);
        let name = fields.string(TYPE)?;
        Ok(Structure { fields, name, id })
    };
    let found = items.into_iter().map(|item| problems.keep(structure(item)));
    found.collect()
}

fn numbered((index, item): (usize, &Value)) -> (String, Option<String>, &Value) {
    let id = item.get("%ID").map(written);
    (format!("{STRUCTURES}[{index}]"), id, item)
}

/// An id, which is a number, or as the key of an object a string.
fn written(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// The text: that of the first view, or the first one there is.
fn sofa<'s, 'a>(
    structures: &'s [Structure<'a>],
) -> std::result::Result<&'s Structure<'a>, Problem> {
    let sofas = || structures.iter().filter(|structure| structure.name == SOFA);
    let is_first =
        |sofa: &&Structure<'_>| sofa.fields.value("sofaID").and_then(Value::as_str) == Some(VIEW);
    let sofa = sofas().find(is_first).or_else(|| sofas().next());
    sofa.ok_or(Problem::NoText {
        expected: "a feature structure of the type uima.cas.Sofa with a sofaString",
    })
}

/// The type whose annotations are entities, and the feature with the label.
type Layer<'a> = Option<(&'a str, &'static str)>;

/// Features that may hold the label.
const LABELS: [&str; 2] = ["value", "label"];

/// The named entities of the tool; where there are none, the only type of a project's own with a `value` or `label`.
fn layer<'a>(structures: &[Structure<'a>]) -> std::result::Result<Layer<'a>, Problem> {
    let mut found: BTreeMap<&str, &'static str> = BTreeMap::new();
    for structure in structures {
        let label = LABELS.into_iter().find(|label| {
            let value = structure.fields.value(label);
            value.is_some_and(Value::is_string)
        });
        if structure.name == NAMED_ENTITY {
            return Ok(Some((NAMED_ENTITY, LABELS[0])));
        }
        let own = !structure.name.starts_with("de.tudarmstadt.ukp.")
            && !structure.name.starts_with("uima.");
        if let (true, true, Some(label)) = (own, is_annotation(structure), label) {
            found.insert(structure.name, label);
        }
    }
    if found.len() > 1 {
        let found = found.into_keys().map(str::to_owned).collect();
        return Err(Problem::NoLayer { found });
    }
    Ok(found.into_iter().next())
}

fn is_annotation(structure: &Structure<'_>) -> bool {
    let fields = &structure.fields;
    fields.has("@sofa") && (fields.has("begin") || fields.has("^begin"))
}

struct Annotations<'a> {
    text: &'a AnnotatedText<'a>,
    layer: Layer<'a>,
    entities: Vec<Entity>,
    lang: Option<String>,
    /// What is not read, and how many of it.
    lost: BTreeMap<String, usize>,
}

impl Annotations<'_> {
    fn add(&mut self, structure: &Structure<'_>, other_view: bool, problems: &mut Problems) {
        let name = structure.name;
        let is_entity = self.layer.is_some_and(|(layer, _)| layer == name);
        if other_view && is_annotation(structure) && !is_silent(name) {
            self.lose("annotations of other views".to_owned());
        } else if is_entity {
            let entity = self.entity(&structure.fields, problems);
            self.entities.extend(entity);
        } else if is_silent(name) {
            let lang = structure.fields.value("language").and_then(Value::as_str);
            if let (Some(lang), false) = (lang.filter(|&lang| lang != NO_LANGUAGE), other_view) {
                self.lang = Some(lang.to_owned());
            }
        } else if name != SOFA {
            self.lose(format!("annotations of the type {name}"));
        }
    }

    fn lose(&mut self, what: String) {
        *self.lost.entry(what).or_default() += 1;
    }

    fn entity(&mut self, fields: &Fields<'_>, problems: &mut Problems) -> Option<Entity> {
        let (_, feature) = self.layer?;
        let offset = |name: &'static str, anchor: &'static str| {
            fields.offset(if fields.has(anchor) { anchor } else { name })
        };
        let start = problems.keep(offset("begin", "^begin"));
        let end = problems.keep(offset("end", "^end"));
        let label = problems.keep(fields.optional_string(feature))?;
        let (start, end) = (start?, end?);
        let Some(label) = label.filter(|label| !label.is_empty()) else {
            self.lose("entities without a label".to_owned());
            return None;
        };
        if start == end {
            self.lose("annotations without text".to_owned());
            return None;
        }
        let span = problems.keep(self.text.checked(fields.path(), start, end))?;
        let mut entity = Entity::new(span, label);
        entity.link = problems.keep(fields.optional_string("identifier"))?;
        Some(entity)
    }
}

fn is_silent(name: &str) -> bool {
    SILENT.contains(&name)
        || (name != SOFA
            && SILENT_PACKAGES
                .iter()
                .any(|package| name.starts_with(package)))
        || name.starts_with(SILENT_TAGSETS)
}
