//! The hash that the hub gives for a file, as its entity tag.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::name::is_hex;

/// How the entity tag of a file is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    /// SHA-256 of the bytes: files in large-file storage.
    Sha256,
    /// SHA-1 as git names its blobs, of `blob SIZE\0` and the bytes: all other files.
    GitBlob,
}

impl Digest {
    /// What an entity tag is, by its length; `None` where a server gives something of its own.
    pub(crate) fn of_etag(etag: &str) -> Option<Self> {
        match etag.len() {
            64 if is_hex(etag) => Some(Self::Sha256),
            40 if is_hex(etag) => Some(Self::GitBlob),
            _ => None,
        }
    }

    /// The digest of a file in hexadecimal.
    pub(crate) fn of_file(self, path: &Path) -> io::Result<String> {
        let file = File::open(path)?;
        match self {
            Self::Sha256 => digest(file, Sha256::new()),
            Self::GitBlob => {
                let header = format!("blob {}\0", file.metadata()?.len());
                digest(file, sha1::Sha1::new_with_prefix(header))
            }
        }
    }
}

fn digest<D: sha2::Digest>(mut reader: impl Read, mut digest: D) -> io::Result<String> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&digest.finalize())),
            n => digest.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: `printf 'hello\n' | sha256sum` and `… | git hash-object --stdin`.
    #[test]
    fn digests_agree_with_the_tools_that_made_the_names() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        for etag in [sha256, git] {
            let digest = Digest::of_etag(etag).unwrap();
            assert_eq!(digest.of_file(file.path()).unwrap(), etag);
        }
        assert_eq!(Digest::of_etag("abc"), None);
        assert_eq!(Digest::of_etag(&"g".repeat(40)), None);
    }
}
