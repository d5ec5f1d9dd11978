//! Models from the Hugging Face hub, in the cache that Python's `huggingface_hub` uses too.
//!
//! [`Hub::fetch`] brings the files of a model that Vestnik reads, and nothing else of the repository, into the cache and
//! gives the folder with them, a [`Snapshot`]. What is there already is not downloaded again; a download that was cut
//! off goes on where it stopped; a file appears under its name only after its size and its hash were checked.
//!
//! ```no_run
//! use vestnik_hub::{Hub, ModelName, Weights};
//!
//! # fn main() -> Result<(), vestnik_hub::Error> {
//! let hub = Hub::from_env()?;
//! let model = ModelName::parse("org/name@v1.0")?;
//! let snapshot = hub.fetch(&model, Weights::Safetensors, &mut |_| ())?;
//! assert!(snapshot.path.join("config.json").is_file());
//! # Ok(())
//! # }
//! ```
//!
//! The layout of the cache, addresses and the answer about a repository come from the crate `hf-hub`; the transfer is
//! our own, over `ureq`, for the reasons told in `docs/hub.md`. An offline hub ([`Hub::with_offline`],
//! `HF_HUB_OFFLINE`) opens no socket.
//!
//! This crate prints nothing: what happens is told through [`Event`]s. A token is never part of an error, an event or
//! the output of `Debug`.

mod cache;
mod client;
mod digest;
mod download;
mod environment;
mod error;
mod event;
mod files;
mod hub;
mod name;
mod redirect;
mod token;
mod transfer;

pub use error::{Error, Result};
pub use event::Event;
pub use files::Weights;
pub use hub::{File, Hub, Snapshot};
pub use name::ModelName;
