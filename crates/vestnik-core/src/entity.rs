//! A named entity: a span with a label.

use crate::Span;

/// A mention of a named entity in a text.
///
/// ```
/// use vestnik_core::{Entity, Span};
///
/// let entity = Entity::new(Span::new(0, 8)?, "ORG");
/// assert_eq!(entity.label, "ORG");
/// assert_eq!(entity.score, None);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Where the mention stands, in UTF-8 bytes.
    pub span: Span,
    /// Entity type, for example `PER`.
    pub label: String,
    /// Probability between 0 and 1 that a model gave; `None` for annotated entities.
    pub score: Option<f32>,
    /// Normal form of the name, for example `Москва` for `Москвы`.
    pub lemma: Option<String>,
    /// Identifier shared by all mentions of the same thing.
    pub link: Option<String>,
}

impl Entity {
    /// Makes an entity without score, lemma and link.
    pub fn new(span: Span, label: impl Into<String>) -> Self {
        Self {
            span,
            label: label.into(),
            score: None,
            lemma: None,
            link: None,
        }
    }
}
