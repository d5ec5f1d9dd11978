//! From strings to integers and back: tokenizers, words, windows, batches, decoding.

mod batch;
mod byte_tokens;
mod collator;
mod decoder;
mod error;
mod example;
mod sentences;
mod tokenized_text;
mod tokenizer;
mod tokenizer_training;
mod unigram;
mod windows;
mod words;

pub use batch::{Batch, IGNORE};
pub use collator::{Collator, Example, token_budget_batches};
pub use decoder::Decoder;
pub use error::{Error, Result, TokenizersError};
pub use example::ner_examples;
pub use sentences::sentences;
pub use tokenized_text::TokenizedText;
pub use tokenizer::{Encoding, SpecialTokens, Tokenizer};
pub use tokenizer_training::TokenizerTraining;
pub use windows::{Window, WindowOptions, windows};
pub use words::{MAX_WORD_BYTES, words};
