//! Compression of inputs, found by their first bytes, and of outputs, chosen by their name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;

use crate::STDIN;
use crate::problem::Problem;

/// Bytes taken from the system, or from a decoder, at a time.
const BLOCK_BYTES: usize = 128 * 1024;

/// Uncompressed bytes of an input.
pub(crate) type Source = Box<dyn BufRead + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    /// The compression that a file name asks for.
    pub(crate) fn of_name(path: &Path) -> Self {
        match extension(path).as_str() {
            "gz" => Self::Gzip,
            "zst" => Self::Zstd,
            "bz2" => Self::Bzip2,
            "xz" => Self::Xz,
            _ => Self::None,
        }
    }

    /// The extension, with its dot; empty without compression.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
        }
    }

    /// The compression that the first bytes of a file show.
    fn of_head(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, which pzstd and others put first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// First bytes of kinds of files that people pass by mistake.
const UNSUPPORTED: [(&[u8], &str); 3] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
];

/// As many bytes as the longest signature.
const HEAD_BYTES: usize = 6;

/// The last extension of a path, in lower case.
pub(crate) fn extension(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase()
}

/// A path without its `.gz`, `.zst`, `.bz2` or `.xz`.
pub(crate) fn without_compression(path: &Path) -> std::path::PathBuf {
    match Compression::of_name(path) {
        Compression::None => path.to_path_buf(),
        _ => path.with_extension(""),
    }
}

/// How many bytes of its inputs, as they lie on the disk, a reader has taken so far; clones share the count.
///
/// For progress: compare with the sizes of the files.
#[derive(Debug, Clone, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// The number of bytes so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    reader: R,
    count: BytesRead,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.reader.read(buffer)?;
        self.count.0.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

/// Opens a file, or standard input for `-`, and undoes its compression.
pub(crate) fn open(path: &Path, count: &BytesRead) -> Result<Source, Problem> {
    if path == Path::new(STDIN) {
        return decompressed(io::stdin(), count);
    }
    decompressed(File::open(path)?, count)
}

/// Undoes the compression of a stream of bytes.
pub(crate) fn decompressed(
    reader: impl Read + Send + 'static,
    count: &BytesRead,
) -> Result<Source, Problem> {
    let count = count.clone();
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, Counted { reader, count });
    let head = head(&mut reader, HEAD_BYTES)?;
    if let Some((_, found)) = UNSUPPORTED
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
    {
        return Err(Problem::UnsupportedFormat { found });
    }
    let compression = Compression::of_head(&head);
    let whole = Cursor::new(head).chain(reader);
    Ok(decoder(whole, compression)?)
}

fn decoder(reader: impl BufRead + Send + 'static, compression: Compression) -> io::Result<Source> {
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => buffered(MultiGzDecoder::new(reader)),
        Compression::Zstd => buffered(zstd::Decoder::with_buffer(reader)?),
        Compression::Bzip2 => buffered(MultiBzDecoder::new(reader)),
        Compression::Xz => buffered(XzDecoder::new_multi_decoder(reader)),
    })
}

fn buffered(reader: impl Read + Send + 'static) -> Source {
    Box::new(BufReader::with_capacity(BLOCK_BYTES, reader))
}

/// Takes the first bytes of a source, fewer at its end. Waits for no more than it needs, so that a pipe may be slow.
fn head(reader: &mut impl Read, n_bytes: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(n_bytes as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Looks at the first bytes of a source; the returned source gives them again.
pub(crate) fn peek(mut source: Source, n_bytes: usize) -> io::Result<(Vec<u8>, Source)> {
    let head = head(&mut source, n_bytes)?;
    let whole: Source = Box::new(Cursor::new(head.clone()).chain(source));
    Ok((head, whole))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_frame(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 1).unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<String, Problem> {
        let mut source = decompressed(Cursor::new(bytes), &BytesRead::default())?;
        let mut text = String::new();
        source.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn content_decides_about_the_compression() {
        assert_eq!(read(b"plain".to_vec()).unwrap(), "plain");
        assert_eq!(read(Vec::new()).unwrap(), "");
        assert_eq!(read(gzip("вестник")).unwrap(), "вестник");
        assert_eq!(read(zstd_frame("вестник")).unwrap(), "вестник");
    }

    #[test]
    fn members_and_frames_are_joined() {
        assert_eq!(
            read([gzip("a\n"), gzip(""), gzip("b\n")].concat()).unwrap(),
            "a\nb\n"
        );
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
        let frames = [skippable, zstd_frame("a\n"), zstd_frame("b\n")].concat();
        assert_eq!(read(frames).unwrap(), "a\nb\n");
    }

    #[test]
    fn a_cut_file_is_an_error_and_not_a_short_file() {
        for whole in [gzip(&"news ".repeat(100)), zstd_frame(&"news ".repeat(100))] {
            for length in [5, whole.len() / 2, whole.len() - 1] {
                let cut = whole[..length].to_vec();
                assert!(
                    matches!(read(cut), Err(Problem::Unreadable { .. })),
                    "{length} bytes"
                );
            }
        }
    }

    #[test]
    fn unsupported_kinds_are_named() {
        for (magic, name) in UNSUPPORTED {
            let message = read([magic, b"rest of it"].concat())
                .unwrap_err()
                .to_string();
            assert_eq!(
                message,
                format!("found {name}, expected plain text, gzip, zstd, bzip2 or xz")
            );
        }
    }

    #[test]
    fn bytes_are_counted_as_they_lie_on_the_disk() {
        let bytes = gzip(&"news ".repeat(1000));
        let (count, n_bytes) = (BytesRead::default(), bytes.len());
        let mut source = decompressed(Cursor::new(bytes), &count).unwrap();
        io::copy(&mut source, &mut io::sink()).unwrap();
        assert_eq!(count.get(), n_bytes as u64);
    }

    #[test]
    fn peeking_loses_nothing() {
        let source = decompressed(Cursor::new(b"abcdef".to_vec()), &BytesRead::default()).unwrap();
        let (head, mut source) = peek(source, 3).unwrap();
        let mut text = String::new();
        source.read_to_string(&mut text).unwrap();
        assert_eq!((head.as_slice(), text.as_str()), (&b"abc"[..], "abcdef"));
    }
}
