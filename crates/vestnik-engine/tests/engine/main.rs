//! The engine is held to the forward pass of `vestnik-model`, which is held to that of transformers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocations;
mod batches;
mod candle_transformers;
mod fixtures;
mod parameters;
#[path = "../support/peer.rs"]
mod peer;
mod random;
mod random_models;
