//! The errors of this crate.

use std::path::PathBuf;

/// What tokenizers put around their own failures.
pub type TokenizersError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a fallible operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong between a string and its integers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tokenizer file could not be read or written.
    #[error("tokenizer file {path}")]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not a tokenizer in the `tokenizer.json` format.
    #[error("not a tokenizer.json")]
    TokenizerFormat {
        /// What the parser said.
        #[source]
        source: TokenizersError,
    },
    /// The tokenizer has none of the names that models give to a special token.
    #[error("the tokenizer has no {role} token (looked for {})", names.join(", "))]
    SpecialTokenMissing {
        /// What the token is for: "first", "last" or "padding".
        role: &'static str,
        /// The names that were looked for, in this order.
        names: &'static [&'static str],
    },
    /// The tokenizer refused a text.
    #[error("the tokenizer could not encode a text of {n_bytes} bytes")]
    Encode {
        /// Length of the text.
        n_bytes: usize,
        /// What the tokenizer said.
        #[source]
        source: TokenizersError,
    },
    /// The name of an [`Aggregation`](crate::Aggregation) that is none.
    #[error("`{text}` is no aggregation: expected viterbi, none, simple, first, average or max")]
    UnknownAggregation {
        /// What was given.
        text: String,
    },
    /// The texts that a tokenizer was to be trained on hold not one usable word.
    #[error("no text to train a tokenizer on")]
    NoTrainingText,
    /// The vocabulary cannot hold the special tokens, the bytes and the alphabet.
    #[error("a vocabulary of {vocab_size} pieces is too small: at least {needed} are needed")]
    VocabularyTooSmall {
        /// The size that was asked for.
        vocab_size: usize,
        /// Special tokens, bytes and single characters together.
        needed: usize,
    },
    /// The training of a tokenizer failed.
    #[error("training the tokenizer failed")]
    Training {
        /// What the trainer said.
        #[source]
        source: TokenizersError,
    },
}
