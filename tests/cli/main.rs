//! Whole-program tests: the program `vestnik` on files, with its exit code, standard output and standard error.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adaptation;
mod aggregation;
mod bench;
mod calibrate;
mod classify;
mod compare;
mod data;
mod data_split;
mod distillation;
mod evaluate;
#[cfg(feature = "embedded-model")]
mod hard_cases;
#[path = "../../crates/vestnik-infer/tests/support/heads.rs"]
mod heads;
mod hub;
mod logits;
mod losses;
mod malformed_models;
mod merge;
mod model;
mod multi_task;
mod pretrain;
mod report;
mod resume;
mod run_report;
mod sandbox;
mod serve;
mod show;
mod sweep;
mod tag_formats;
mod tag_inputs;
mod tag_mistakes;
mod tag_output;
mod tag_resume;
mod tag_tasks;
mod train;
mod train_formats;
