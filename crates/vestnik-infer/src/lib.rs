//! Inference: from raw text to tagged entities, on the CPU or a GPU.
//!
//! [`Vestnik`] is the whole model behind two calls: open it, [`Vestnik::analyze`] a text. Entities, topics and stances
//! ([`Task`]s) come from one pass of the encoder. [`NerPipeline`] is the named-entity part on its own: windows over long
//! articles, batches packed by a token budget, scores of tokens, valid-sequence decoding or another [`Aggregation`].
//! [`Calibrator`] makes its scores honest. Both are `Send + Sync`; share one between threads. [`ZeroShot`] classifies texts by any labels with a
//! model of natural language inference. [`LogisticRegression`] is a classifier on fixed features.
//!
//! Results do not depend on which other texts are in the batch, nor on their order.
//!
//! This crate reads model directories, no corpora; it trains nothing and prints nothing. With the feature `hub` it brings
//! models from the Hugging Face hub; without it there is no network code.

mod analyses;
mod analysis;
#[cfg(feature = "tokio")]
mod async_vestnik;
mod batch_budget;
mod builder;
mod calibration;
mod device;
mod dtype;
mod embedded;
mod error;
mod few_shot;
#[cfg(feature = "hub")]
mod from_hub;
mod head_fit;
mod head_metadata;
mod int8_errors;
mod logistic_regression;
mod mentions;
mod metadata;
mod model;
mod multi_task;
mod opened;
mod options;
mod packing;
mod pair_stance;
mod pipeline;
mod portion;
mod probabilities;
mod reader;
mod record;
mod replicas;
mod sequence_topics;
mod stance_scores;
mod states;
mod summary;
mod task;
mod text_features;
mod text_states;
mod time_limit;
mod times;
mod token;
mod topic_scores;
mod vestnik;
mod window_means;
mod zero_shot;

pub use analyses::{Analyses, Cancellation};
pub use analysis::{Analysis, Request, Target};
#[cfg(feature = "tokio")]
pub use async_vestnik::AsyncVestnik;
pub use builder::Builder;
pub use calibration::{
    Calibration, Calibrator, FEWEST_ENTITIES, Fit, LabelledWords, TEMPERATURES, best_min_score,
};
pub use device::{DeviceChoice, device_name};
pub use dtype::Dtype;
pub use embedded::embedded_sha256;
pub use error::{Error, Result};
pub use few_shot::FewShot;
pub use head_fit::{FEWEST_EXAMPLES, HeadFit, LabelledLogits};
pub use head_metadata::{HeadCalibration, HeadMetadata};
pub use int8_errors::Int8Errors;
pub use logistic_regression::LogisticRegression;
pub use metadata::{Int8Metadata, Metadata, WindowMetadata};
pub use options::Options;
pub use pipeline::{NerPipeline, Reading, Tagged};
pub use portion::Portion;
pub use record::{ClassBasis, ClassWriter, RecordWriter, add_language};
pub use replicas::Replicas;
pub use summary::{MeanStance, Mentioned};
pub use task::Task;
pub use text_features::{TextFeatures, TextVector};
pub use times::Times;
pub use token::Token;
pub use topic_scores::OTHER_TOPIC;
pub use vestnik::{EMBEDDED_MODEL_NAME, Vestnik, embedded_model};
#[cfg(feature = "hub")]
pub use vestnik_hub::Hub;
pub use vestnik_text::{Aggregation, recognise_language};

/// Threads that calls from here are spread over.
#[must_use]
pub fn threads() -> usize {
    rayon::current_num_threads()
}
pub use zero_shot::{Classified, HypothesisTemplate, Question, ZeroShot};
