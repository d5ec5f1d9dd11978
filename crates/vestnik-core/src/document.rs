//! A text with its entities.

use crate::{Entity, Error, Result, Span};

/// A text, what is known about it, and the entities in it.
///
/// The text cannot be changed, and every entity that the document holds lies within it and on
/// character boundaries: [`Document::slice`] never fails for the document's own entities. Entities
/// are sorted by span; they may overlap and nest, and entities with equal spans keep the order in
/// which they came.
///
/// # Example
/// ```
/// use vestnik_core::{Document, Entity, Error, Span};
///
/// let mut document = Document::new("a1", "Praha i Brno").with_lang("cs").with_annotated(["LOC"]);
/// document.push_entity(Entity::new(Span::new(8, 12)?, "LOC"))?;
/// document.push_entity(Entity::new(Span::new(0, 5)?, "LOC"))?;
///
/// let spans = document.entities().iter().map(|entity| entity.span);
/// let names: Vec<&str> = spans.map(|span| document.slice(span)).collect::<Result<_, _>>()?;
/// assert_eq!(names, ["Praha", "Brno"]);
///
/// // What does not fit the text is refused, and the document stays as it was.
/// let late = document.push_entity(Entity::new(Span::new(8, 13)?, "LOC"));
/// assert_eq!(late, Err(Error::SpanOutOfBounds { start: 8, end: 13, len: 12 }));
/// assert_eq!(document.entities().len(), 2);
/// # Ok::<(), Error>(())
/// ```
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

    /// Sets another identifier.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
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

    /// Whether type `label` is annotated here, so that a word without it is known not to be of that
    /// type.
    ///
    /// ```
    /// use vestnik_core::Document;
    ///
    /// let partly = Document::new("1", "…").with_annotated(["PER"]);
    /// assert!(partly.annotates("PER"));
    /// assert!(!partly.annotates("EVT"));
    /// assert!(Document::new("2", "…").annotates("EVT"));
    /// ```
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
    /// [`Error::SpanOutOfBounds`], [`Error::NotCharBoundary`], [`Error::EntityWithoutLabel`]; the
    /// document is then unchanged.
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
    /// As [`Document::push_entity`], for the first entity that does not fit; the document is then
    /// unchanged.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(start: usize, end: usize, label: &str) -> Entity {
        Entity::new(Span::new(start, end).unwrap(), label)
    }

    fn spans(document: &Document) -> Vec<String> {
        document
            .entities()
            .iter()
            .map(|entity| entity.span.to_string())
            .collect()
    }

    #[test]
    fn entities_are_sorted_however_they_come() {
        let mut pushed = Document::new("1", "a b c d");
        for (start, end) in [(4, 5), (0, 3), (0, 1), (6, 7)] {
            pushed.push_entity(entity(start, end, "X")).unwrap();
        }
        assert_eq!(spans(&pushed), ["0..1", "0..3", "4..5", "6..7"]);

        let mut set = Document::new("1", "a b c d");
        set.set_entities(vec![
            entity(6, 7, "X"),
            entity(0, 3, "X"),
            entity(4, 5, "X"),
            entity(0, 1, "X"),
        ])
        .unwrap();
        assert_eq!(set, pushed);
    }

    #[test]
    fn equal_spans_keep_their_order() {
        let mut document = Document::new("1", "abc");
        for label in ["PER", "LOC", "ORG"] {
            document.push_entity(entity(0, 3, label)).unwrap();
        }
        let labels: Vec<&str> = document
            .entities()
            .iter()
            .map(|entity| entity.label.as_str())
            .collect();
        assert_eq!(labels, ["PER", "LOC", "ORG"]);
    }

    #[test]
    fn what_does_not_fit_leaves_the_document_unchanged() {
        let mut document = Document::new("1", "ёж");
        document.push_entity(entity(0, 2, "X")).unwrap();
        let before = document.clone();

        assert_eq!(
            document.push_entity(entity(1, 4, "X")),
            Err(Error::NotCharBoundary { offset: 1 })
        );
        assert_eq!(
            document.push_entity(entity(0, 4, "")),
            Err(Error::EntityWithoutLabel { start: 0, end: 4 })
        );
        let out_of_bounds = vec![entity(0, 4, "X"), entity(2, 5, "X")];
        assert_eq!(
            document.set_entities(out_of_bounds),
            Err(Error::SpanOutOfBounds {
                start: 2,
                end: 5,
                len: 4
            })
        );
        assert_eq!(document, before);
    }

    #[test]
    fn fields_are_kept() {
        let document = Document::new("7", "текст")
            .with_lang("ru")
            .with_source("news")
            .with_annotated(["PER"]);
        assert_eq!((document.id(), document.text()), ("7", "текст"));
        assert_eq!(
            (document.lang(), document.source()),
            (Some("ru"), Some("news"))
        );
        assert_eq!(document.annotated(), Some(&["PER".to_owned()][..]));
        assert_eq!(Document::new("", "").annotated(), None);
    }

    #[test]
    fn an_empty_text_takes_no_entity() {
        assert!(
            Document::new("1", "")
                .push_entity(entity(0, 1, "X"))
                .is_err()
        );
    }
}
