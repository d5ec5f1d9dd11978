//! One safetensors file: its header, and the numbers of its tensors read on demand.
//!
//! A file is not mapped into memory but read tensor by tensor through a buffer of a megabyte: a mapped file that another
//! program cuts short kills the process (SIGBUS) where a read gives an error, and mapping needs `unsafe`. Numbers have to
//! be converted and checked on their way anyway, so that mapping would save one copy within the cache and no memory.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::checkpoint::{Floats, HEAD_BYTES, lookalike};
use crate::{Error, Result};

/// Bytes read at once; a multiple of the size of every number.
const CHUNK: usize = 1 << 20;
/// The length of the header stands in so many bytes before it.
const PREFIX: u64 = 8;
/// The format's limit of a header, in bytes.
const MAX_HEADER: u64 = 100_000_000;

/// An open safetensors file.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    source: Source,
    metadata: Metadata,
    /// Where the numbers begin.
    start: u64,
}

#[derive(Debug)]
enum Source {
    /// In the program.
    Bytes(&'static [u8]),
    /// Kept open, so that what is read later is the file whose header was read.
    File(Mutex<File>),
}

impl TensorFile {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file_error = |source| Error::File {
            path: path.into(),
            source,
        };
        let file = File::open(path).map_err(file_error)?;
        let len = file.metadata().map_err(file_error)?.len();
        Self::new(path, Source::File(Mutex::new(file)), len)
    }

    /// A file that is built into the program.
    pub(crate) fn from_bytes(path: &Path, bytes: &'static [u8]) -> Result<Self> {
        Self::new(path, Source::Bytes(bytes), bytes.len() as u64)
    }

    fn new(path: &Path, source: Source, len: u64) -> Result<Self> {
        let read = |offset, n| {
            source
                .read(offset, n)
                .map_err(|source| file_error(path, source))
        };
        let head = read(0, HEAD_BYTES.min(len as usize))?;
        let header_len = header_len(&head, len).map_err(|problem| weights_error(path, problem))?;
        let header = read(PREFIX, header_len as usize)?;
        let start = PREFIX + header_len;
        let metadata =
            parse_header(&header, len - start).map_err(|problem| weights_error(path, problem))?;
        Ok(Self {
            path: path.into(),
            source,
            metadata,
            start,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors' names in the order of the file.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub(crate) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.metadata.info(name)
    }

    /// Numbers of the tensor `name`, which is `info`: those of the range `values` that it has.
    ///
    /// # Errors
    /// They are no floats, or one is NaN or infinite, or the file cannot be read any more.
    pub(crate) fn read_f32(
        &self,
        name: &str,
        info: &TensorInfo,
        values: Range<usize>,
    ) -> Result<Vec<f32>> {
        let Some(floats) = Floats::of(info.dtype) else {
            return Err(Error::TensorDtype {
                path: self.path.clone(),
                name: name.to_owned(),
                dtype: format!("{:?}", info.dtype).to_lowercase(),
            });
        };
        let place =
            |value: usize| (info.data_offsets.0 + value * floats.size()).min(info.data_offsets.1);
        let (start, end) = (place(values.start), place(values.end));
        let mut numbers = Vec::with_capacity((end - start) / floats.size());
        for offset in (start..end).step_by(CHUNK) {
            let n = CHUNK.min(end - offset);
            let bytes = self.source.read(self.start + offset as u64, n);
            let bytes = bytes.map_err(|source| file_error(&self.path, source))?;
            let n_before = numbers.len();
            floats.decode(&bytes, &mut numbers);
            // To the end in any case, which is compiled for vectors as a search for the first is not.
            let is_finite = |all: bool, x: &f32| all & x.is_finite();
            if !numbers[n_before..].iter().fold(true, is_finite) {
                return Err(self.not_finite(name));
            }
        }
        Ok(numbers)
    }

    /// The bytes of the tensor `name`, which is `info`, if its numbers are halves.
    ///
    /// # Errors
    /// One is NaN or infinite, or the file cannot be read any more.
    pub(crate) fn read_halves(
        &self,
        name: &str,
        info: &TensorInfo,
    ) -> Result<Option<Cow<'static, [u8]>>> {
        if info.dtype != Dtype::F16 {
            return Ok(None);
        }
        let bytes = self.read_bytes(name)?;
        let is_finite = |all: bool, half: &[u8; 2]| all & f16::from_le_bytes(*half).is_finite();
        if !bytes.as_chunks().0.iter().fold(true, is_finite) {
            return Err(self.not_finite(name));
        }
        Ok(Some(bytes))
    }

    fn not_finite(&self, name: &str) -> Error {
        Error::NotFinite {
            path: self.path.clone(),
            name: name.to_owned(),
        }
    }

    /// The bytes of the tensor `name`.
    ///
    /// # Errors
    /// There is none of this name, or the file cannot be read any more.
    pub(crate) fn read_bytes(&self, name: &str) -> Result<Cow<'static, [u8]>> {
        let Some(info) = self.info(name) else {
            return Err(weights_error(&self.path, format!("no tensor {name}")));
        };
        let (start, end) = info.data_offsets;
        let bytes = self.source.read(self.start + start as u64, end - start);
        bytes.map_err(|source| file_error(&self.path, source))
    }
}

impl Source {
    fn read(&self, offset: u64, n: usize) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Bytes(bytes) => {
                let start = offset as usize;
                let part = bytes.get(start..start + n);
                part.map(Into::into)
                    .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = vec![0; n];
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// The length of the header, from the first bytes of a file of `len` bytes.
fn header_len(head: &[u8], len: u64) -> std::result::Result<u64, String> {
    let header_len = head.first_chunk().map(|prefix| u64::from_le_bytes(*prefix));
    let short = header_len.filter(|header_len| *header_len <= MAX_HEADER);
    // A length may happen to look like the beginning of another format.
    let begins = |byte: &u8| *byte == b'{' || byte.is_ascii_whitespace();
    let is_safetensors = short.is_some() && head.get(PREFIX as usize).is_some_and(begins);
    if !is_safetensors && let Some(what) = another_format(head) {
        return Err(what.to_owned());
    }
    match (header_len, short) {
        (None, _) => Err(format!(
            "the file is truncated: {len} bytes, not even a header; fetch it again"
        )),
        (Some(header_len), None) => Err(format!(
            "not a safetensors file: its header would be {header_len} bytes long"
        )),
        (_, Some(header_len)) if PREFIX + header_len > len => Err(format!(
            "the file is truncated: {len} bytes, its header alone needs {}; fetch it again",
            PREFIX + header_len
        )),
        (_, Some(header_len)) => Ok(header_len),
    }
}

/// What a file is that is no safetensors file and begins with these bytes.
fn another_format(head: &[u8]) -> Option<&'static str> {
    let torch = head.starts_with(b"PK\x03\x04") || head.starts_with(b"\x80\x02");
    let told = "a PyTorch file, not safetensors; \
                rename it to pytorch_model.bin and run `vestnik model convert`";
    lookalike(head).or(torch.then_some(told))
}

/// Parses a header that `available` bytes of numbers follow.
fn parse_header(header: &[u8], available: u64) -> std::result::Result<Metadata, String> {
    let metadata: Metadata = serde_json::from_slice(header)
        .map_err(|error| format!("the header of the safetensors file is broken: {error}"))?;
    let needed = metadata.data_len() as u64;
    if available < needed {
        return Err(format!(
            "the file is truncated: {available} of {needed} bytes of tensors; fetch it again"
        ));
    }
    if available > needed {
        return Err(format!(
            "the file has {available} bytes of tensors, its header describes {needed}; fetch it again"
        ));
    }
    Ok(metadata)
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.into(),
        source,
    }
}

fn weights_error(path: &Path, problem: String) -> Error {
    Error::Weights {
        path: path.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_look_like_other_formats() {
        // The marks of pickle and gzip.
        for n in [0x0280, 0x8b1f] {
            let mut bytes = (n as u64).to_le_bytes().to_vec();
            bytes.extend(format!("{:n$}", "{}").into_bytes());
            let file = TensorFile::from_bytes(Path::new("x"), bytes.leak());
            assert_eq!(file.map(|file| file.names()).ok(), Some(vec![]), "{n}");
        }
    }
}
