//! A named entity: a span with a label.

use crate::{Span, Stance};

/// A mention of a named thing in a text: where it stands and of which type it is.
///
/// An entity does not hold its text; [`Document::slice`](crate::Document::slice) and
/// [`Span::slice`] give it.
///
/// # Example
/// ```
/// use vestnik_core::{Entity, Span};
///
/// let text = "Лев Толстой писал";
/// let entity = Entity::new(Span::new(0, 21)?, "PER").with_score(0.98);
/// assert_eq!(entity.span.slice(text)?, "Лев Толстой");
/// assert_eq!(entity.score, Some(0.98));
/// assert_eq!(entity.lemma, None);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Where the mention stands, in UTF-8 bytes of the text.
    pub span: Span,
    /// Entity type, for example `PER`. Not empty in a [`Document`](crate::Document).
    pub label: String,
    /// Probability from 0 to 1 that a model gave; `None` for annotated entities.
    pub score: Option<f32>,
    /// Normal form of the name: `Варшава` for `Варшавы`.
    pub lemma: Option<String>,
    /// Identifier that all mentions of the same thing share, across languages.
    pub link: Option<String>,
    /// How the text stands towards it here, where a model was asked.
    pub stance: Option<Stance>,
}

impl Entity {
    /// Makes an entity without score, lemma, link and stance.
    pub fn new(span: Span, label: impl Into<String>) -> Self {
        Self {
            span,
            label: label.into(),
            score: None,
            lemma: None,
            link: None,
            stance: None,
        }
    }

    /// Sets the probability, from 0 to 1.
    #[must_use]
    pub fn with_score(mut self, score: f32) -> Self {
        self.score = Some(score);
        self
    }
}
