//! Documents, spans, labels, tag schemes and metrics: the vocabulary of Vestnik.

mod chunks;
mod column;
mod document;
mod entity;
mod error;
mod label_set;
pub mod metrics;
mod offset;
mod span;
mod tag;
mod tag_set;

pub use column::{ColumnScheme, TagDefect, TagProblem, TagReading, read_tags, spans_of_tags};
pub use document::Document;
pub use entity::Entity;
pub use error::{Error, Result};
pub use label_set::LabelSet;
pub use offset::{OffsetMap, OffsetUnit};
pub use span::Span;
pub use tag::{Tag, TagScheme};
pub use tag_set::{TagSet, TypedRange};
