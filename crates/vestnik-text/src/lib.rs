//! From strings to integers and back.
//!
//! On the way in, [`words`] and [`sentences`] divide raw text, a [`Tokenizer`] spells it in sub-words, [`TokenizedText`]
//! says which token belongs to which word, [`windows`] cuts long texts into stretches that a model can read, and a
//! [`Collator`] packs them into a [`Batch`] of plain vectors. On the way back a [`Decoder`] makes entities of the scores of
//! words; an [`Aggregator`] does so from the scores of tokens, in the ways of the `transformers` pipeline too.
//! [`ner_examples`] labels the windows of annotated documents for training, with the same words and windows.
//! [`TokenizerTraining`] learns a tokenizer from text; [`recognise_language`] says which language one is in.
//!
//! **Units**: offsets are UTF-8 bytes of the original text, end-exclusive. A *word* is a stretch of text, a *token* a
//! sub-word of the vocabulary; lengths of windows are tokens without the special ones.
//!
//! There are no tensors here, and no files but `tokenizer.json`.
//!
//! # Example
//! ```
//! use vestnik_core::{LabelSet, TagScheme, TagSet};
//! use vestnik_text::{Collator, Decoder, Example, TokenizedText, TokenizerTraining, WindowOptions, windows};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let training = TokenizerTraining { vocab_size: 800, ..TokenizerTraining::default() };
//! let tokenizer = training.train(["Kyiv and Warsaw signed a treaty."; 3])?;
//!
//! let text = "Warsaw signed.";
//! let tokenized = TokenizedText::new(&tokenizer, text)?;
//! let windows = windows(&tokenized, &WindowOptions { max_tokens: 510, context: 64 });
//! let ids = tokenized.tokens.ids[windows[0].tokens.clone()].to_vec();
//! let batch = Collator::new(tokenizer.special()).batch(&[Example { ids, ..Example::default() }]);
//! assert_eq!(batch.cumulative_lengths, [0, tokenized.tokens.len() + 2]);
//!
//! // A model scores the first token of each word; here for the tags O, B-LOC and I-LOC.
//! let decoder = Decoder::new(TagSet::new(TagScheme::Bio, &LabelSet::new(["LOC"])?));
//! let scores = [-4.0, -0.1, -4.0, /* signed */ -0.1, -4.0, -4.0, /* . */ -0.1, -4.0, -4.0];
//! let entities = decoder.decode(text, &tokenized.words, &scores);
//! assert_eq!(entities[0].span.slice(text)?, "Warsaw");
//! # Ok(())
//! # }
//! ```

mod aggregation;
mod batch;
mod byte_tokens;
mod chain;
mod chunk_cache;
mod collator;
mod decoder;
mod error;
mod example;
mod language;
mod pair_template;
mod sentences;
mod span_place;
mod tokenized_text;
mod tokenizer;
mod tokenizer_training;
mod transitions;
mod unigram;
mod windows;
mod words;

pub use aggregation::{Aggregation, Aggregator};
pub use batch::{Batch, IGNORE};
pub use chain::{Chain, Expectations};
pub use collator::{Collator, Example, token_budget_batches};
pub use decoder::Decoder;
pub use error::{Error, Result, TokenizersError};
pub use example::ner_examples;
pub use language::recognise_language;
pub use pair_template::PairTemplate;
pub use sentences::sentences;
pub use span_place::SpanPlace;
pub use tokenized_text::TokenizedText;
pub use tokenizer::{Encoding, ModelInput, SpecialTokens, Tokenizer};
pub use tokenizer_training::TokenizerTraining;
pub use transitions::Transitions;
pub use windows::{Window, WindowOptions, windows};
pub use words::{MAX_WORD_BYTES, words};
