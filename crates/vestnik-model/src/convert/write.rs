//! Writing tensors as one safetensors file, one after another.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, View};

use crate::checkpoint::{self, Floats, encode};
use crate::convert::entry::Entry;
use crate::convert::file_error;
use crate::model_dir::make_readable;
use crate::{Error, Result};

/// Writes the tensors to `path` in the number type `target`, or in their own.
pub(super) fn weights(entries: Vec<Entry<'_>>, target: Option<Floats>, path: &Path) -> Result<()> {
    let failure = RefCell::new(None);
    let views = entries.into_iter().map(|entry| {
        let name = entry.name.clone();
        let target = target.unwrap_or(match entry.floats {
            Floats::F64 => Floats::F32,
            own => own,
        });
        let view = Converting {
            entry,
            target,
            failure: &failure,
        };
        (name, view)
    });
    let written = safetensors::serialize_to_file(views, Some(checkpoint::metadata()), path);
    if let Some(error) = failure.take() {
        return Err(error);
    }
    written.map_err(|error| match error {
        SafeTensorError::IoError(source) => file_error(path, source),
        other => Error::Weights {
            path: path.into(),
            problem: other.to_string(),
        },
    })?;
    make_readable(path).map_err(|source| file_error(path, source))
}

/// A tensor that is read and converted when it is its turn to be written: only one is in memory at a time.
struct Converting<'a> {
    entry: Entry<'a>,
    target: Floats,
    /// The interface of the format's writer has no room for errors: the first one is kept here.
    failure: &'a RefCell<Option<Error>>,
}

impl Converting<'_> {
    fn n_values(&self) -> usize {
        self.entry.shape.iter().product()
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        let bytes = self.entry.read()?;
        let mut values = Vec::with_capacity(self.n_values());
        self.entry.floats.decode(&bytes, &mut values);
        if !values.iter().all(|x| x.is_finite()) {
            return Err(Error::NotFinite {
                path: self.entry.path().into(),
                name: self.entry.name.clone(),
            });
        }
        if self.target == self.entry.floats {
            return Ok(bytes);
        }
        drop(bytes);
        let bytes = encode(&values, self.target);
        self.check_range(&bytes, &mut values)?;
        Ok(bytes)
    }

    /// Numbers that are infinite now were beyond the range of the new type. Overwrites `values`.
    fn check_range(&self, bytes: &[u8], values: &mut Vec<f32>) -> Result<()> {
        values.clear();
        self.target.decode(bytes, values);
        if values.iter().all(|x| x.is_finite()) {
            return Ok(());
        }
        Err(Error::OutOfRange {
            path: self.entry.path().into(),
            name: self.entry.name.clone(),
            dtype: format!("{:?}", self.target).to_lowercase(),
        })
    }
}

impl View for Converting<'_> {
    fn dtype(&self) -> Dtype {
        self.target.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.entry.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.failure.borrow().is_none() {
            match self.bytes() {
                Ok(bytes) => return bytes.into(),
                Err(error) => *self.failure.borrow_mut() = Some(error),
            }
        }
        Cow::Borrowed(&[])
    }

    fn data_len(&self) -> usize {
        self.n_values() * self.target.size()
    }
}
