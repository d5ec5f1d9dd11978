//! What a conversion cannot keep: at reading, because a document has no place for it; at writing, because the format has
//! none.

use std::fmt;
use std::path::Path;

use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit};

use crate::issue::Position;
use crate::problem::quoted;

/// Something that cannot be kept. Its `Display` is one line: where it is, what it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The file and line that it was read from; `None` when it is lost at writing.
    pub position: Option<Position>,
    /// The id of the document that loses it, where it is known.
    pub document: Option<String>,
    /// The entity that is left out, or that loses a part of itself.
    pub entity: Option<LostEntity>,
    /// What is lost, and why.
    pub kind: LossKind,
}

/// An entity that a loss is about. Offsets count Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostEntity {
    /// Its start.
    pub start: usize,
    /// Its end, exclusive.
    pub end: usize,
    /// The text under it.
    pub text: String,
    /// Its label.
    pub label: String,
}

/// What is lost, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum LossKind {
    /// A field that the format has no place for.
    #[error("no place for the field {0}")]
    Field(String),
    /// The white space between words.
    #[error("the white space between words is not kept")]
    Spacing,
    /// An entity begins or ends inside a token.
    #[error("the entity begins or ends inside a token")]
    CutsToken,
    /// An entity overlaps another one.
    #[error("the entity overlaps another one, and tags hold only entities side by side")]
    Overlap,
    /// An entity begins or ends with a line break.
    #[error("the entity begins or ends with a line break")]
    LineBreak,
    /// A label has characters that the format has no place for.
    #[error("the label has characters that the format cannot hold")]
    Label,
    /// An id that the format has no place for.
    #[error("the id cannot be kept, it becomes {}", quoted(.0))]
    Id(String),
    /// An entity of several pieces with words between them; it is left out.
    #[error("an entity of several pieces with words between them")]
    Discontinuous,
    /// An annotation that is no entity, such as a relation.
    #[error("{0}")]
    Annotation(String),
    /// The work of a further annotator.
    #[error("the annotation of a further annotator ({0})")]
    Annotator(String),
    /// Nobody has annotated the text; it is left out.
    #[error("the text has no finished annotation, it is left out")]
    NotAnnotated,
}

impl LossKind {
    /// The name of the kind, for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Field(_) => "field",
            Self::Spacing => "spacing",
            Self::CutsToken => "cuts-token",
            Self::Overlap => "overlap",
            Self::LineBreak => "line-break",
            Self::Label => "label",
            Self::Id(_) => "id",
            Self::Discontinuous => "discontinuous",
            Self::Annotation(_) => "annotation",
            Self::Annotator(_) => "annotator",
            Self::NotAnnotated => "not-annotated",
        }
    }
}

impl Loss {
    /// Something that a document cannot hold.
    pub(crate) fn read(path: &Path, line: u64, kind: LossKind) -> Self {
        let path = path.to_path_buf();
        Self {
            position: Some(Position { path, line }),
            document: None,
            entity: None,
            kind,
        }
    }

    /// Something of a document that the format cannot hold.
    pub(crate) fn written(document: &Document, kind: LossKind) -> Self {
        Self {
            position: None,
            document: Some(document.id().to_owned()),
            entity: None,
            kind,
        }
    }

    /// An entity of a document that the format cannot hold.
    pub(crate) fn of_entity(document: &Document, entity: &Entity, kind: LossKind) -> Self {
        let range = OffsetMap::new(document.text(), OffsetUnit::Char).from_span(entity.span);
        let entity = LostEntity {
            start: range.start,
            end: range.end,
            text: document.slice(entity.span).unwrap_or_default().to_owned(),
            label: entity.label.clone(),
        };
        Self {
            entity: Some(entity),
            ..Self::written(document, kind)
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        if let Some(document) = &self.document {
            write!(f, "document {}: ", quoted(document))?;
        }
        if let Some(LostEntity {
            start,
            end,
            text,
            label,
        }) = &self.entity
        {
            write!(f, "{label} {start}..{end} {}: ", quoted(text))?;
        }
        write!(f, "{}", self.kind)
    }
}

/// The fields of documents that a format has no place for, as losses.
pub(crate) struct Places {
    /// Whether the format holds the id, language, source and annotated labels.
    pub(crate) metadata: bool,
    /// Whether it holds lemma, link and score of entities.
    pub(crate) entity_fields: bool,
    /// Whether it holds other fields of the record.
    pub(crate) others: bool,
}

impl Places {
    /// What of a document is lost, but for its entities and its text.
    pub(crate) fn losses<'a>(
        &self,
        document: &Document,
        others: impl Iterator<Item = &'a String>,
    ) -> Vec<Loss> {
        let mut names = Vec::new();
        if !self.metadata {
            names.push((true, "id".to_owned()));
            names.push((document.lang().is_some(), "lang".to_owned()));
            names.push((document.source().is_some(), "source".to_owned()));
            names.push((document.annotated().is_some(), "annotated".to_owned()));
        }
        if !self.entity_fields {
            names.extend(entity_fields(document));
        }
        if !self.others {
            names.extend(others.map(|name| (true, name.clone())));
        }
        let lost = names.into_iter().filter(|(present, _)| *present);
        lost.map(|(_, name)| Loss::written(document, LossKind::Field(name)))
            .collect()
    }
}

fn entity_fields(document: &Document) -> [(bool, String); 3] {
    let any = |has: fn(&Entity) -> bool| document.entities().iter().any(has);
    [
        (
            any(|entity| entity.lemma.is_some()),
            "entities[].lemma".to_owned(),
        ),
        (
            any(|entity| entity.link.is_some()),
            "entities[].link".to_owned(),
        ),
        (
            any(|entity| entity.score.is_some()),
            "entities[].score".to_owned(),
        ),
    ]
}
