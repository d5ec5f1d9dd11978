//! What a person can do about the errors of the hub.

use std::io;

use vestnik_hub::{Error, ModelName};

use crate::failure::{Mistake, one_line};

/// Files of which `vestnik model convert` makes safetensors.
const PICKLES: [&str; 2] = ["pytorch_model.bin", "pytorch_model-00001-of-"];

/// An error about a model that was named as one of the hub.
pub(super) fn explain(model: &ModelName, error: Error) -> anyhow::Error {
    let hint = hint(model, &error);
    mistake(one_line(&error.into()), hint)
}

/// An error about a name that may have been meant as a directory.
pub(super) fn no_directory_either(model: &ModelName, error: Error) -> anyhow::Error {
    let unclear = matches!(
        error,
        Error::NoModel { .. }
            | Error::Refused { .. }
            | Error::Offline { .. }
            | Error::Connection { .. }
    );
    if !unclear {
        return explain(model, error);
    }
    let hint = hint(model, &error);
    let line = one_line(&error.into());
    mistake(
        format!("{model}: no such model directory, and {line}"),
        hint,
    )
}

fn mistake(line: String, hint: Option<String>) -> anyhow::Error {
    let mistake = Mistake::new(line);
    match hint {
        Some(hint) => mistake.hint(hint).into(),
        None => mistake.into(),
    }
}

fn hint(model: &ModelName, error: &Error) -> Option<String> {
    Some(match error {
        Error::Refused {
            with_token: false, ..
        } => "is the name right? A private or gated model needs an access token in HF_TOKEN".into(),
        Error::Refused { .. } => {
            "the token may not read this model; a gated one is asked for on its page".into()
        }
        Error::Offline { .. } => {
            format!("with a network, vestnik model fetch {model} brings it into the cache")
        }
        Error::Connection { in_cache: true, .. } => {
            "the model is in the cache: --offline uses it".into()
        }
        Error::Connection { .. } => {
            "it is not in the cache either; HF_ENDPOINT names another hub".into()
        }
        Error::NoWeights { found, .. } if has_pickle(found) => format!(
            "vestnik model fetch {model} --pickle fetches them, vestnik model convert DIR -o OUT makes safetensors"
        ),
        Error::Incomplete { .. } => "run it again: it goes on from there".into(),
        Error::Damaged { .. } | Error::TooLong { .. } => "run it again".into(),
        Error::Io { source, .. } if is_full(source) => {
            "HF_HUB_CACHE names another folder for the cache".into()
        }
        _ => return None,
    })
}

fn has_pickle(found: &[String]) -> bool {
    found
        .iter()
        .any(|name| PICKLES.iter().any(|pickle| name.starts_with(pickle)))
}

/// Whether another place for the cache would help.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{
        NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    matches!(
        error.kind(),
        StorageFull | QuotaExceeded | PermissionDenied | ReadOnlyFilesystem | NotADirectory
    )
}
