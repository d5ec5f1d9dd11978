//! The one error type of the crate.

use crate::OffsetUnit;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be wrong with spans, labels, tags and the input of metrics.
///
/// Every variant is a fact with its numbers as fields; the message is one line without a trailing
/// period.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A span whose end does not lie behind its start.
    #[error("span {start}..{end} is empty: the end must be greater than the start")]
    SpanEmpty {
        /// Start, in the unit in which the span was given.
        start: usize,
        /// End, in the same unit.
        end: usize,
    },
    /// A span that reaches past the end of its text.
    #[error("span {start}..{end} reaches past the text of {len} bytes")]
    SpanOutOfBounds {
        /// First byte.
        start: usize,
        /// Byte behind the last one.
        end: usize,
        /// Length of the text in bytes.
        len: usize,
    },
    /// A byte offset that lies inside a character.
    #[error("byte {offset} lies inside a character")]
    NotCharBoundary {
        /// Offset in UTF-8 bytes.
        offset: usize,
    },
    /// An offset greater than the length of the text.
    #[error("{unit} offset {offset} reaches past the text of length {len}")]
    OffsetOutOfBounds {
        /// The offset, in `unit`.
        offset: usize,
        /// Length of the text, in `unit`.
        len: usize,
        /// Unit of both numbers.
        unit: OffsetUnit,
    },
    /// An offset that lies inside a character (bytes) or inside a surrogate pair (UTF-16).
    #[error("{unit} offset {offset} lies inside a character")]
    OffsetInsideChar {
        /// The offset, in `unit`.
        offset: usize,
        /// Its unit.
        unit: OffsetUnit,
    },
    /// The name of an offset unit that does not exist.
    #[error("unknown offset unit {name:?}: expected byte, char or utf16")]
    UnknownOffsetUnit {
        /// What was given.
        name: String,
    },
    /// The name of a column scheme that does not exist.
    #[error("unknown scheme {name:?}: expected iob1, iob2, bioes or bilou")]
    UnknownColumnScheme {
        /// What was given.
        name: String,
    },
    /// A label set without labels.
    #[error("a label set needs at least one label")]
    NoLabels,
    /// A label that is an empty string.
    #[error("label {index} is empty")]
    EmptyLabel {
        /// Position in the list of labels.
        index: usize,
    },
    /// A label that occurs twice in a label set.
    #[error("label {label:?} occurs twice, at {first} and at {second}")]
    DuplicateLabel {
        /// The label.
        label: String,
        /// Position of its first occurrence.
        first: usize,
        /// Position of its second occurrence.
        second: usize,
    },
    /// An entity without a label.
    #[error("entity at {start}..{end} has an empty label")]
    EntityWithoutLabel {
        /// First byte of the entity.
        start: usize,
        /// Byte behind the last one.
        end: usize,
    },
    /// The name of a tag scheme that does not exist.
    #[error("unknown tag scheme {name:?}: expected bio or bioes")]
    UnknownTagScheme {
        /// What was given.
        name: String,
    },
    /// A model's labels without the tag `O`.
    #[error("no tag \"O\" among the labels {labels:?}")]
    NoOutsideTag {
        /// The labels that are there.
        labels: Vec<String>,
    },
    /// A model's labels with nothing but the tag `O`.
    #[error("no entity type among the tags: only \"O\"")]
    NoEntityTags,
    /// Two labels that mean the same tag, such as `E-PER` and `L-PER`.
    #[error("labels {first:?} and {second:?} mean the same tag")]
    SameTag {
        /// The label with the lower id.
        first: String,
        /// The label with the higher id.
        second: String,
    },
    /// A tag that an entity needs and that the model does not have.
    #[error("the model has no tag {tag:?}, which an entity of {n_words} words needs")]
    TagMissing {
        /// The tag.
        tag: String,
        /// Length of the entity in words.
        n_words: usize,
    },
    /// A range of words that is empty or reaches past the end.
    #[error("word range {start}..{end} does not fit a sequence of {n_words} words")]
    RangeOutOfBounds {
        /// First word.
        start: usize,
        /// Word behind the last one.
        end: usize,
        /// Length of the sequence in words.
        n_words: usize,
    },
    /// Two ranges of words that share a word: flat tags cannot hold both.
    #[error("word ranges {}..{} and {}..{} overlap", first.0, first.1, second.0, second.1)]
    RangesOverlap {
        /// Start and end of the earlier range.
        first: (usize, usize),
        /// Start and end of the later range.
        second: (usize, usize),
    },
    /// An entity type that the tag set does not have.
    #[error("entity type {type_id} does not exist: the tag set has {n_types} types")]
    UnknownType {
        /// What was given.
        type_id: usize,
        /// How many types there are.
        n_types: usize,
    },
    /// A tag in a file that does not fit the scheme of its column.
    #[error(transparent)]
    Tag(#[from] crate::TagProblem),
    /// Gold and predicted sequences of different length.
    #[error("{gold} gold and {predicted} predicted {what}: the numbers must be equal")]
    LengthMismatch {
        /// What was counted.
        what: &'static str,
        /// Number on the gold side.
        gold: usize,
        /// Number on the predicted side.
        predicted: usize,
    },
    /// A class id that is not smaller than the number of classes.
    #[error("class {class} does not exist: there are {n_labels} classes")]
    UnknownClass {
        /// What was given.
        class: usize,
        /// Number of classes.
        n_labels: usize,
    },
}
