//! Whole models against the reference implementation.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod gradients;
mod parity;
mod support;
