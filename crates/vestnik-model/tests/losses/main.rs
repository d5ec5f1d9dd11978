//! Losses: the numbers of PyTorch, fused and composed alike, gradients as differences have them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod crf;
mod cross_entropy;
mod reference;
#[path = "../twins/mod.rs"]
mod twins;
