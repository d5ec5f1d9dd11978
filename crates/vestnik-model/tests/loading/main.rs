//! Model directories as they are found on disk: shards, old names, number types, tokenizers, and what is wrong with them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod folder;
mod limits;
mod shards;
mod weights;
