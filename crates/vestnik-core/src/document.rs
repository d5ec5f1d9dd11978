//! A text with its entities.

use crate::{Entity, Error, Result, Span};

/// A text, what is known about it, and the entities in it.
///
/// Every entity that a document holds lies within the text and on character boundaries, so
/// `document.slice(entity.span)` never fails for its own entities. Entities are sorted by span; they may
/// overlap and nest.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    id: String,
    lang: Option<String>,
    source: Option<String>,
    text: String,
    entities: Vec<Entity>,
    annotated: Option<Vec<String>>,
}

impl Document {
    /// Makes a document without entities, language, source and annotated types.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            lang: None,
            source: None,
            text: text.into(),
            entities: Vec::new(),
            annotated: None,
        }
    }

    /// Sets the language, an ISO 639 code such as `bg`.
    #[must_use]
    pub fn with_lang(mut self, lang: impl Into<String>) -> Self {
        self.lang = Some(lang.into());
        self
    }

    /// Sets the source: the corpus or the outlet.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the entity types that are annotated in this document. A type that is not among them is
    /// unknown here, not absent.
    #[must_use]
    pub fn with_annotated<I, S>(mut self, labels: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.annotated = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Identifier, unique within a corpus.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Language, when known.
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.lang.as_deref()
    }

    /// Source, when known.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The original text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The entities, sorted by span.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// The annotated entity types; `None` when all types are annotated.
    #[must_use]
    pub fn annotated(&self) -> Option<&[String]> {
        self.annotated.as_deref()
    }

    /// Whether the absence of an entity of type `label` in this document means that there is none.
    #[must_use]
    pub fn annotates(&self, label: &str) -> bool {
        self.annotated
            .as_ref()
            .is_none_or(|labels| labels.iter().any(|annotated| annotated == label))
    }

    /// The part of the text that `span` covers.
    ///
    /// # Errors
    /// Those of [`Span::slice`].
    pub fn slice(&self, span: Span) -> Result<&str> {
        span.slice(&self.text)
    }

    /// Adds an entity, behind those with the same span.
    ///
    /// # Errors
    /// [`Error::SpanOutOfBounds`], [`Error::NotCharBoundary`], [`Error::EntityWithoutLabel`]; the document
    /// is then unchanged.
    pub fn push_entity(&mut self, entity: Entity) -> Result<()> {
        self.check(&entity)?;
        let position = self
            .entities
            .partition_point(|known| known.span <= entity.span);
        self.entities.insert(position, entity);
        Ok(())
    }

    /// Replaces all entities; they may come in any order.
    ///
    /// # Errors
    /// As [`Document::push_entity`], for the first entity that does not fit; the document is then unchanged.
    pub fn set_entities(&mut self, mut entities: Vec<Entity>) -> Result<()> {
        entities.iter().try_for_each(|entity| self.check(entity))?;
        entities.sort_by_key(|entity| entity.span);
        self.entities = entities;
        Ok(())
    }

    fn check(&self, entity: &Entity) -> Result<()> {
        entity.span.check(&self.text)?;
        if entity.label.is_empty() {
            return Err(Error::EntityWithoutLabel {
                start: entity.span.start(),
                end: entity.span.end(),
            });
        }
        Ok(())
    }
}
