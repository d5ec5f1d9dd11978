//! What reading a corpus gives: the records that are sound, where they were, and every defect.

use serde_json::{Map, Value};
use vestnik_core::{Document, Entity};

use crate::issue::{Issue, Position};
use crate::loss::Loss;
use crate::problem::Problem;

/// Documents with named entities. A record with a defect is set aside: it is in `issues` and not in `documents`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corpus {
    /// The documents in the order of the file.
    pub documents: Vec<Document>,
    /// Where each document starts; as long as `documents`.
    pub positions: Vec<Position>,
    /// The fields of each record that a document has no place for, such as `outlet`; as long as `documents`.
    pub fields: Vec<Map<String, Value>>,
    /// Every defect, in the order of the file.
    pub issues: Vec<Issue>,
    /// What the file says and a document cannot hold, such as relations. No defects: the documents are there.
    pub losses: Vec<Loss>,
}

impl Corpus {
    /// A corpus of documents with the fields that each of them has no place for.
    pub(crate) fn from_records(
        read: Records<(Document, Map<String, Value>)>,
        losses: Vec<Loss>,
    ) -> Self {
        let (documents, fields) = read.records.into_iter().unzip();
        Self {
            documents,
            positions: read.positions,
            fields,
            issues: read.issues,
            losses,
        }
    }

    pub(crate) fn push(&mut self, document: Document, position: Position) {
        self.push_with(document, position, Map::new());
    }

    pub(crate) fn push_with(
        &mut self,
        document: Document,
        position: Position,
        fields: Map<String, Value>,
    ) {
        self.documents.push(document);
        self.positions.push(position);
        self.fields.push(fields);
    }

    /// Adds the documents and the issues of another corpus behind those of this one.
    pub fn append(&mut self, mut other: Corpus) {
        self.documents.append(&mut other.documents);
        self.positions.append(&mut other.positions);
        self.fields.append(&mut other.fields);
        self.issues.append(&mut other.issues);
        self.losses.append(&mut other.losses);
    }

    /// The number of entities of all documents.
    pub fn n_entities(&self) -> usize {
        self.documents
            .iter()
            .map(|document| document.entities().len())
            .sum()
    }

    /// An issue for every entity that overlaps an earlier one of its document, equal spans included.
    ///
    /// Nested annotation is sound, but tags (BIO, BIOES) cannot express it: check before training on tags.
    pub fn overlaps(&self) -> Vec<Issue> {
        let pairs = self.documents.iter().zip(&self.positions);
        pairs
            .flat_map(|(document, position)| overlaps(document, position))
            .collect()
    }
}

fn overlaps(document: &Document, position: &Position) -> Vec<Issue> {
    let mut issues = Vec::new();
    let mut furthest: Option<&Entity> = None;
    for entity in document.entities() {
        if let Some(other) = furthest.filter(|other| other.span.overlaps(entity.span)) {
            let problem = overlap(document, entity, other);
            issues.push(Issue::at(&position.path, position.line, problem));
        }
        if furthest.is_none_or(|other| other.span.end() < entity.span.end()) {
            furthest = Some(entity);
        }
    }
    issues
}

fn overlap(document: &Document, entity: &Entity, other: &Entity) -> Problem {
    let text = |entity: &Entity| document.slice(entity.span).unwrap_or_default().to_owned();
    Problem::Overlap {
        label: entity.label.clone(),
        text: text(entity),
        other: text(other),
    }
}

/// Records of another task. A record with a defect is set aside: it is in `issues` and not in `records`.
#[derive(Debug, Clone, PartialEq)]
pub struct Records<T> {
    /// The records in the order of the file.
    pub records: Vec<T>,
    /// Where each record is; as long as `records`.
    pub positions: Vec<Position>,
    /// Every defect, in the order of the file.
    pub issues: Vec<Issue>,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            positions: Vec::new(),
            issues: Vec::new(),
        }
    }
}
