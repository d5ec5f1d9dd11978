//! Files mapped into memory: the only unsafe code of this crate.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The bytes of a file, read by the system as they are asked for and dropped again when memory is short: however large
/// the file, it takes no memory that anything else needs.
#[derive(Debug, Clone)]
pub(crate) struct MappedFile {
    /// `None` for an empty file, which some systems cannot map.
    map: Option<Arc<Mmap>>,
}

impl MappedFile {
    /// Maps a file that nothing writes to any more: files of caches appear complete under their names and are replaced,
    /// not changed.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or mapped.
    #[expect(
        unsafe_code,
        reason = "mapping a file is unsafe for what others may do to it"
    )]
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = || Error::io("read", path);
        let file = File::open(path).map_err(failed())?;
        if file.metadata().map_err(failed())?.len() == 0 {
            return Ok(Self { map: None });
        }
        // SAFETY: the bytes are only read, as `u8`, for which every value is valid. They stay the same while they are
        // borrowed, since this program writes caches beside their place and renames them; a replaced or deleted file
        // stays mapped as it was. Another program that truncates the file in place can end this one with a signal.
        let map = unsafe { Mmap::map(&file) }.map_err(failed())?;
        Ok(Self {
            map: Some(Arc::new(map)),
        })
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.map.as_deref().map_or(&[], |map| &map[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for bytes in [&b""[..], b"abc"] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(MappedFile::open(&path).unwrap().bytes(), bytes);
        }
        let missing = MappedFile::open(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }), "{missing}");
    }
}
