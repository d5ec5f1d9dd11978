//! The crate as a whole, on texts of many scripts and with a tokenizer that is trained here.

mod aggregation;
mod foreign;
mod model_input;
mod properties;
mod support;
mod tokenizers;
