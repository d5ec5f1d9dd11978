//! Documents, spans, labels, tag schemes and metrics: the vocabulary of Vestnik.
//!
//! The other crates talk to each other in these types. The crate itself knows no files, no
//! tokenizers and no tensors.
//!
//! | to say | there is |
//! |---|---|
//! | a stretch of text, and what it names | [`Span`], [`Entity`], [`Document`] |
//! | what a text is about, and how it stands towards what it names | [`Topic`], [`Stance`] |
//! | the same place counted in bytes, characters or UTF-16 | [`OffsetUnit`], [`OffsetMap`] |
//! | the words that a stretch covers | [`words_of_span`], [`span_of_words`] |
//! | labels and their ids | [`LabelSet`] |
//! | a model's tags, and what they mean | [`TagScheme`], [`TagSet`], [`Tag`], [`TypedRange`] |
//! | a file's tags, in whatever scheme | [`ColumnScheme`], [`spans_of_tags`], [`read_tags`] |
//! | how good predictions are | [`metrics`] |
//!
//! # Conventions
//! - Places are UTF-8 **bytes** of the original text and ends are exclusive; other units exist only
//!   at the borders of the program, through [`OffsetMap`].
//! - Nothing panics on input. Where a function does panic on an index of the caller's own making,
//!   its documentation says so.
//! - Whatever is listed is listed in a fixed order: two runs over the same input give the same
//!   bytes.
//!
//! # Example
//! From annotated text to tags and back:
//!
//! ```
//! use vestnik_core::{Document, Entity, LabelSet, Span, TagScheme, TagSet, TypedRange};
//! use vestnik_core::{span_of_words, words_of_span};
//!
//! let mut document = Document::new("1", "Анна живёт в Новом Саду").with_lang("ru");
//! document.push_entity(Entity::new(Span::new(0, 8)?, "PER"))?;
//! document.push_entity(Entity::new(Span::new(23, 42)?, "LOC"))?;
//! assert_eq!(document.slice(document.entities()[1].span)?, "Новом Саду");
//!
//! // Words come from a tokenizer; here they are split at spaces.
//! let mut start = 0;
//! let words: Vec<Span> = document
//!     .text()
//!     .split_inclusive(' ')
//!     .map(|word| {
//!         let word_start = start;
//!         start += word.len();
//!         Span::new(word_start, word_start + word.trim_end().len())
//!     })
//!     .collect::<Result<_, _>>()?;
//!
//! let types = LabelSet::new(["PER", "LOC"])?;
//! let tags = TagSet::new(TagScheme::Bio, &types);
//! let ranges: Vec<TypedRange> = document
//!     .entities()
//!     .iter()
//!     .filter_map(|entity| {
//!         let words = words_of_span(&words, entity.span)?;
//!         let type_id = types.id(&entity.label)?;
//!         Some(TypedRange { start: words.start, end: words.end, type_id })
//!     })
//!     .collect();
//! let ids = tags.encode(words.len(), &ranges)?;
//! let names: Vec<String> = ids.iter().map(|&id| tags.labels()[id].clone()).collect();
//! assert_eq!(names, ["B-PER", "O", "O", "B-LOC", "I-LOC"]);
//!
//! let back = tags.decode(&ids);
//! assert_eq!(back, ranges);
//! let span = span_of_words(&words, back[1].start..back[1].end);
//! assert_eq!(span, Some(document.entities()[1].span));
//! # Ok::<(), vestnik_core::Error>(())
//! ```

mod chunks;
mod column;
mod document;
mod entity;
mod error;
mod label_set;
pub mod metrics;
mod offset;
mod span;
mod stance;
mod tag;
mod tag_set;
mod topic;
mod words;

pub use column::{ColumnScheme, TagDefect, TagProblem, TagReading, read_tags, spans_of_tags};
pub use document::Document;
pub use entity::Entity;
pub use error::{Error, Result};
pub use label_set::LabelSet;
pub use offset::{OffsetMap, OffsetUnit};
pub use span::Span;
pub use stance::{Stance, StanceLabel};
pub use tag::{Tag, TagScheme};
pub use tag_set::{TagSet, TypedRange};
pub use topic::Topic;
pub use words::{span_of_words, words_of_span};
