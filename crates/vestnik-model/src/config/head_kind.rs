//! Which head a model directory has.

/// The kinds of heads that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadKind {
    /// Which token stands at a masked place.
    MaskedLm,
    /// A label for every token.
    TokenClassification,
    /// Labels for a whole sequence.
    SequenceClassification,
}

impl HeadKind {
    /// The reference's name for models with this head, without the architecture's.
    #[must_use]
    pub fn class_suffix(self) -> &'static str {
        match self {
            Self::MaskedLm => "MaskedLM",
            Self::TokenClassification => "TokenClassification",
            Self::SequenceClassification => "SequenceClassification",
        }
    }

    /// What the head is for, in words.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::MaskedLm => "masked language modelling",
            Self::TokenClassification => "token classification",
            Self::SequenceClassification => "sequence classification",
        }
    }

    /// The head of a class of the reference; `None` for a bare encoder and for heads that are not supported.
    #[must_use]
    pub fn of_class(class: &str) -> Option<Self> {
        match class.rsplit_once("For")?.1 {
            "MaskedLM" => Some(Self::MaskedLm),
            // Of BERT's two pretraining tasks the second one is left aside; ELECTRA's is another one.
            "PreTraining" if class.starts_with("Bert") => Some(Self::MaskedLm),
            "TokenClassification" => Some(Self::TokenClassification),
            "SequenceClassification" => Some(Self::SequenceClassification),
            _ => None,
        }
    }
}
