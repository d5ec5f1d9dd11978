//! What `vestnik data check` finds: defects that keep a record out, and annotations that are doubtful.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde_json::{Value, json};
use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit, Span, span_of_words, words_of_span};
use vestnik_data::{Corpus, Issue, Position, label_typos, near_duplicates};

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(super) enum Kind {
    /// A record that cannot be read, such as one with a span out of bounds
    Defect,
    /// Entities that share characters
    Overlap,
    /// A span that begins or ends with white space
    Space,
    /// A span that begins or ends inside a word
    CutWord,
    /// A label that looks like a misspelling of a more frequent one
    Label,
    /// A text that is twice in a file
    Duplicate,
    /// A text that is in another file too, the same or nearly
    Leak,
    /// A sentence that is longer than the model reads at once
    LongSentence,
    /// A file without a single entity
    NoEntities,
}

impl Kind {
    /// The name, as on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Defect => "defect",
            Self::Overlap => "overlap",
            Self::Space => "space",
            Self::CutWord => "cut-word",
            Self::Label => "label",
            Self::Duplicate => "duplicate",
            Self::Leak => "leak",
            Self::LongSentence => "long-sentence",
            Self::NoEntities => "no-entities",
        }
    }
}

/// Something found. Offsets count Unicode code points.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    pub(super) line: Option<u64>,
    document: Option<String>,
    span: Option<(usize, usize, String, String)>,
    message: String,
    suggestion: Option<String>,
}

impl Finding {
    pub(super) fn of_issue(kind: Kind, issue: &Issue) -> Self {
        Self {
            kind,
            path: issue.path.clone(),
            line: issue.line,
            document: None,
            span: None,
            message: issue.problem.to_string(),
            suggestion: None,
        }
    }

    /// About a whole file.
    pub(super) fn of_file(kind: Kind, path: PathBuf, message: &str) -> Self {
        Self {
            kind,
            path,
            line: None,
            document: None,
            span: None,
            message: message.to_owned(),
            suggestion: None,
        }
    }

    pub(super) fn of_document(kind: Kind, at: &Place<'_>, message: String) -> Self {
        Self {
            kind,
            path: at.position.path.clone(),
            line: Some(at.position.line),
            document: Some(at.document.id().to_owned()),
            span: None,
            message,
            suggestion: None,
        }
    }

    fn of_entity(kind: Kind, at: &Place<'_>, entity: &Entity, what: &str) -> Self {
        let range = at.offsets.from_span(entity.span);
        let text = at.slice(entity.span).to_owned();
        let label = entity.label.clone();
        let message = format!("{label} {}..{} {text:?} {what}", range.start, range.end);
        Self {
            span: Some((range.start, range.end, text, label)),
            ..Self::of_document(kind, at, message)
        }
    }

    fn suggest(mut self, suggestion: String) -> Self {
        self.suggestion = Some(suggestion);
        self
    }

    /// `path:line: message; hint: suggestion`.
    pub(super) fn line(&self) -> String {
        let path = self.path.display();
        let place = match self.line {
            Some(line) => format!("{path}:{line}"),
            None => path.to_string(),
        };
        match &self.suggestion {
            Some(suggestion) => format!("{place}: {}; hint: {suggestion}", self.message),
            None => format!("{place}: {}", self.message),
        }
    }

    pub(super) fn json(&self) -> Value {
        let span = self.span.as_ref();
        json!({
            "kind": self.kind.name(),
            "path": self.path,
            "line": self.line,
            "document": self.document,
            "start": span.map(|span| span.0),
            "end": span.map(|span| span.1),
            "text": span.map(|span| &span.2),
            "label": span.map(|span| &span.3),
            "message": self.message,
            "suggestion": self.suggestion,
        })
    }
}

/// A document and where it is.
pub(super) struct Place<'a> {
    pub(super) document: &'a Document,
    position: &'a Position,
    offsets: OffsetMap<'a>,
}

impl<'a> Place<'a> {
    pub(super) fn new(document: &'a Document, position: &'a Position) -> Self {
        Self {
            document,
            position,
            offsets: OffsetMap::new(document.text(), OffsetUnit::Char),
        }
    }

    pub(super) fn all(corpus: &'a Corpus) -> impl Iterator<Item = Self> {
        let pairs = corpus.documents.iter().zip(&corpus.positions);
        pairs.map(|(document, position)| Self::new(document, position))
    }

    fn slice(&self, span: Span) -> &'a str {
        self.document.slice(span).unwrap_or_default()
    }

    /// A span as it should be.
    fn shown(&self, span: Span) -> String {
        let range = self.offsets.from_span(span);
        format!("{}..{} {:?}", range.start, range.end, self.slice(span))
    }
}

/// Spans with white space at their edges, or that cut a word.
pub(super) fn edges(at: &Place<'_>) -> Vec<Finding> {
    let words = vestnik_text::words(at.document.text());
    let entities = at.document.entities().iter();
    entities
        .flat_map(|entity| edges_of(at, entity, &words))
        .collect()
}

fn edges_of(at: &Place<'_>, entity: &Entity, words: &[Span]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(trimmed) = trimmed(at.document.text(), entity.span) else {
        return findings;
    };
    if trimmed != entity.span {
        let what = "begins or ends with white space";
        let finding = Finding::of_entity(Kind::Space, at, entity, what);
        findings.push(finding.suggest(at.shown(trimmed)));
    }
    let whole = words_of_span(words, trimmed).and_then(|range| span_of_words(words, range));
    if let Some(whole) = whole.filter(|&whole| whole.cover(trimmed) != trimmed) {
        let what = "begins or ends inside a word";
        let finding = Finding::of_entity(Kind::CutWord, at, entity, what);
        findings.push(finding.suggest(at.shown(whole.cover(trimmed))));
    }
    findings
}

fn trimmed(text: &str, span: Span) -> Option<Span> {
    let covered = text.get(span.range())?;
    let start = span.start() + (covered.len() - covered.trim_start().len());
    Span::new(start, start + covered.trim().len()).ok()
}

/// Entities whose labels look like misspellings, over all files.
pub(super) fn labels(corpus: &Corpus, counts: &BTreeMap<&str, usize>) -> Vec<Finding> {
    let typos = label_typos(counts);
    let mut findings = Vec::new();
    for at in Place::all(corpus) {
        for entity in at.document.entities() {
            let Some(meant) = typos.get(entity.label.as_str()) else {
                continue;
            };
            let n = |label: &str| counts.get(label).copied().unwrap_or_default();
            let what = format!("has a label that is there {}", times(n(&entity.label)));
            let suggestion = format!("{meant} is there {}", times(n(meant)));
            let finding = Finding::of_entity(Kind::Label, &at, entity, &what);
            findings.push(finding.suggest(suggestion));
        }
    }
    findings
}

fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

/// Which texts count as copies.
pub(super) struct Copies {
    /// From which share of common word sequences on two texts are nearly the same.
    pub(super) threshold: f64,
    /// Shorter texts are never copies.
    pub(super) min_words: usize,
}

/// Texts that are twice in a file, and texts that are, the same or nearly, in several files. `file_of` says which file
/// a document is of.
pub(super) fn copies(corpus: &Corpus, file_of: &[usize], which: &Copies) -> Vec<Finding> {
    let is_long = |text: &str| {
        text.split_whitespace()
            .nth(which.min_words.max(1) - 1)
            .is_some()
    };
    let (places, file_of): (Vec<Place<'_>>, Vec<usize>) = Place::all(corpus)
        .zip(file_of.iter().copied())
        .filter(|(at, _)| is_long(at.document.text()))
        .unzip();
    let plain = |at: &Place<'_>| -> String {
        at.document
            .text()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut first: HashMap<(usize, String), usize> = HashMap::new();
    let mut findings = Vec::new();
    for (index, at) in places.iter().enumerate() {
        let earlier = *first.entry((file_of[index], plain(at))).or_insert(index);
        if earlier != index {
            let message = format!("the text is that of {}", named(&places[earlier]));
            let finding = Finding::of_document(Kind::Duplicate, at, message);
            findings.push(finding.suggest("keep one of them".to_owned()));
        }
    }
    let texts: Vec<&str> = places.iter().map(|at| at.document.text()).collect();
    for pair in near_duplicates(&texts, which.threshold, |a, b| file_of[a] != file_of[b]) {
        let (at, other) = (&places[pair.text], &places[pair.earlier]);
        let what = if plain(at) == plain(other) {
            "is that".to_owned()
        } else {
            format!(
                "has {:.0} % of its word sequences in that",
                pair.similarity * 100.0
            )
        };
        let message = format!("the text {what} of {}", named(other));
        let finding = Finding::of_document(Kind::Leak, at, message);
        findings.push(finding.suggest("keep both in one part, as data split can".to_owned()));
    }
    findings
}

fn named(at: &Place<'_>) -> String {
    format!("{} (document {:?})", at.position, at.document.id())
}
