//! `model.safetensors.index.json`: which shard holds which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result};

/// An index of shards; also that of a sharded `pytorch_model.bin`.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    /// File names by tensor.
    weight_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Contents {
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Reads the file; every name in it is a plain file name.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Weights {
            path: path.into(),
            problem,
        };
        let contents: Contents = serde_json::from_slice(bytes)
            .map_err(|error| problem(format!("not an index of shards: {error}")))?;
        if contents.weight_map.is_empty() {
            return Err(problem(
                "weight_map is empty: it names no tensor".to_owned(),
            ));
        }
        let outside = contents.weight_map.values().find(|file| !is_plain(file));
        if let Some(file) = outside {
            return Err(problem(format!(
                "weight_map names the file {file:?}, expected the plain name of a file beside the index"
            )));
        }
        Ok(Self {
            path: path.into(),
            weight_map: contents.weight_map,
        })
    }

    /// The shards, each once, each there.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let names: BTreeSet<&String> = self.weight_map.values().collect();
        let n = names.len();
        names
            .into_iter()
            .map(|name| {
                let file = self.path.with_file_name(name);
                if file.exists() {
                    return Ok(file);
                }
                Err(self.problem(format!(
                    "shard {name} is missing, one of {n}; fetch the whole model again"
                )))
            })
            .collect()
    }

    /// Where each tensor is, `files[n]` holding the tensors `names[n]`.
    ///
    /// # Errors
    /// A tensor is in two shards, or not in the one that the index names.
    pub(crate) fn place<'a>(
        &self,
        names: impl IntoIterator<Item = (&'a Path, Vec<&'a str>)>,
    ) -> Result<BTreeMap<String, usize>> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut files: Vec<&Path> = Vec::new();
        for (n, (file, names)) in names.into_iter().enumerate() {
            files.push(file);
            for name in names {
                if let Some(first) = places.insert(name.to_owned(), n) {
                    return Err(self.problem(format!(
                        "tensor {name} is in two shards, {} and {}",
                        file_name(files[first]),
                        file_name(file)
                    )));
                }
            }
        }
        let kept = |name: &str, file: &str| {
            let place = places.get(name).and_then(|n| files.get(*n));
            place.is_some_and(|path| file_name(path) == file)
        };
        match self
            .weight_map
            .iter()
            .find(|(name, file)| !kept(name, file))
        {
            Some((name, file)) => Err(self.problem(format!(
                "tensor {name} is not in {file}, where the index says it is"
            ))),
            None => Ok(places),
        }
    }

    fn problem(&self, problem: String) -> Error {
        Error::Weights {
            path: self.path.clone(),
            problem,
        }
    }
}

fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Whether a name stays in its directory on every system.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for name in [
            "../x.safetensors",
            "/etc/passwd",
            "a/b",
            r"a\b",
            "c:x",
            "..",
            "",
        ] {
            let json = serde_json::json!({"weight_map": {"a": name}}).to_string();
            assert!(
                Index::parse(json.as_bytes(), Path::new("index.json")).is_err(),
                "{name}"
            );
        }
    }
}
