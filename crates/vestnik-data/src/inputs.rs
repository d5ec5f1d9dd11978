//! The files behind the inputs of a program: files, folders of files, and standard input.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::{DirEntry, WalkDir};

use crate::STDIN;
use crate::error::{Error, Result};
use crate::issue::Issue;
use crate::lines::without_byte_order_mark;
use crate::records::file_name;
use crate::sources::InputFormat;

/// How far into a file to look for what it is.
pub(crate) const PEEKED_BYTES: usize = 512;

/// Whether the first character that is no white space opens an object or an array.
pub(crate) fn starts_like_json(head: &[u8]) -> bool {
    let head = without_byte_order_mark(head);
    matches!(head.trim_ascii_start(), [b'{' | b'[', ..])
}

/// A file with articles.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    /// Its name; inside a folder that was given, its path from there, with `/`.
    pub(crate) name: String,
}

type FoundFile = std::result::Result<InputFile, Issue>;

/// Iterates over the files of all inputs in the order given; the files of a folder are sorted by name.
pub(crate) struct Inputs {
    paths: VecDeque<PathBuf>,
    /// Places that are left out of folders.
    outputs: Arc<[PathBuf]>,
    folder: Option<Box<dyn Iterator<Item = FoundFile> + Send>>,
}

impl Inputs {
    /// Checks that every input exists and that every folder holds articles. `outputs` that lie in a folder are no inputs.
    pub(crate) fn new(paths: &[PathBuf], outputs: &[PathBuf]) -> Result<Self> {
        let outputs: Arc<[PathBuf]> = outputs.iter().map(|path| place_of(path)).collect();
        paths.iter().try_for_each(|path| check(path, &outputs))?;
        Ok(Self {
            paths: paths.iter().cloned().collect(),
            outputs,
            folder: None,
        })
    }
}

impl Iterator for Inputs {
    type Item = FoundFile;

    fn next(&mut self) -> Option<FoundFile> {
        loop {
            if let Some(file) = self.folder.as_mut().and_then(Iterator::next) {
                return Some(file);
            }
            let path = self.paths.pop_front()?;
            if !path.is_dir() {
                let name = file_name(&path);
                return Some(Ok(InputFile { path, name }));
            }
            self.folder = Some(Box::new(articles_of(path, self.outputs.clone())));
        }
    }
}

/// Paths with patterns (`*`, `?`, `[a-z]`, `**`) replaced by the files that they fit, sorted; a path that exists as it is
/// stays what it is.
///
/// # Errors
/// [`Error::NotFound`] for a pattern that nothing fits.
pub fn expand_patterns(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut expanded = Vec::with_capacity(paths.len());
    for path in paths {
        let pattern = path
            .to_str()
            .filter(|text| text.contains(['*', '?', '[']) && !path.exists());
        let Some(found) = pattern.and_then(|pattern| glob::glob(pattern).ok()) else {
            expanded.push(path.clone());
            continue;
        };
        let before = expanded.len();
        expanded.extend(found.flatten());
        if expanded.len() == before {
            return Err(Error::NotFound { path: path.clone() });
        }
    }
    Ok(expanded)
}

/// Where a file is, or would be, whatever leads to it: two paths to one place are equal.
#[must_use]
pub fn place_of(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let of_new_file = || Some(folder.canonicalize().ok()?.join(path.file_name()?));
    let place = path.canonicalize().ok().or_else(of_new_file);
    place.unwrap_or_else(|| path.to_path_buf())
}

fn check(path: &Path, outputs: &Arc<[PathBuf]>) -> Result<()> {
    if path == Path::new(STDIN) {
        return Ok(());
    }
    let metadata = std::fs::metadata(path).map_err(|source| Error::io("open", path, source))?;
    if metadata.is_dir()
        && articles_of(path.to_path_buf(), outputs.clone())
            .next()
            .is_none()
    {
        return Err(Error::NoArticles {
            folder: path.to_path_buf(),
        });
    }
    Ok(())
}

/// The files with articles below a folder, hidden files and folders and outputs left out.
fn articles_of(folder: PathBuf, outputs: Arc<[PathBuf]>) -> impl Iterator<Item = FoundFile> + Send {
    let entries = WalkDir::new(&folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    let entries = entries.filter_entry(move |entry| {
        entry.depth() == 0 || !(is_hidden(entry) || is_among(entry, &outputs))
    });
    entries.filter_map(move |entry| match entry {
        Ok(entry) if entry.file_type().is_file() => {
            article_file(&folder, entry.into_path()).map(Ok)
        }
        Ok(_) => None,
        Err(error) => Some(Err(walk_issue(&folder, error))),
    })
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Whether an entry is one of these places. The system is only asked about links and names that are those of a place.
fn is_among(entry: &DirEntry, places: &[PathBuf]) -> bool {
    let may_be =
        |place: &PathBuf| entry.path_is_symlink() || place.file_name() == Some(entry.file_name());
    places.iter().any(may_be) && places.contains(&place_of(entry.path()))
}

fn article_file(folder: &Path, path: PathBuf) -> Option<InputFile> {
    InputFormat::of_name(&path)?;
    let relative = path.strip_prefix(folder).unwrap_or(&path);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    Some(InputFile {
        name: parts.join("/"),
        path,
    })
}

fn walk_issue(folder: &Path, error: walkdir::Error) -> Issue {
    let path = error.path().unwrap_or(folder).to_path_buf();
    Issue::of_file(&path, io::Error::from(error).into())
}

/// All files of inputs, in the order in which they are read; `-` stays what it is. `outputs` that lie in a folder of them are
/// left out.
///
/// # Errors
/// As [`ArticleReader::open`](crate::ArticleReader::open), and [`Error::Input`] for a folder that cannot be read.
pub fn input_files(paths: &[PathBuf], outputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let files = Inputs::new(paths, outputs)?;
    let paths = files.map(|file| Ok(file?.path));
    paths.collect()
}

/// The size of all inputs as they lie on the disk, in bytes; `None` when standard input is among them.
pub(crate) fn total_bytes(paths: &[PathBuf]) -> Option<u64> {
    if paths.iter().any(|path| path == Path::new(STDIN)) {
        return None;
    }
    let files = Inputs {
        paths: paths.iter().cloned().collect(),
        outputs: Arc::default(),
        folder: None,
    }
    .flatten();
    let sizes = files.filter_map(|file| std::fs::metadata(file.path).ok());
    Some(sizes.map(|metadata| metadata.len()).sum())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn folders_are_read_sorted_with_their_subfolders() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b.txt",
            "a/2.jsonl.gz",
            "a/10.TXT",
            "c.doc",
            ".hidden.txt",
            ".git/x.txt",
            "z.json.zst",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let inputs = [folder.path().to_path_buf()];
        let names = |outputs: &[PathBuf]| {
            let files = Inputs::new(&inputs, outputs).unwrap();
            files.map(|file| file.unwrap().name).collect::<Vec<_>>()
        };
        let all = ["a/10.TXT", "a/2.jsonl.gz", "b.txt", "z.json.zst"];
        assert_eq!(names(&[]), all);
        let outputs = ["a/../b.txt", "z.json.zst", "new.jsonl"];
        let outputs = outputs.map(|name| folder.path().join(name));
        assert_eq!(names(&outputs), all[..2]);
        assert_eq!(names(&[folder.path().join("a")]), all[2..]);
        assert_eq!(total_bytes(&inputs), Some(4));
        assert_eq!(total_bytes(&[PathBuf::from("-")]), None);
    }

    #[test]
    fn patterns_are_replaced_by_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2.jsonl", "1.jsonl", "[x].jsonl", "a.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let expanded = |name: &str| expand_patterns(&[folder.path().join(name)]);
        let names =
            |found: Vec<PathBuf>| found.iter().map(|path| file_name(path)).collect::<Vec<_>>();
        assert_eq!(
            names(expanded("[0-9].jsonl").unwrap()),
            ["1.jsonl", "2.jsonl"]
        );
        assert_eq!(names(expanded("[x].jsonl").unwrap()), ["[x].jsonl"]);
        assert_eq!(names(expanded("missing").unwrap()), ["missing"]);
        assert!(matches!(expanded("*.csv"), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_folder_without_articles_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("readme.md"), "x").unwrap();
        let error = Inputs::new(&[folder.path().to_path_buf()], &[])
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, Error::NoArticles { folder: found } if found == folder.path()));
    }

    #[test]
    fn inputs_are_checked_before_any_is_read() {
        let missing = PathBuf::from("no/such/file.jsonl");
        let error = Inputs::new(&[PathBuf::from("-"), missing], &[])
            .map(drop)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no/such/file.jsonl: no such file or folder"
        );
    }
}
