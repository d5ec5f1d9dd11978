//! Hashes of files, so that a run can say which data it saw.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};
use twox_hash::XxHash64;
use vestnik_core::Document;

use crate::error::{Error, Result};
use crate::files::{all_files, relative_name};

/// Computes the SHA-256 of a file's bytes as they lie on the disk, as 64 lower-case hexadecimal digits.
///
/// For a folder it is the hash of the names and hashes of all files in it, in the order of their names: a line
/// `hash  name` each. Memory does not depend on the size of the file.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Io`] when the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    if path.is_dir() {
        return sha256_folder(path);
    }
    let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
    sha256(BufReader::new(file)).map_err(|source| Error::io("read", path, source))
}

fn sha256_folder(folder: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for file in all_files(folder)? {
        let name = relative_name(folder, &file);
        hasher.update(format!("{}  {name}\n", sha256_file(&file)?));
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// Computes a SHA-256 of the texts, spans and labels of documents, whatever their order, ids and other fields: it tells
/// whether two corpora give the same examples.
#[must_use]
pub fn sha256_documents<'a>(documents: impl IntoIterator<Item = &'a Document>) -> String {
    let mut hashes: Vec<_> = documents.into_iter().map(sha256_document).collect();
    hashes.sort_unstable();
    let mut hasher = Sha256::new();
    hashes.iter().for_each(|hash| hasher.update(hash));
    hexadecimal(&hasher.finalize())
}

fn sha256_document(document: &Document) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((document.text().len() as u64).to_le_bytes());
    hasher.update(document.text());
    let mut entities: Vec<_> = document
        .entities()
        .iter()
        .map(|entity| (entity.span, &entity.label))
        .collect();
    entities.sort_unstable();
    for (span, label) in entities {
        hasher.update(format!("{span} {}:{label}\n", label.len()));
    }
    hasher.finalize().into()
}

/// A quick hash of bytes (XXH64, seed 0): the same on every machine and in every version.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// A hash of records in their order. Shown as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordHash(u64);

impl RecordHash {
    /// Adds the hash of the next record.
    pub(crate) fn add(&mut self, hash: u64) {
        self.0 = (self.0.rotate_left(23) ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// How many blocks of a file its fingerprint is made of, and their length in bytes.
const BLOCKS: u64 = 16;
const BLOCK_BYTES: u64 = 64 * 1024;

/// Computes a hash of the size of a file and of 16 blocks of 64 KiB that are spread over it: it tells files of any size
/// apart in no time, unless they differ in few bytes only.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::Io`] when the file cannot be read.
pub fn fingerprint(path: &Path) -> Result<String> {
    let read = |mut file: File| -> std::io::Result<String> {
        let size = file.metadata()?.len();
        let mut hasher = Sha256::new();
        hasher.update(size.to_le_bytes());
        let step = size.saturating_sub(BLOCK_BYTES) / (BLOCKS - 1);
        let n_blocks = if step == 0 { 1 } else { BLOCKS };
        for block in 0..n_blocks {
            let mut bytes = Vec::new();
            let last = block + 1 == BLOCKS;
            let start = if last {
                size - BLOCK_BYTES
            } else {
                block * step
            };
            file.seek(SeekFrom::Start(start))?;
            (&mut file).take(BLOCK_BYTES).read_to_end(&mut bytes)?;
            hasher.update(&bytes);
        }
        Ok(hexadecimal(&hasher.finalize()[..16]))
    };
    let file = File::open(path).map_err(|source| Error::io("open", path, source))?;
    read(file).map_err(|source| Error::io("read", path, source))
}

fn sha256(mut reader: impl Read) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            n_bytes => hasher.update(&block[..n_bytes]),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_equal_the_published_examples() {
        assert_eq!(
            sha256(&b"abc"[..]).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256(&b""[..]).unwrap(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn documents_are_hashed_in_any_order() {
        use vestnik_core::{Entity, Span};
        let document = |id: &str, labels: [&str; 2]| {
            let mut document = Document::new(id, "Sofia");
            for label in labels {
                let span = Span::new(0, 5).unwrap();
                document.push_entity(Entity::new(span, label)).unwrap();
            }
            document
        };
        let (a, b) = (document("1", ["LOC", "PER"]), document("2", ["LOC", "LOC"]));
        let hash = sha256_documents([&a, &b]);
        assert_eq!(sha256_documents([&b, &a]), hash);
        assert_eq!(sha256_documents([&b, &document("3", ["PER", "LOC"])]), hash);
        assert_ne!(sha256_documents([&a]), sha256_documents([&b]));
        assert_ne!(sha256_documents([&a, &a]), hash);
    }

    #[test]
    fn a_folder_is_hashed_by_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "abc").unwrap();
        let hash = sha256_file(folder.path()).unwrap();
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(sha256_file(folder.path()).unwrap(), hash);
    }

    #[test]
    fn fingerprints_see_the_size_and_the_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        let of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            fingerprint(&path).unwrap()
        };
        let mut bytes = vec![b'a'; 3_000_000];
        let whole = of(&bytes);
        assert_eq!(of(&bytes), whole);
        assert_ne!(of(&bytes[1..]), whole);
        *bytes.last_mut().unwrap() = b'b';
        assert_ne!(of(&bytes), whole);
        assert_ne!(of(b"a"), of(b"b"));
    }

    #[test]
    fn the_order_of_records_counts() {
        let chain = |hashes: [u64; 3]| {
            let mut chain = RecordHash::default();
            hashes.into_iter().for_each(|hash| chain.add(hash));
            chain
        };
        assert_ne!(chain([1, 2, 3]), chain([2, 1, 3]));
        assert_eq!(chain([1, 2, 3]).to_string().len(), 16);
        // The published hash of no bytes.
        assert_eq!(hash_bytes(b""), 0xef46_db37_51d8_e999);
    }

    #[test]
    fn a_file_is_hashed_in_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("million");
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(
            sha256_file(&path).unwrap(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        let missing = folder.path().join("missing");
        assert!(matches!(sha256_file(&missing), Err(Error::NotFound { .. })));
    }
}
