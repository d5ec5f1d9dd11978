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

/// Bytes that are converted at once; a multiple of the size of every number.
const PART: usize = 1 << 20;

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

    /// The numbers in the new type. Goes through them in parts, so that they are in memory once beside the result.
    fn bytes(&self) -> Result<Vec<u8>> {
        let bytes = self.entry.read()?;
        let (from, to) = (self.entry.floats, self.target);
        let mut converted = Vec::with_capacity(if from == to { 0 } else { self.data_len() });
        let mut values = Vec::new();
        for part in bytes.chunks(PART) {
            values.clear();
            from.decode(part, &mut values);
            if !values.iter().all(|x| x.is_finite()) {
                return Err(self.not_finite());
            }
            if from != to {
                let part = encode(&values, to);
                self.check_range(&part, &mut values)?;
                converted.extend(part);
            }
        }
        Ok(if from == to { bytes } else { converted })
    }

    fn not_finite(&self) -> Error {
        Error::NotFinite {
            path: self.entry.path().into(),
            name: self.entry.name.clone(),
        }
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
