//! Conversion of weights files, against what PyTorch itself reads from them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod refusals;
mod support;
mod written;
