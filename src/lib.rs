//! Vestnik reads news articles in many languages and says who and what is named in them, what they are about, and how they
//! stand towards what they name.
//!
#![cfg_attr(feature = "embedded-model", doc = "```")]
#![cfg_attr(not(feature = "embedded-model"), doc = "```no_run")]
//! use vestnik::Vestnik;
//!
//! let vestnik = Vestnik::embedded()?;
//! let text = "Президент Франции Эмманюэль Макрон прибыл в Киев.";
//! for entity in vestnik.analyze(text)?.entities {
//!     println!("{} {}", entity.label, &text[entity.span.range()]);
//! }
//! # Ok::<(), vestnik::Error>(())
//! ```
//!
//! [`Vestnik::embedded`] opens the model that is built into the library (feature `embedded-model`, on by default),
//! [`Vestnik::from_dir`] one in the Hugging Face layout, `Vestnik::from_hub` (feature `hub`) one by its name on the hub. A [`Vestnik`] is `Send + Sync`: open it once and share it.
//! [`Vestnik::analyze_batch`] is the faster way to read many articles. [`Options`] say where it computes and how scores
//! become entities ([`Aggregation`]); [`Vestnik::builder`] says it step by step. [`Vestnik::analyze_iter`] reads streams,
//! `AsyncVestnik` (feature `tokio`) answers asynchronous programs. [`ZeroShot`] and [`FewShot`] classify by labels of your own.
//! [`RecordWriter`] writes what `vestnik tag` writes. `docs/library.md` in the repository says which features there are and what
//! stays stable.
//!
//! A model does all the [`Task`]s that it has heads for, or those of [`Options::with_tasks`], on one pass over a text: an
//! [`Analysis`] has entities, each with the [`Stance`] of the text towards it, and [`Topic`]s. A [`Request`] asks the stance towards
//! given spans; [`Analysis::summary`] has each thing that is named once.
//!
//! Spans are UTF-8 bytes of the original text, so that `&text[span.range()]` is the name. An [`OffsetMap`] turns them
//! into Unicode code points or UTF-16 units ([`OffsetUnit`]) for other programs.
//!
//! The crates behind this one do one thing each: `vestnik-core` the vocabulary, `vestnik-text` tokens and words,
//! `vestnik-model` the network, `vestnik-train` training, `vestnik-infer` inference, `vestnik-data` files.

pub use vestnik_core::{
    Document, Entity, LabelSet, OffsetMap, OffsetUnit, Span, Stance, StanceLabel, Topic,
};
#[cfg(feature = "tokio")]
pub use vestnik_infer::AsyncVestnik;
#[cfg(feature = "hub")]
pub use vestnik_infer::Hub;
pub use vestnik_infer::{
    Aggregation, Analyses, Analysis, Builder, Cancellation, ClassBasis, ClassWriter, Classified,
    DeviceChoice, Dtype, Error, FewShot, HypothesisTemplate, MeanStance, Mentioned, OTHER_TOPIC,
    Options, Portion, Question, RecordWriter, Replicas, Request, Result, Target, Task,
    TextFeatures, TextVector, Times, Token, Vestnik, ZeroShot, recognise_language,
};
