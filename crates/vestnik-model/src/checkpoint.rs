//! Reading and writing safetensors files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::{Error, Parameters, Result};

/// The tensors of a checkpoint, read on demand.
pub(crate) struct Checkpoint<'a> {
    tensors: SafeTensors<'a>,
    /// For messages: the file, or the name of what stands for it.
    path: PathBuf,
}

impl<'a> Checkpoint<'a> {
    pub(crate) fn parse(bytes: &'a [u8], path: &Path) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|source| Error::Weights {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            tensors,
            path: path.into(),
        })
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.tensors
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// The number type of most bytes, as the file names it.
    pub(crate) fn dtype(&self) -> String {
        self.tensors
            .iter()
            .max_by_key(|(_, view)| view.data().len())
            .map_or_else(
                || "none".to_owned(),
                |(_, view)| format!("{:?}", view.dtype()).to_lowercase(),
            )
    }

    /// The tensor `name` as `f32`, when the file has it.
    pub(crate) fn read(
        &self,
        name: &str,
        shape: &[usize],
        device: &Device,
    ) -> Result<Option<Tensor>> {
        let Ok(view) = self.tensors.tensor(name) else {
            return Ok(None);
        };
        if view.shape() != shape {
            return Err(Error::TensorShape {
                path: self.path.clone(),
                name: name.to_owned(),
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        to_tensor(&view, device).map(Some)
    }
}

fn to_tensor(view: &TensorView<'_>, device: &Device) -> Result<Tensor> {
    let dtype = DType::try_from(view.dtype())?;
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
    Ok(tensor.to_dtype(DType::F32)?.to_device(device)?)
}

/// The parameters as the bytes of a safetensors file, converted to `dtype`.
pub(crate) fn serialize(parameters: &Parameters, dtype: DType) -> Result<Vec<u8>> {
    let tensors = parameters
        .iter()
        .map(|(name, tensor)| {
            Ok((
                name.to_owned(),
                tensor.as_tensor().to_dtype(dtype)?.contiguous()?,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    // transformers refuses files without this entry.
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(tensors, Some(metadata)).map_err(|source| Error::Weights {
        path: PathBuf::from("model.safetensors"),
        source,
    })
}
