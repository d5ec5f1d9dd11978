//! Serving over HTTP: routes, a queue that all clients share, metrics and the page.
//!
//! [`Server`] opens models, listens and answers; [`Config`] says how much it takes and from whom. Texts of all clients wait
//! in one fair queue per model, a thread per model takes batches out of it by a budget, and [`Vestnik`] or [`ZeroShot`]
//! reads them. This crate sees no tensor, reads no corpora and prints nothing; it logs through `tracing`.
//!
//! [`Vestnik`]: vestnik_infer::Vestnik
//! [`ZeroShot`]: vestnik_infer::ZeroShot

mod app;
mod auth;
mod body;
mod caller;
mod config;
mod documents;
mod engine;
mod error;
mod fair_queue;
mod fields;
mod lane;
mod metrics;
mod models;
mod observe;
mod problem;
mod routes;
mod server;
mod stages;
mod targets;
#[cfg(feature = "tls")]
mod tls;
mod traces;

pub use auth::ApiKeys;
pub use config::Config;
pub use engine::{Engine, ModelSource, OpenError};
pub use error::{Error, Result};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use routes::read_body;
pub use server::{Listening, Server};
#[cfg(feature = "tls")]
pub use tls::{Pem, Tls};
pub use traces::Traces;
