//! Corpora of the other tasks: stance towards targets, topics, and natural language inference.

use std::path::Path;

use serde_json::{Map, Value};
use vestnik_core::{OffsetUnit, Span};

use crate::corpus::Records;
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::records::{Origin, Record, read_records};
use crate::spans::AnnotatedText;

/// The stances that a text can take towards a target.
const STANCES: [&str; 3] = ["against", "neutral", "favour"];

/// A text with the stance it takes towards its targets.
#[derive(Debug, Clone, PartialEq)]
pub struct StanceRecord {
    /// The record's id, or its file and line.
    pub id: String,
    /// The language, an ISO 639-1 code.
    pub lang: Option<String>,
    /// The corpus or the outlet.
    pub source: Option<String>,
    /// The text.
    pub text: String,
    /// The targets in the order of the file; they may overlap.
    pub targets: Vec<StanceTarget>,
}

/// A target in a text, and the stance towards it.
#[derive(Debug, Clone, PartialEq)]
pub struct StanceTarget {
    /// Where the target is named, in bytes.
    pub span: Span,
    /// `against`, `neutral` or `favour`; of [`read_spans`] any label.
    pub label: String,
    /// The other fields of the target, such as `type` or `role`.
    pub fields: Map<String, Value>,
}

/// A text with the topics it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicRecord {
    /// The record's id, or its file and line.
    pub id: String,
    /// The language, an ISO 639-1 code.
    pub lang: Option<String>,
    /// The corpus or the outlet.
    pub source: Option<String>,
    /// The title, where it is apart from the text.
    pub title: Option<String>,
    /// The text.
    pub text: String,
    /// The labels of the corpus; none when the text has none of its topics.
    pub labels: Vec<String>,
}

/// A premise, a hypothesis, and what the one says about the other.
#[derive(Debug, Clone, PartialEq)]
pub struct NliRecord {
    /// The record's id, or its file and line.
    pub id: String,
    /// The language, an ISO 639-1 code.
    pub lang: Option<String>,
    /// The corpus.
    pub source: Option<String>,
    /// The text that is taken as true.
    pub premise: String,
    /// The sentence that may follow from it.
    pub hypothesis: String,
    /// The label of the corpus, such as `entailment`.
    pub label: String,
}

/// Reads a stance corpus: lines of `{"id","lang","source","text","targets":[{"start","end","label"}]}`.
///
/// Offsets count Unicode code points, ends are exclusive.
///
/// # Errors
/// As [`read_ner`](crate::read_ner).
pub fn read_stance(path: &Path) -> Result<Records<StanceRecord>> {
    let known = Some(&STANCES[..]);
    read_records(path, |record, problems| {
        targets(path, record, known, problems)
    })
}

/// Reads a corpus of labelled spans, which has the form of a stance corpus and any labels: see [`read_stance`].
///
/// # Errors
/// As [`read_ner`](crate::read_ner).
pub fn read_spans(path: &Path) -> Result<Records<StanceRecord>> {
    read_records(path, |record, problems| {
        targets(path, record, None, problems)
    })
}

/// A record whose targets have one of the `known` labels, or any label.
fn targets(
    path: &Path,
    record: &Record,
    known: Option<&[&str]>,
    problems: &mut Problems,
) -> Option<StanceRecord> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let text = problems.keep(fields.text("text"));
    let items = problems.keep(fields.objects("targets"));
    let text = AnnotatedText::new(text?, OffsetUnit::Char);
    let mut targets = Vec::new();
    for item in items? {
        let Some(item) = problems.keep(item) else {
            continue;
        };
        targets.extend(target(&item, &text, known, problems));
    }
    let Origin { id, lang, source } = origin?;
    Some(StanceRecord {
        id,
        lang,
        source,
        text: text.text.to_owned(),
        targets,
    })
}

fn target(
    fields: &Fields<'_>,
    text: &AnnotatedText<'_>,
    known: Option<&[&str]>,
    problems: &mut Problems,
) -> Option<StanceTarget> {
    let span = text.span(fields, problems);
    let label = match known {
        Some(known) => fields.label_of("label", known),
        None => fields.label("label"),
    };
    let label = problems.keep(label)?.to_owned();
    let fields = fields.without(&["start", "end", "label"]);
    Some(StanceTarget {
        span: span?,
        label,
        fields,
    })
}

/// Reads a topic corpus: lines of `{"id","lang","source","title","text","labels":[…]}`.
///
/// # Errors
/// As [`read_ner`](crate::read_ner).
pub fn read_topics(path: &Path) -> Result<Records<TopicRecord>> {
    read_records(path, |record, problems| topic(path, record, problems))
}

fn topic(path: &Path, record: &Record, problems: &mut Problems) -> Option<TopicRecord> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let title = problems.keep(fields.optional_string("title"));
    let text = problems.keep(fields.text("text"));
    let labels = problems.keep(fields.labels("labels"));
    let Origin { id, lang, source } = origin?;
    let (title, text, labels) = (title?, text?.to_owned(), labels?);
    Some(TopicRecord {
        id,
        lang,
        source,
        title,
        text,
        labels,
    })
}

/// Reads a corpus of natural language inference: lines of `{"id","lang","source","premise","hypothesis","label"}`.
///
/// # Errors
/// As [`read_ner`](crate::read_ner).
pub fn read_nli(path: &Path) -> Result<Records<NliRecord>> {
    read_records(path, |record, problems| nli(path, record, problems))
}

fn nli(path: &Path, record: &Record, problems: &mut Problems) -> Option<NliRecord> {
    let fields = Fields::new(&record.fields);
    let origin = Origin::read(path, record, problems);
    let premise = problems.keep(fields.text("premise"));
    let hypothesis = problems.keep(fields.text("hypothesis"));
    let label = problems.keep(fields.label("label"));
    let Origin { id, lang, source } = origin?;
    let (premise, hypothesis) = (premise?.to_owned(), hypothesis?.to_owned());
    Some(NliRecord {
        id,
        lang,
        source,
        premise,
        hypothesis,
        label: label?.to_owned(),
    })
}
