//! The readers on small files, sound and broken.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod articles;
mod columns;
mod folder;
mod labelled;
mod messages;
mod ner;
mod parquet;
mod parts;
mod properties;
mod raw_text;
mod round_trips;
mod segments;
mod tool_mistakes;
mod tools;
