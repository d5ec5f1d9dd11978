//! A tensor on its way from one file to another.

use std::path::Path;

use crate::Result;
use crate::checkpoint::{Floats, TensorFile};
use crate::convert::torch_file::TorchFile;
use crate::pickle::StoredTensor;

/// A tensor to be written.
pub(super) struct Entry<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) floats: Floats,
    pub(super) place: Place<'a>,
}

/// Where the numbers of a tensor are.
pub(super) enum Place<'a> {
    Safetensors(&'a TensorFile),
    Torch(&'a TorchFile, &'a StoredTensor),
}

impl Entry<'_> {
    /// The file that it comes from.
    pub(super) fn path(&self) -> &Path {
        match self.place {
            Place::Safetensors(file) => file.path(),
            Place::Torch(file, _) => file.path(),
        }
    }

    /// The numbers in the order of the shape, last dimension fastest, little-endian.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        match self.place {
            Place::Safetensors(file) => Ok(file.read_bytes(&self.name)?.into_owned()),
            Place::Torch(file, tensor) => file.read(&self.name, tensor),
        }
    }
}
