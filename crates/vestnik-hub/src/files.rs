//! Which files of a repository are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::error::io_error;
use crate::name::is_plain_path;
use crate::{Error, ModelName, Result};

pub(crate) const CONFIG: &str = "config.json";
/// Files that a model may do without. The tokenizer is among them, since it can be made afterwards.
pub(crate) const OPTIONAL: [&str; 4] = [
    "tokenizer.json",
    "vestnik.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
];
/// Endings of files with weights, to say what a repository has instead.
const WEIGHT_ENDINGS: [&str; 8] = [
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".h5",
    ".msgpack",
    ".onnx",
    ".gguf",
];

/// Which weights are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// `model.safetensors`, or the shards that `model.safetensors.index.json` names.
    #[default]
    Safetensors,
    /// `pytorch_model.bin`, or the shards that `pytorch_model.bin.index.json` names: to be converted, not to be loaded.
    Pickle,
}

impl Weights {
    /// The file that holds all weights.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Safetensors => "model.safetensors",
            Self::Pickle => "pytorch_model.bin",
        }
    }

    /// The file that names the shards.
    #[must_use]
    pub fn index_name(self) -> &'static str {
        match self {
            Self::Safetensors => "model.safetensors.index.json",
            Self::Pickle => "pytorch_model.bin.index.json",
        }
    }
}

/// What is needed of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Files to be fetched; with shards, their index among them.
    pub(crate) files: Vec<String>,
    /// Whether one of them is an index that names more files.
    pub(crate) sharded: bool,
    /// Files that would have been fetched, had the repository had them.
    pub(crate) absent: Vec<&'static str>,
}

/// Chooses from the names of all files of a repository.
pub(crate) fn choose(listing: &[&str], model: &ModelName, weights: Weights) -> Result<Choice> {
    if !listing.contains(&CONFIG) {
        return Err(Error::NoFile {
            model: model.to_string(),
            file: CONFIG.to_owned(),
        });
    }
    let sharded = !listing.contains(&weights.file_name());
    let weights_file = if sharded {
        weights.index_name()
    } else {
        weights.file_name()
    };
    if !listing.contains(&weights_file) {
        return Err(no_weights(listing, model, weights));
    }
    let (present, mut absent): (Vec<&str>, Vec<&str>) =
        OPTIONAL.iter().partition(|name| listing.contains(name));
    if sharded {
        absent.push(weights.file_name());
    }
    let mut files = vec![CONFIG.to_owned()];
    files.extend(present.into_iter().map(str::to_owned));
    files.push(weights_file.to_owned());
    Ok(Choice {
        files,
        sharded,
        absent,
    })
}

fn no_weights(listing: &[&str], model: &ModelName, weights: Weights) -> Error {
    let is_weights = |name: &&&str| WEIGHT_ENDINGS.iter().any(|ending| name.ends_with(ending));
    Error::NoWeights {
        model: model.to_string(),
        wanted: weights.file_name(),
        found: listing
            .iter()
            .filter(is_weights)
            .map(|&name| name.to_owned())
            .collect(),
    }
}

/// The index of shards as `transformers` writes it; only the names of the files matter here.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The shards that an index names, sorted; each is checked to stay inside of the model.
pub(crate) fn shards(path: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(io_error("read", path))?;
    let refuse = |reason| Error::Index {
        path: path.to_owned(),
        reason,
    };
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|error| refuse(format!("no index of shards: {error}")))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    match names.iter().find(|name| !is_plain_path(name)) {
        Some(name) => Err(refuse(format!("{name:?} is no file of the model"))),
        None => Ok(names.into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(listing: &[&str], weights: Weights) -> Result<Choice> {
        choose(listing, &ModelName::parse("org/name").unwrap(), weights)
    }

    #[test]
    fn one_file_of_weights_is_preferred() {
        let listing = [
            "README.md",
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "onnx/model.onnx",
        ];
        let choice = chosen(&listing, Weights::Safetensors).unwrap();
        assert_eq!(
            choice.files,
            ["config.json", "tokenizer.json", "model.safetensors"]
        );
        assert!(!choice.sharded);
        assert_eq!(
            choice.absent,
            [
                "vestnik.json",
                "tokenizer_config.json",
                "special_tokens_map.json"
            ]
        );
        let choice = chosen(&listing, Weights::Pickle).unwrap();
        assert_eq!(choice.files.last().unwrap(), "pytorch_model.bin");
    }

    #[test]
    fn shards_come_by_their_index() {
        let listing = ["config.json", "model.safetensors.index.json"];
        let choice = chosen(&listing, Weights::Safetensors).unwrap();
        assert!(choice.sharded);
        assert_eq!(choice.files, listing);
        assert!(choice.absent.contains(&"model.safetensors"));
    }

    #[test]
    fn what_is_there_instead_is_told() {
        let error = chosen(
            &["config.json", "pytorch_model.bin", "tf_model.h5", "a.txt"],
            Weights::Safetensors,
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "org/name has no model.safetensors; weights there: pytorch_model.bin, tf_model.h5"
        );
        let error = chosen(&["model.safetensors"], Weights::Safetensors).unwrap_err();
        assert_eq!(error.to_string(), "org/name has no file config.json");
    }

    #[test]
    fn an_index_names_files_inside_of_the_model() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            shards(file.path())
        };
        let names = read(
            r#"{"metadata":{},"weight_map":{"a":"2.safetensors","b":"1.safetensors","c":"2.safetensors"}}"#,
        );
        assert_eq!(names.unwrap(), ["1.safetensors", "2.safetensors"]);
        for text in [
            r#"{"weight_map":{"a":"../../x"}}"#,
            r#"{"weight_map":{"a":"/etc/passwd"}}"#,
            "{}",
            "no json",
        ] {
            assert!(matches!(read(text), Err(Error::Index { .. })), "{text}");
        }
    }
}
