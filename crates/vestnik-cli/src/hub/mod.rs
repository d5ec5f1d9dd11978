//! Models by their names on the Hugging Face hub.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

#[cfg(feature = "hub")]
mod fetching;
#[cfg(feature = "hub")]
mod mistakes;

#[cfg(feature = "hub")]
pub(crate) use fetching::{fetch, tell_missing_tokenizer};

/// Whether `--offline` was given; one answer for the whole process, whatever opens a model.
static OFFLINE: AtomicBool = AtomicBool::new(false);

/// Forbids the network for the rest of the process, or leaves it to the environment.
pub(crate) fn set_offline(offline: bool) {
    OFFLINE.store(offline, Ordering::Relaxed);
}

/// A model of the hub that is now in the cache.
pub(crate) struct HubModel {
    /// Its name, with the revision where one was given.
    pub(crate) name: String,
    /// The folder with its files.
    pub(crate) path: PathBuf,
}

/// Fetches the model that `name` means on the hub; `None` where it cannot be a name there, or this program was built
/// without the hub.
///
/// # Errors
/// The hub has no such model, or it cannot be fetched.
#[cfg(feature = "hub")]
pub(crate) fn find(name: &str) -> Result<Option<HubModel>> {
    fetching::find(name)
}

/// As above, without the hub.
#[cfg(not(feature = "hub"))]
pub(crate) fn find(_: &str) -> Result<Option<HubModel>> {
    Ok(None)
}

/// What may be given as a model, for a hint.
pub(crate) fn what_names_a_model() -> String {
    let built_in = vestnik_infer::EMBEDDED_MODEL_NAME;
    if cfg!(feature = "hub") {
        format!(
            "a model is a directory, the built-in model {built_in}, or a name on the hub: ORG/NAME or ORG/NAME@REVISION"
        )
    } else {
        format!(
            "a model is a directory or the built-in model {built_in}; this program was built without the hub"
        )
    }
}
