//! The tensors of a model's weights files, read one by one as `f32`, and writing them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};

use crate::{Error, Parameters, Result};

mod lookalike;
mod numbers;
mod shards;
mod tensor_file;
mod weights;

pub(crate) use lookalike::{HEAD_BYTES, lookalike};
pub(crate) use numbers::{Floats, encode};
pub(crate) use shards::Index;
pub(crate) use tensor_file::TensorFile;
pub(crate) use weights::Weights;

/// The tensors of a checkpoint, read on demand.
pub(crate) struct Checkpoint<'a> {
    weights: &'a Weights,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn new(weights: &'a Weights) -> Self {
        Self { weights }
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.weights.names().map(str::to_owned).collect()
    }

    /// The tensor `name` as `f32`, when a file has it.
    pub(crate) fn read(
        &self,
        name: &str,
        shape: &[usize],
        device: &Device,
    ) -> Result<Option<Tensor>> {
        let Some((file, info)) = self.weights.find(name) else {
            return Ok(None);
        };
        if info.shape != shape {
            return Err(Error::TensorShape {
                path: file.path().into(),
                name: name.to_owned(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        let values = file.read_f32(name, info)?;
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok(Some(tensor.to_device(device)?))
    }
}

/// The parameters as the bytes of a safetensors file, converted to `dtype`.
pub(crate) fn serialize(parameters: &Parameters, dtype: DType) -> Result<Vec<u8>> {
    let tensors = parameters
        .merged()?
        .into_iter()
        .map(|(name, tensor)| Ok((name.to_owned(), tensor.to_dtype(dtype)?.contiguous()?)))
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(tensors, Some(metadata())).map_err(|error| Error::Weights {
        path: PathBuf::from("model.safetensors"),
        problem: error.to_string(),
    })
}

/// The entry without which transformers refuses a file.
pub(crate) fn metadata() -> std::collections::HashMap<String, String> {
    [("format".to_owned(), "pt".to_owned())].into()
}
