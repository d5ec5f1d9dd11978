//! The zip archive that `torch.save` writes since PyTorch 1.6.
//!
//! `NAME/data.pkl` is a pickle that says which tensor is which part of which storage; the storage `KEY` is the entry
//! `NAME/data/KEY`, the numbers alone. See `torch/serialization.py`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;

use crate::checkpoint::{HEAD_BYTES, lookalike};
use crate::convert::{file_error, strided};
use crate::pickle::{self, StoredTensor};
use crate::{Error, Result};

/// An entry may not become more than so many times larger when it is unpacked: `torch.save` does not compress at all,
/// and a small archive could ask for any amount of memory.
const MAX_EXPANSION: u64 = 100;
/// Entries of up to so many bytes may be compressed in any way.
const SMALL_ENTRY: u64 = 16 << 20;

type Archive = ZipArchive<BufReader<File>>;

/// An open PyTorch file.
pub(super) struct TorchFile {
    path: PathBuf,
    /// What all names of entries begin with.
    prefix: String,
    tensors: Vec<(String, StoredTensor)>,
    state: Mutex<State>,
}

struct State {
    archive: Archive,
    /// The storage that was read last: tensors that share one usually come one after another.
    last: Option<(String, Arc<Vec<u8>>)>,
}

impl TorchFile {
    /// Opens a file and reads which tensors it has.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Weights {
            path: path.into(),
            problem,
        };
        let cannot_read = |source| file_error(path, source);
        let mut head = Vec::new();
        let file = File::open(path).map_err(cannot_read)?;
        let mut start = (&file).take(HEAD_BYTES as u64);
        start.read_to_end(&mut head).map_err(cannot_read)?;
        if let Some(what) = not_a_torch_file(&head) {
            return Err(problem(what.to_owned()));
        }
        let mut archive = ZipArchive::new(BufReader::new(file))
            .map_err(|error| problem(format!("the zip archive is broken or truncated: {error}")))?;
        let prefix = prefix(&archive).map_err(problem)?;
        check_byte_order(&mut archive, &prefix).map_err(problem)?;
        let bytes = read_entry(
            &mut archive,
            &format!("{prefix}data.pkl"),
            pickle::MAX_BYTES,
        );
        let tensors =
            pickle::read_state_dict(&bytes.map_err(problem)?).map_err(|source| Error::Pickle {
                path: path.into(),
                source,
            })?;
        Ok(Self {
            path: path.into(),
            prefix,
            tensors,
            state: Mutex::new(State {
                archive,
                last: None,
            }),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors in the order of the file.
    pub(super) fn tensors(&self) -> &[(String, StoredTensor)] {
        &self.tensors
    }

    pub(super) fn names(&self) -> Vec<&str> {
        let names = self.tensors.iter().map(|(name, _)| name.as_str());
        names.collect()
    }

    /// The numbers of `tensor`, which is called `name`, in the order of its shape.
    pub(super) fn read(&self, name: &str, tensor: &StoredTensor) -> Result<Vec<u8>> {
        let problem = |problem: String| Error::Weights {
            path: self.path.clone(),
            problem: format!("tensor {name}: {problem}"),
        };
        let storage = self.storage(tensor).map_err(problem)?;
        let size = tensor.numbers.size();
        let StoredTensor {
            offset,
            shape,
            stride,
            ..
        } = tensor;
        if !strided::fits(*offset, shape, stride, storage.len() / size) {
            return Err(problem(format!(
                "shape {shape:?} with strides {stride:?} from {offset} on does not fit its storage of {} numbers",
                storage.len() / size
            )));
        }
        Ok(strided::contiguous(&storage, size, *offset, shape, stride))
    }

    fn storage(&self, tensor: &StoredTensor) -> std::result::Result<Arc<Vec<u8>>, String> {
        let storage = &tensor.storage;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, bytes)) = &state.last
            && *key == storage.key
        {
            return Ok(Arc::clone(bytes));
        }
        let size = storage.numbers.map_or(1, pickle::StoredNumbers::size);
        let expected = storage
            .len
            .checked_mul(size)
            .ok_or("its storage is too large")?;
        let entry = format!("{}data/{}", self.prefix, storage.key);
        let bytes = read_entry(&mut state.archive, &entry, expected)?;
        if bytes.len() != expected {
            return Err(format!(
                "its storage has {} bytes, expected {expected}",
                bytes.len()
            ));
        }
        let bytes = Arc::new(bytes);
        state.last = Some((storage.key.clone(), Arc::clone(&bytes)));
        Ok(bytes)
    }
}

/// What a file is that begins with these bytes, if it is no zip archive.
fn not_a_torch_file(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"PK\x03\x04") {
        return None;
    }
    if head.starts_with(&[0x80]) {
        return Some(
            "a bare pickle, as PyTorch wrote before 1.6, expected a zip archive; save it again: \
             python -c \"import torch; torch.save(torch.load('OLD', weights_only=True), 'NEW')\"",
        );
    }
    let safetensors = head.get(8) == Some(&b'{');
    lookalike(head).or(Some(if safetensors {
        "a safetensors file; give it the name model.safetensors"
    } else {
        "not a PyTorch file: expected a zip archive"
    }))
}

/// The folder in the archive that holds everything, with its slash.
fn prefix(archive: &Archive) -> std::result::Result<String, String> {
    let mut names = archive
        .file_names_raw()
        .filter_map(|name| std::str::from_utf8(name).ok());
    let pickle = names.find(|name| {
        name.split_once('/')
            .is_some_and(|(_, name)| name == "data.pkl")
    });
    let Some(prefix) = pickle.and_then(|name| name.strip_suffix("data.pkl")) else {
        return Err("a zip archive without data.pkl: not written by torch.save".to_owned());
    };
    let mut names = archive.file_names_raw();
    let code = format!("{prefix}constants.pkl");
    if names.any(|name| name == code.as_bytes()) {
        let found = "a TorchScript program, not weights";
        return Err(format!(
            "{found}; save the weights: torch.save(model.state_dict(), …)"
        ));
    }
    Ok(prefix.to_owned())
}

/// Since PyTorch 2.1 the archive says how its numbers are written; before, as the machine did: little-endian.
fn check_byte_order(archive: &mut Archive, prefix: &str) -> std::result::Result<(), String> {
    let name = format!("{prefix}byteorder");
    if archive.index_for_name(&name).is_none() {
        return Ok(());
    }
    match &*read_entry(archive, &name, 16)? {
        b"little" => Ok(()),
        _ => Err("the numbers are big-endian, expected little-endian".to_owned()),
    }
}

/// An entry of at most `limit` bytes, whatever the archive says of its size.
fn read_entry(
    archive: &mut Archive,
    name: &str,
    limit: usize,
) -> std::result::Result<Vec<u8>, String> {
    let broken =
        |error: &dyn std::fmt::Display| format!("the entry {name} cannot be read: {error}");
    let entry = archive.by_name(name).map_err(|error| broken(&error))?;
    let (packed, size) = (entry.compressed_size(), entry.size());
    if size > limit as u64 {
        return Err(format!(
            "the entry {name} has {size} bytes, expected at most {limit}"
        ));
    }
    if size > packed.saturating_mul(MAX_EXPANSION).max(SMALL_ENTRY) {
        return Err(format!(
            "the entry {name} is {size} bytes packed into {packed}: refused, no weights are that regular"
        ));
    }
    // Grows with what is really there: the sizes in the archive may be wrong.
    let mut bytes = Vec::new();
    let mut limited = entry.take(size + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| broken(&error))?;
    Ok(bytes)
}
