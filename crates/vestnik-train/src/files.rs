//! Files of a run: safetensors, JSON, and folders that are swapped whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{Device, Shape, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes tensors to a safetensors file and flushes it to disk.
pub(crate) fn write_tensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    safetensors::serialize_to_file(views, None, path)
        .map_err(|source| Error::io("write", path)(std::io::Error::other(source)))?;
    sync(path)
}

/// All tensors of a safetensors file, on the CPU.
pub(crate) fn read_tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    // candle's own message names neither the file nor the reason when the file is missing.
    File::open(path).map_err(Error::io("read", path))?;
    candle_core::safetensors::load(path, &Device::Cpu)
        .map_err(Error::tensor("reading a checkpoint"))
}

/// Takes one tensor out, with its shape checked.
pub(crate) fn take_tensor(
    tensors: &mut HashMap<String, Tensor>,
    name: &str,
    shape: &Shape,
    path: &Path,
) -> Result<Tensor> {
    let mismatch = |problem| Error::CheckpointMismatch {
        path: path.to_owned(),
        problem,
    };
    let tensor = tensors
        .remove(name)
        .ok_or_else(|| mismatch(format!("the tensor {name} is missing")))?;
    if tensor.shape() != shape {
        let found = tensor.shape();
        return Err(mismatch(format!(
            "{name} has shape {found:?}, the model {shape:?}"
        )));
    }
    Ok(tensor)
}

/// Writes a value as indented JSON and flushes it to disk.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|source| Error::io("write", path)(source.into()))?;
    text.push(b'\n');
    write_bytes(path, &text)
}

/// Writes a file and flushes it to disk.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io("write", path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("write", path))
}

/// Reads a JSON file.
///
/// Through `Value`, which keeps numbers as they are written (`arbitrary_precision`): read directly, a float may be off
/// in its last bit, and scores are compared after a checkpoint was read back.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let value: serde_json::Result<serde_json::Value> = serde_json::from_slice(&bytes);
    value
        .and_then(serde_json::from_value)
        .map_err(|source| Error::CheckpointMismatch {
            path: path.to_owned(),
            problem: source.to_string(),
        })
}

/// Flushes a file or folder to disk.
pub(crate) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("flush", path))
}

/// Replaces the folder `target` by what `fill` writes, so that a kill at any moment leaves a whole folder.
///
/// The old one becomes `<target>.previous`, the new one takes its name, and the old one is removed. [`whole_folder`]
/// finds the folder that is whole, whatever moment it was.
pub(crate) fn replace_folder(target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let new = NewFolder::create(target)?;
    fill(new.path())?;
    let previous = beside(target, "previous");
    if target.exists() {
        remove_folder(&previous)?;
        rename(target, &previous)?;
    }
    new.commit()?;
    remove_folder(&previous)
}

/// A folder that is filled beside its place, as `<target>.partial`, and removed unless it is committed.
#[derive(Debug)]
pub(crate) struct NewFolder {
    target: PathBuf,
    partial: PathBuf,
}

impl NewFolder {
    /// An empty folder; one that a kill left there is removed.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let partial = beside(target, "partial");
        remove_folder(&partial)?;
        fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        Ok(Self {
            target: target.to_owned(),
            partial,
        })
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Flushes the folder to disk and gives it its name, which must be free.
    pub(crate) fn commit(self) -> Result<()> {
        sync_folder(&self.partial)?;
        rename(&self.partial, &self.target)?;
        self.target.parent().map_or(Ok(()), sync)
    }
}

impl Drop for NewFolder {
    /// What is half-written would only take room, most of all when the disk is full.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.partial);
    }
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(Error::io("rename", from))
}

/// `target`, or the `.previous` one when a kill fell between the two renames; `None` when there is neither.
pub(crate) fn whole_folder(target: &Path) -> Option<PathBuf> {
    [target.to_owned(), beside(target, "previous")]
        .into_iter()
        .find(|folder| folder.is_dir())
}

pub(crate) fn beside(target: &Path, suffix: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", folder)(source))
        }
        _ => Ok(()),
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        sync(&entry.map_err(Error::io("read", folder))?.path())?;
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_with(text: &str) -> impl FnOnce(&Path) -> Result<()> {
        move |folder| {
            let path = folder.join("file");
            fs::write(&path, text).map_err(Error::io("write", &path))
        }
    }

    fn content(folder: &Path) -> String {
        fs::read_to_string(whole_folder(folder).unwrap().join("file")).unwrap()
    }

    #[test]
    fn numbers_are_read_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.json");
        let mut random = crate::random::Random::derive(1, &[]);
        let numbers: Vec<f64> = (0..1000).map(|_| random.unit() * 1e3).collect();
        write_json(&path, &numbers).unwrap();
        assert_eq!(read_json::<Vec<f64>>(&path).unwrap(), numbers);
    }

    #[test]
    fn folders_are_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("checkpoint");
        assert_eq!(whole_folder(&target), None);
        for text in ["one", "two", "three"] {
            replace_folder(&target, fill_with(text)).unwrap();
            assert_eq!(content(&target), text);
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_kill_while_filling_leaves_the_old_folder() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("checkpoint");
        replace_folder(&target, fill_with("one")).unwrap();
        let killed = replace_folder(&target, |folder| {
            fill_with("half")(folder)?;
            Err(Error::CheckpointMissing {
                path: folder.to_owned(),
            })
        });
        assert!(killed.is_err());
        assert_eq!(content(&target), "one");
        replace_folder(&target, fill_with("two")).unwrap();
        assert_eq!(content(&target), "two");
    }

    #[test]
    fn a_kill_between_the_renames_leaves_the_previous_folder() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("checkpoint");
        replace_folder(&target, fill_with("one")).unwrap();
        fs::rename(&target, beside(&target, "previous")).unwrap();
        assert_eq!(content(&target), "one");
        replace_folder(&target, fill_with("two")).unwrap();
        assert_eq!(content(&target), "two");
    }
}
