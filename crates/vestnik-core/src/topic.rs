//! What a text is about.

/// A topic of a text, as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// The topic.
    pub label: String,
    /// Its probability, 0 to 1.
    pub score: f32,
}

impl Topic {
    /// A topic with its probability.
    pub fn new(label: impl Into<String>, score: f32) -> Self {
        Self {
            label: label.into(),
            score,
        }
    }
}
