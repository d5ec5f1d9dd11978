//! Errors.

/// What can go wrong: the same as in a forward pass of the model's own encoder.
pub type Error = vestnik_model::Error;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
