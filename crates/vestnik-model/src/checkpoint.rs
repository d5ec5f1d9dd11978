//! The tensors of a model's weights files, read one by one as `f32`, and writing them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorInfo;

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
        let Some((file, info)) = self.find(name, shape)? else {
            return Ok(None);
        };
        let values = file.read_f32(name, info, 0..shape.iter().product())?;
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok(Some(tensor.to_device(device)?))
    }

    /// Where the tensor `name` lies, when a file has it.
    ///
    /// # Errors
    /// [`Error::TensorShape`] when it has another shape.
    pub(crate) fn find(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<Option<(&'a TensorFile, &'a TensorInfo)>> {
        match self.weights.find(name) {
            Some((file, info)) if info.shape != shape => Err(Error::TensorShape {
                path: file.path().into(),
                name: name.to_owned(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
            }),
            found => Ok(found),
        }
    }

    /// The shape of the tensor `name`, when a file has it.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.weights.find(name).map(|(_, info)| info.shape.clone())
    }

    /// Some rows of the tensor `name`, counted along its first dimension, when a file has it.
    pub(crate) fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>> {
        let Some((file, info)) = self.weights.find(name) else {
            return Ok(None);
        };
        let width: usize = info.shape.iter().skip(1).product();
        let values = rows.start * width..rows.end * width;
        file.read_f32(name, info, values).map(Some)
    }

    /// The bytes of the tensor `name`, when a file has it as finite halves.
    pub(crate) fn halves(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        match self.weights.find(name) {
            Some((file, info)) => file.read_halves(name, info),
            None => Ok(None),
        }
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
