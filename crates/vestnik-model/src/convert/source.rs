//! The weights that are to be converted: safetensors or PyTorch files, one or several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::checkpoint::{Floats, Index, Weights};
use crate::convert::entry::{Entry, Place};
use crate::convert::torch_file::TorchFile;
use crate::convert::{Converted, file_error};
use crate::pickle::{StoredNumbers, StoredTensor};
use crate::{Result, WEIGHTS_FILE, WEIGHTS_INDEX_FILE};

const TORCH_FILE: &str = "pytorch_model.bin";
const TORCH_INDEX_FILE: &str = "pytorch_model.bin.index.json";

/// Open weights files.
pub(super) enum Source {
    Safetensors(Weights),
    Torch(Vec<TorchFile>),
}

/// The weights file of a model directory, in the order in which transformers looks for it.
pub(super) fn find(dir: &Path) -> Result<PathBuf> {
    [
        WEIGHTS_FILE,
        WEIGHTS_INDEX_FILE,
        TORCH_FILE,
        TORCH_INDEX_FILE,
    ]
    .into_iter()
    .map(|name| dir.join(name))
    .find(|path| path.exists())
    .ok_or_else(|| crate::model_dir::no_weights(dir))
}

impl Source {
    /// Opens a weights file, or the shards that an index names.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".safetensors.index.json") {
            Ok(Self::Safetensors(Weights::open_shards(path)?))
        } else if name.ends_with(".index.json") {
            Ok(Self::Torch(open_shards(path)?))
        } else if name.ends_with(".safetensors") {
            Ok(Self::Safetensors(Weights::open(path)?))
        } else {
            Ok(Self::Torch(vec![TorchFile::open(path)?]))
        }
    }

    /// The tensors to be written, and those left out; where they are `tied`, an output layer that shares its numbers with
    /// the embeddings is.
    pub(super) fn entries(&self, tied: bool) -> Result<(Vec<Entry<'_>>, Converted)> {
        let mut left_out = Converted::default();
        let entries = match self {
            Self::Safetensors(weights) => safetensors_entries(weights, &mut left_out),
            Self::Torch(files) => files
                .iter()
                .flat_map(|file| torch_entries(file, tied, &mut left_out))
                .collect(),
        };
        Ok((entries, left_out))
    }
}

fn open_shards(path: &Path) -> Result<Vec<TorchFile>> {
    let bytes = std::fs::read(path).map_err(|source| file_error(path, source))?;
    let index = Index::parse(&bytes, path)?;
    let files = index
        .files()?
        .iter()
        .map(|file| TorchFile::open(file))
        .collect::<Result<Vec<_>>>()?;
    index.place(files.iter().map(|file| (file.path(), file.names())))?;
    Ok(files)
}

fn safetensors_entries<'a>(weights: &'a Weights, left_out: &mut Converted) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    for name in weights.names() {
        let Some((file, info)) = weights.find(name) else {
            continue;
        };
        match Floats::of(info.dtype) {
            Some(floats) => entries.push(Entry {
                name: name.to_owned(),
                shape: info.shape.clone(),
                floats,
                place: Place::Safetensors(file),
            }),
            None => left_out.dropped.push(name.to_owned()),
        }
    }
    entries
}

fn torch_entries<'a>(file: &'a TorchFile, tied: bool, left_out: &mut Converted) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let owners: BTreeMap<Numbers<'_>, &str> = file
        .tensors()
        .iter()
        .filter(|(name, _)| !is_output(name))
        .map(|(name, tensor)| (numbers(tensor), name.as_str()))
        .collect();
    for (name, tensor) in file.tensors() {
        let Some(floats) = floats_of(tensor.numbers) else {
            left_out.dropped.push(name.clone());
            continue;
        };
        if let Some(owner) = owners
            .get(&numbers(tensor))
            .filter(|_| tied && is_output(name))
        {
            left_out.tied.push((name.clone(), (*owner).to_owned()));
            continue;
        }
        entries.push(Entry {
            name: name.clone(),
            shape: tensor.shape.clone(),
            floats,
            place: Place::Torch(file, tensor),
        });
    }
    entries
}

/// Whether a tensor belongs to the last layer of a masked language model, which takes the numbers of the embeddings when it
/// is loaded. Nothing else is tied again.
fn is_output(name: &str) -> bool {
    let layer = name.trim_end_matches(".weight").trim_end_matches(".bias");
    let layer = layer.rsplit('.').next().unwrap_or(layer);
    matches!(layer, "decoder" | "vocab_projector" | "generator_lm_head")
}

/// What makes two tensors the same numbers in the same order.
type Numbers<'a> = (&'a str, usize, &'a [usize], &'a [usize]);

fn numbers(tensor: &StoredTensor) -> Numbers<'_> {
    (
        &tensor.storage.key,
        tensor.offset,
        &tensor.shape,
        &tensor.stride,
    )
}

fn floats_of(numbers: StoredNumbers) -> Option<Floats> {
    match numbers {
        StoredNumbers::F32 => Some(Floats::F32),
        StoredNumbers::F16 => Some(Floats::F16),
        StoredNumbers::Bf16 => Some(Floats::Bf16),
        StoredNumbers::F64 => Some(Floats::F64),
        StoredNumbers::Whole(_) => None,
    }
}
