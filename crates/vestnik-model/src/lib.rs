//! Encoders, heads, losses and checkpoints on candle, for training and as the reference of inference.
//!
//! A [`ModelDir`] is a model in the Hugging Face layout; a [`TokenClassifier`], [`SequenceClassifier`] or [`MaskedLm`] is built from it, runs a
//! packed [`vestnik_text::Batch`] forward, and holds its tensors as [`Parameters`] under the checkpoint's own
//! names. Everything here has a gradient: the operations in [`ops`] are differentiable, and tests hold that every
//! trainable tensor receives its part.
//!
//! What of a model learns is a matter of an [`Adaptation`]: frozen parts, low-rank updates. What is frozen is not tracked,
//! and costs nothing in a backward pass.
//!
//! This crate knows no optimizer, no data set and no progress bar.

mod adaptation;
mod builder;
mod checkpoint;
mod config;
mod convert;
mod encoders;
mod error;
mod heads;
mod insides;
mod layers;
mod lora;
pub mod losses;
mod mode;
mod model_dir;
mod models;
pub mod ops;
mod parameters;
mod pickle;
mod place;
mod precision;
mod stored_encoder;
mod tape;
mod training_pass;
mod transplant;

pub use adaptation::{Adaptation, Freeze};
pub use builder::LoadReport;
pub use candle_core::{DType, Device, Tensor, Var};
pub use config::{
    Activation, Architecture, ArchitectureOptions, ConvolutionOptions, DebertaV2Options,
    EncoderConfig, HeadKind, ModelConfig, ModernBertOptions, Pooling, ProblemType,
};
pub use convert::{Converted, convert};
pub use encoders::{
    BertEncoder, DebertaV2Encoder, DistilBertEncoder, ElectraEncoder, Encoder, ModernBertEncoder,
    RobertaEncoder,
};
pub use error::{Error, Result};
pub use heads::{
    Crf, HeadOptions, MaskedLmHead, NoHead, PooledHead, Reads, SequenceClassificationHead,
    TokenClassificationHead,
};
pub use lora::{Lora, LoraTarget};
pub use mode::Mode;
pub use model_dir::{
    CONFIG_FILE, EmbeddedModel, ModelDir, SETTINGS_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
    WEIGHTS_INDEX_FILE, has_placeholder_labels, make_directory, write_file,
};
pub use models::{
    EncoderModel, MaskedLm, Model, MultiTaskModel, SequenceClassifier, TaskHeads, TokenClassifier,
};
pub use parameters::Parameters;
pub use pickle::PickleProblem;
pub use place::Place;
pub use precision::Precision;
pub use stored_encoder::{EncoderPart, StoredEncoder, TensorSource};
pub use training_pass::{Lookup, TrainingPass};
pub use transplant::{Transplanted, transplant};
