//! A record of a dump: one JSON object, kept as it was written.

mod fields;
mod scan;

pub use fields::RecordFields;
pub(crate) use fields::{string, type_of};
