//! Fine-tuning and pretraining: trainer, optimizer, schedule, checkpoints, evaluation.
//!
//! | to do | there is |
//! |---|---|
//! | train a tagger on annotated documents | [`Trainer`], described by a [`RunConfig`] |
//! | train an encoder on raw texts | [`Pretrainer`], described by a [`PretrainConfig`] |
//! | train only a part of a model | `[freeze]` and `[lora]` of both ([`vestnik_model::Adaptation`]) |
//! | measure a tagger | [`evaluate`] |
//! | follow a run | [`Event`], told to a callback or an iterator ([`Events`]), and written to `log.jsonl` |
//! | know how weights came about | [`RunRecord`], beside them as `run.json` |
//!
//! # What holds
//! - A run is a function of its run file, its data and its seed. Whatever is random is drawn from the seed and the place
//!   where it is used (epoch, batch), so a run that was killed and resumed ends with the same bits on a CPU.
//! - A checkpoint is a folder that is replaced whole: a kill at any moment leaves a good one. Its files are hashed, and
//!   a damaged one is passed over for the one before.
//! - Every example of an epoch is used: neither the last batch nor a rest of accumulated gradients is dropped.
//! - The evaluation sees every document once and decodes as inference does.
//!
//! This crate reads no data files and prints nothing.

mod config;
mod error;
mod event;
mod events;
mod files;
mod gradients;
mod labelled;
mod mapped;
mod ner;
mod optimizer;
mod pretrain;
mod random;
mod record;
mod row_gradient;
mod run;
mod sampling;
mod schedule;
mod strata;
mod stream;
mod sums;
mod tensorboard;
#[cfg(test)]
mod testing;
mod throughput;
mod trainer;

pub use config::{
    BatchConfig, ClassWeights, Dataset, DistillationConfig, Fold, HeadConfig, HeadName, LabelMap,
    LabelMapFile, LossConfig, MaskingConfig, NER, PretrainConfig, PretrainModel, RunConfig,
    RunModel, SamplingConfig, SaveDtype, ScheduleConfig, SchemeName, ScoreName, TextSource,
    UNKNOWN, WindowConfig,
};
pub use error::{Error, Result};
pub use event::{
    EvaluationEvent, Event, FinishReason, HeadMeasures, MaskedLmMeasures, Measures,
    MultiTaskMeasures, NerMeasures, Sampling, Share, StartEvent, StepEvent,
};
pub use events::Events;
pub use gradients::{Gradients, clip_factor};
pub use labelled::{
    HeadEvaluation, ItemLogits, LabelledCorpus, LabelledItem, LabelledText, evaluate_head, held,
};
pub use ner::{Evaluated, EvaluationOptions, Teacher, TrainingCorpus, evaluate};
pub use optimizer::{AdamW, AdamWConfig};
pub use pretrain::{CacheWriter, Cached, Pieces, PretrainData, Pretrainer, SourceText, TextFile};
pub use record::{DataFile, RunRecord};
pub use run::{DamagedCheckpoint, OnEvent, Resumed, has_begun, holds_run};
pub use sampling::draw_documents;
pub use schedule::{Decay, Schedule};
pub use throughput::Throughput;
pub use trainer::{Trainer, TrainingData};
