//! A file that only grows, with a hash of all its bytes.

use std::fs::File;
use std::hash::Hasher as _;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::error::{Error, Result};

const BLOCK_BYTES: usize = 128 * 1024;

/// How many bytes, and their hash: XXH64, seed 0, as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hashed {
    pub(super) bytes: u64,
    pub(super) xxh64: String,
}

impl Hashed {
    /// Says when a file is not what it should be.
    pub(super) fn expect(&self, path: &Path, expected: &Self) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        Err(Error::DamagedParts {
            path: path.to_path_buf(),
            reason: format!(
                "it has {} bytes with the hash {}, expected {} with {}",
                self.bytes, self.xxh64, expected.bytes, expected.xxh64
            ),
        })
    }
}

/// Hashes bytes as they come.
#[derive(Clone)]
pub(super) struct Hasher {
    bytes: u64,
    state: XxHash64,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            bytes: 0,
            state: XxHash64::with_seed(0),
        }
    }
}

impl Hasher {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.state.write(bytes);
    }

    pub(super) fn hashed(&self) -> Hashed {
        Hashed {
            bytes: self.bytes,
            xxh64: format!("{:016x}", self.state.finish()),
        }
    }
}

/// Calls `take` with all bytes, a block at a time.
pub(super) fn for_each_block(
    mut reader: impl Read,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(()),
            n_bytes => take(&block[..n_bytes])?,
        }
    }
}

/// A file that only grows.
pub(super) struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Hasher,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|source| Error::io("write", path, source))?;
        Ok(Self::new(path, file, Hasher::default()))
    }

    fn new(path: &Path, file: File, hasher: Hasher) -> Self {
        Self {
            path: path.to_path_buf(),
            file: BufWriter::with_capacity(BLOCK_BYTES, file),
            hasher,
        }
    }

    /// Opens a file again and cuts off what is behind the bytes that are known to be sound.
    pub(super) fn resume(path: &Path, sound: &Hashed) -> Result<Self> {
        let failed = |source| Error::io("open", path, source);
        // Without any bytes that count, the file may have been lost with the power.
        let file = File::options()
            .read(true)
            .write(true)
            .create(sound.bytes == 0)
            .truncate(false)
            .open(path);
        let mut file = file.map_err(failed)?;
        let mut hasher = Hasher::default();
        for_each_block((&mut file).take(sound.bytes), |block| {
            hasher.add(block);
            Ok(())
        })
        .map_err(failed)?;
        hasher.hashed().expect(path, sound)?;
        file.set_len(sound.bytes).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self::new(path, file, hasher))
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.hasher.bytes
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| Error::io("write", &self.path, source))?;
        self.hasher.add(bytes);
        Ok(())
    }

    /// Brings everything to the disk.
    pub(super) fn sync(&mut self) -> Result<Hashed> {
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|source| Error::io("write", &self.path, source))?;
        Ok(self.hasher.hashed())
    }
}
