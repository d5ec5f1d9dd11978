//! Files that are complete under their name, or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use liblzma::write::XzEncoder;
use tempfile::{Builder, TempPath};

use crate::compression::Compression;
use crate::error::{Error, Result};
use crate::records::file_name;

/// Bytes handed to the system at a time.
const BLOCK_BYTES: usize = 128 * 1024;

/// A file being written: into a temporary file beside its place, which takes the place at [`AtomicFile::commit`].
///
/// A name in `.gz`, `.zst`, `.bz2` or `.xz` compresses. An earlier file of the name stays as it is until the commit; without a commit
/// the temporary file is removed when this value is dropped. A name that is a link is followed, and a name that is no
/// regular file, such as `/dev/null` or a pipe, is written to directly.
pub struct AtomicFile {
    path: PathBuf,
    encoder: Encoder,
    /// The temporary file and the place for it; `None` for what is written to directly.
    replacement: Option<Replacement>,
}

struct Replacement {
    temporary: TempPath,
    place: PathBuf,
}

/// The level that `xz` has by default.
const XZ_LEVEL: u32 = 6;

/// Compresses into a file.
pub(crate) enum Encoder {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    Bzip2(BzEncoder<BufWriter<File>>),
    Xz(XzEncoder<BufWriter<File>>),
}

impl AtomicFile {
    /// Starts a file. An earlier file of the name will be replaced: see [`refuse_existing`].
    ///
    /// # Errors
    /// [`Error::NoSuchFolder`], [`Error::IsFolder`], or [`Error::Io`] when the temporary file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, Compression::of_name(path))
    }

    /// Starts a file as [`AtomicFile::create`] does, of bytes that are compressed already if its name says so.
    ///
    /// # Errors
    /// As [`AtomicFile::create`].
    pub fn create_as_is(path: &Path) -> Result<Self> {
        Self::create_with(path, Compression::None)
    }

    fn create_with(path: &Path, compression: Compression) -> Result<Self> {
        let failed = |source| Error::io("write", path, source);
        let (file, replacement) = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::IsFolder {
                    path: path.to_path_buf(),
                });
            }
            Ok(metadata) if metadata.is_file() => {
                beside(path, path.canonicalize().map_err(failed)?)?
            }
            Ok(_) => (
                File::options().write(true).open(path).map_err(failed)?,
                None,
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => beside(path, path.into())?,
            Err(error) => return Err(failed(error)),
        };
        let encoder = Encoder::new(file, compression).map_err(failed)?;
        Ok(Self {
            path: path.to_path_buf(),
            encoder,
            replacement,
        })
    }

    /// The name that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the file: everything reaches the disk, and then the file takes its name in one step.
    ///
    /// # Errors
    /// [`Error::Io`]; an earlier file of the name is then as it was.
    pub fn commit(self) -> Result<()> {
        let Self {
            path,
            encoder,
            replacement,
        } = self;
        let failed = |source| Error::io("write", &path, source);
        let file = encoder.finish().map_err(failed)?;
        let Some(Replacement { temporary, place }) = replacement else {
            return Ok(());
        };
        file.sync_all().map_err(failed)?;
        temporary
            .persist(&place)
            .map_err(|error| failed(error.error))?;
        sync_folder(&place).map_err(failed)
    }
}

/// Makes the temporary file for a place.
fn beside(path: &Path, place: PathBuf) -> Result<(File, Option<Replacement>)> {
    let folder = folder_of(&place);
    if !folder.is_dir() {
        let folder = folder.to_path_buf();
        return Err(Error::NoSuchFolder {
            path: path.to_path_buf(),
            folder,
        });
    }
    let prefix = format!(".{}.", file_name(&place));
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(".partial");
    share(&mut builder);
    let file = builder
        .tempfile_in(folder)
        .map_err(|source| Error::io("write", path, source))?;
    let (file, temporary) = file.into_parts();
    Ok((file, Some(Replacement { temporary, place })))
}

/// Lets others read the file as the user's mask says, as any new file; temporary files are private otherwise.
#[cfg(unix)]
fn share(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn share(_: &mut Builder<'_, '_>) {}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the new name itself survive a loss of power.
#[cfg(unix)]
pub(crate) fn sync_folder(place: &Path) -> io::Result<()> {
    File::open(folder_of(place))?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encoder.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

impl Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Bzip2(encoder) => encoder.write(bytes),
            Self::Xz(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Bzip2(encoder) => encoder.flush(),
            Self::Xz(encoder) => encoder.flush(),
        }
    }
}

impl Encoder {
    pub(crate) fn new(file: File, compression: Compression) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BLOCK_BYTES, file);
        Ok(match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstd => {
                Self::Zstd(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?)
            }
            Compression::Bzip2 => Self::Bzip2(BzEncoder::new(file, bzip2::Compression::default())),
            Compression::Xz => Self::Xz(XzEncoder::new(file, XZ_LEVEL)),
        })
    }

    pub(crate) fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Bzip2(encoder) => encoder.finish()?,
            Self::Xz(encoder) => encoder.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Writes a whole file through [`AtomicFile`]: it is there when `write` and the commit succeed, else nothing changes.
///
/// # Errors
/// Those of [`AtomicFile`]; an error of `write` comes as [`Error::Io`].
pub fn write_beside<T>(
    path: &Path,
    write: impl FnOnce(&mut AtomicFile) -> io::Result<T>,
) -> Result<T> {
    let mut file = AtomicFile::create(path)?;
    let value = write(&mut file).map_err(|source| Error::io("write", path, source))?;
    file.commit()?;
    Ok(value)
}

/// Refuses an output that exists, unless `force` is set. Devices and pipes are never in the way.
///
/// # Errors
/// [`Error::Exists`] for a file, [`Error::IsFolder`] for a folder, which not even `force` overwrites.
pub fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    let path_buf = path.to_path_buf();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(Error::IsFolder { path: path_buf }),
        Ok(metadata) if metadata.is_file() && !force => Err(Error::Exists { path: path_buf }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_appears_at_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["out.jsonl"]);
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["out", "out.gz", "out.zst"] {
            let path = folder.path().join(name);
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(b"partial").unwrap();
            assert_eq!(names(folder.path()).len(), 1);
            drop(file);
            let failed = write_beside(&path, |_| Err::<(), _>(io::Error::other("no more news")));
            assert_eq!(
                failed.unwrap_err().to_string(),
                format!("cannot write {}", path.display())
            );
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn the_place_must_be_a_file_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| AtomicFile::create(path).map(drop).unwrap_err();
        assert!(matches!(error(folder.path()), Error::IsFolder { .. }));
        let lost = folder.path().join("lost/out");
        assert!(matches!(error(&lost), Error::NoSuchFolder { .. }));
    }

    #[test]
    fn an_existing_output_is_refused_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        refuse_existing(&path, false).unwrap();
        fs::write(&path, "").unwrap();
        assert!(matches!(
            refuse_existing(&path, false),
            Err(Error::Exists { .. })
        ));
        refuse_existing(&path, true).unwrap();
        assert!(matches!(
            refuse_existing(folder.path(), true),
            Err(Error::IsFolder { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_stay_devices() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_beside(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        refuse_existing(&null, false).unwrap();
        write_beside(&null, |out| out.write_all(b"lost")).unwrap();
        assert!(null.is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_as_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let path = folder.path().join(name);
            fs::metadata(path).unwrap().permissions().mode()
        };
        fs::write(folder.path().join("plain"), "").unwrap();
        write_beside(&folder.path().join("beside"), |out| out.write_all(b"")).unwrap();
        assert_eq!(mode("plain"), mode("beside"));
    }
}
