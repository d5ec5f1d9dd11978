//! The engine is held to the forward pass of `vestnik-model`, which is held to that of transformers.

mod batches;
mod fixtures;
mod random;
mod random_models;
