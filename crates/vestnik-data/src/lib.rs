//! Readers and writers of annotated corpora and article dumps.
//!
//! | what is read | with | gives |
//! |---|---|---|
//! | named entities: any [`Format`] of annotated corpora | [`read_ner`], [`read_corpus`] | [`Corpus`] of documents, and every defect |
//! | articles to tag: JSON lines, text files, folders, stdin | [`ArticleReader`] | a stream of [`Article`]s |
//! | the targets that an article asks the stance towards | [`Article::targets`] | spans, or the first defect |
//! | raw text to learn from | [`read_texts`], [`read_raw_texts`] | a stream of texts |
//! | stance, topic and inference corpora, labelled spans: JSON lines | [`read_stance`], [`read_topics`], [`read_nli`], [`read_spans`] | [`Records`], and every defect |
//!
//! Files may be compressed with gzip (several members too) or zstd (several frames too); the bytes decide, not the name.
//! A defect is an [`Issue`]: file, line, and what was found, expected and can be done, in one line. Reading goes on after
//! it, so that one run names all of them. A record with a defect is set aside; nothing is repaired in silence.
//! An [`Error`] is kept for what stops a whole input, such as a missing file.
//!
//! [`write_corpus`] and [`write_folder`] write the same formats, and list as [`Loss`]es what a format cannot hold.
//!
//! Output goes through [`AtomicFile`]: it is complete under its name, or it is not there.
//!
//! ```
//! use std::io::Write;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("news.jsonl.gz");
//! vestnik_data::write_beside(&path, |out| {
//!     writeln!(out, r#"{{"text":"Київ чекає","entities":[{{"start":0,"end":4,"label":"LOC"}}]}}"#)?;
//!     writeln!(out, r#"{{"text":"Київ","entities":[{{"start":0,"end":9,"label":"LOC"}}]}}"#)
//! })?;
//! let corpus = vestnik_data::read_ner(&path)?;
//! assert_eq!(corpus.documents[0].entities()[0].span.range(), 0..8); // offsets in files count characters, spans count bytes
//! assert!(corpus.issues[0].to_string().contains("news.jsonl.gz:2: entities[0]"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows no tokenizer and no tensor, and it never prints.

mod articles;
mod atomic;
mod column_lines;
mod columns;
mod compression;
mod corpus;
mod error;
mod fields;
mod files;
mod formats;
mod hash;
mod inputs;
mod issue;
mod json;
mod json_array;
mod label_typos;
mod labelled;
mod lines;
mod loss;
mod near_duplicates;
mod ner;
mod outputs;
mod parts;
mod problem;
mod raw_text;
mod record;
mod records;
mod reprints;
mod selection;
mod sources;
mod spans;
mod split;
mod tagged;
mod targets;

pub use articles::{
    Article, ArticleOptions, ArticleReader, MAX_TEXT_BYTES, RecordPosition, TextPart,
};
pub use atomic::{AtomicFile, refuse_existing, write_beside};
pub use columns::{ColumnOptions, read_columns};
pub use compression::BytesRead;
pub use corpus::{Corpus, Records};
pub use error::{Error, Result};
pub use formats::{
    Format, ReadOptions, Segmenter, WriteOptions, read_corpus, read_ner, write_corpus, write_folder,
};
pub use hash::{RecordHash, fingerprint, hash_bytes, sha256_documents, sha256_file};
pub use inputs::{expand_patterns, input_files, place_of};
pub use issue::{Issue, Position, Rejected};
pub use json::JsonType;
pub use label_typos::label_typos;
pub use labelled::{
    NliRecord, StanceRecord, StanceTarget, TopicRecord, read_nli, read_spans, read_stance,
    read_topics,
};
pub use lines::MAX_LINE_BYTES;
pub use loss::{Loss, LossKind, LostEntity};
pub use near_duplicates::{NEAR_DUPLICATE, NearDuplicate, SHINGLE_WORDS, near_duplicates};
pub use outputs::{
    Lines, LossCounts, OutputFormat, OutputOptions, located, merge_mentions, merge_tables,
    record_numbers, write_mentions, write_output,
};
pub use parts::{Batch, Difference, Identity, Manifest, PART_BYTES, Packing, Parts, read_lines};
pub use problem::Problem;
pub use raw_text::{RawText, read_raw_texts, read_texts};
pub use record::RecordFields;
pub use reprints::{Reprints, TextSignature};
pub use selection::{Selection, Shard};
pub use sources::{InputFormat, TextEncoding};
pub use split::{SplitItem, split};

/// The path that stands for standard input.
pub const STDIN: &str = "-";
