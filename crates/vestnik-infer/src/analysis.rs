//! What is asked of a text, and what it says.

use vestnik_core::{Entity, Span, Stance, Topic};

use crate::error::{Error, Result};
use crate::reader::Text;

/// A text, and the stretches of it towards which its stance is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The text, however long; it may be empty.
    pub text: &'a str,
    /// The targets, in UTF-8 bytes of the text; there may be none, and they may overlap.
    pub targets: &'a [Span],
}

impl<'a> Request<'a> {
    /// A text with targets.
    #[must_use]
    pub fn new(text: &'a str, targets: &'a [Span]) -> Self {
        Self { text, targets }
    }

    /// Refuses targets that are no part of the text.
    pub(crate) fn check(&self) -> Result<()> {
        let mut targets = self.targets.iter().enumerate();
        targets.try_for_each(|(index, target)| {
            let checked = target.slice(self.text);
            checked
                .map(drop)
                .map_err(|source| Error::Target { index, source })
        })
    }
}

impl<'a> From<&'a str> for Request<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text, &[])
    }
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Analysis {
    /// The named entities in the order of the text, flat but for [`Aggregation::None`](crate::Aggregation::None); spans
    /// are UTF-8 bytes of the text. Each has the stance of the text towards it, where that is among the tasks. None
    /// without the task [`Task::Ner`](crate::Task::Ner).
    pub entities: Vec<Entity>,
    /// What it is about: one topic or several, most probable first, or [`OTHER_TOPIC`](crate::OTHER_TOPIC) alone. None for a text
    /// without tokens, and without the task [`Task::Topic`](crate::Task::Topic).
    pub topics: Vec<Topic>,
    /// The targets that were asked for, in their order.
    pub targets: Vec<Target>,
    /// Tokens that were read: all of the text, however long.
    pub tokens: usize,
    /// Windows the text was read in.
    pub windows: usize,
}

impl Analysis {
    /// The analysis of a text before a model has said anything.
    pub(crate) fn blank(text: &Text<'_>, request: &Request<'_>) -> Self {
        Self {
            targets: request.targets.iter().copied().map(Target::new).collect(),
            tokens: text.tokens.tokens.len(),
            windows: text.windows.len(),
            ..Self::default()
        }
    }
}

/// A target that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Target {
    /// Where it stands, in UTF-8 bytes of the text.
    pub span: Span,
    /// The stance of the text towards it. `None` without the task [`Task::Stance`](crate::Task::Stance), and where the
    /// tokenizer sees nothing in the span.
    pub stance: Option<Stance>,
}

impl Target {
    pub(crate) fn new(span: Span) -> Self {
        Self { span, stance: None }
    }
}
