//! The tensors of an encoder that stay where a model keeps them until they are asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::checkpoint::{Checkpoint, Weights};
use crate::{Encoder, Parameters, Result};

/// Tensors that are had by their names in a Hugging Face checkpoint, a few rows at a time.
pub trait TensorSource: Sync {
    /// The shape of a tensor; `None` if there is none of this name.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The numbers of some rows of a tensor, row-major, where `rows` counts along its first dimension and what is beyond
    /// its end is left out; `None` if there is no tensor of this name.
    ///
    /// # Errors
    /// Of a tensor in a file [`crate::Error::File`], [`crate::Error::TensorDtype`], [`crate::Error::NotFinite`]; else
    /// [`crate::Error::Tensor`].
    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>>;

    /// The bytes of a whole tensor, little-endian and row-major, where it is stored as `f16`; none of its numbers is NaN or
    /// infinite.
    ///
    /// # Errors
    /// As [`Self::read_rows`].
    fn halves(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let _ = name;
        Ok(None)
    }
}

/// Where the tensors of an encoder lie in the files of a model: all are there and have the right shapes, and none was read.
#[derive(Clone, Debug)]
pub struct StoredEncoder {
    weights: Arc<Weights>,
    outline: Outline,
}

/// The names in the files by the names of the encoder.
pub(crate) type Outline = BTreeMap<String, String>;

/// An encoder for inference, as it is best had on a device.
#[derive(Clone, Debug)]
pub enum EncoderPart {
    /// Of a model for the CPU: for an engine, which packs the tensors one by one.
    Stored(StoredEncoder),
    /// Of a model for another device.
    Composed(Box<Encoder>),
}

impl StoredEncoder {
    pub(crate) fn new(weights: Arc<Weights>, outline: Outline) -> Self {
        Self { weights, outline }
    }

    fn checkpoint(&self) -> Checkpoint<'_> {
        Checkpoint::new(&self.weights)
    }

    fn stored_name(&self, name: &str) -> &str {
        self.outline.get(name).map_or("", String::as_str)
    }
}

impl TensorSource for StoredEncoder {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.checkpoint().shape(self.stored_name(name))
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>> {
        self.checkpoint().read_rows(self.stored_name(name), rows)
    }

    fn halves(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        self.checkpoint().halves(self.stored_name(name))
    }
}

impl TensorSource for Parameters {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.get(name).map(|tensor| tensor.dims().to_vec())
    }

    fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>> {
        let Some(tensor) = self.get(name) else {
            return Ok(None);
        };
        let end = rows.end.min(tensor.dim(0)?);
        let rows = tensor.narrow(0, rows.start.min(end), end.saturating_sub(rows.start))?;
        Ok(Some(rows.flatten_all()?.to_vec1()?))
    }
}
