//! Formats that are folders with files for each document: finding, reading and writing these files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::atomic::write_beside;
use crate::compression::extension;
use crate::error::{Error, Result};
use crate::lines::{BYTE_ORDER_MARK, MAX_LINE_BYTES, is_utf16};
use crate::loss::Loss;
use crate::problem::Problem;
use crate::records::open_file;

/// The longest name of a file, in bytes, without its extension.
const MAX_NAME_BYTES: usize = 200;

/// All files below a folder, sorted, hidden ones left out.
pub(crate) fn all_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
        });
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("read", folder, error.into()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// The files below a folder with one of the extensions.
pub(crate) fn files_below(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = all_files(folder)?;
    files.retain(|file| extensions.contains(&extension(file).as_str()));
    Ok(files)
}

/// The path of a file from a folder on, with `/`.
pub(crate) fn relative_name(folder: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(folder).unwrap_or(file);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// A file as text, without a byte order mark: the text, or the line and the problem.
pub(crate) fn read_whole(
    path: &Path,
) -> Result<std::result::Result<String, (Option<u64>, Problem)>> {
    let mut bytes = Vec::new();
    let limit = MAX_LINE_BYTES as u64 + 1;
    if let Err(error) = open_file(path)?.take(limit).read_to_end(&mut bytes) {
        return Err(Error::io("read", path, error));
    }
    if bytes.len() > MAX_LINE_BYTES {
        let limit = MAX_LINE_BYTES;
        return Ok(Err((None, Problem::TooLong { limit })));
    }
    if is_utf16(&bytes) {
        return Ok(Err((None, Problem::Utf16)));
    }
    Ok(String::from_utf8(bytes)
        .map(|text| match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => rest.to_owned(),
            None => text,
        })
        .map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let start = valid
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |feed| feed + 1);
            let line = valid.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
            let offset = valid.len() - start;
            (Some(line), Problem::InvalidUtf8 { offset })
        }))
}

/// Files that make a folder, and what they could not hold.
#[derive(Debug, Default)]
pub(crate) struct Files {
    contents: BTreeMap<String, String>,
    losses: Vec<Loss>,
}

impl Files {
    /// Adds a file under a name that is not taken.
    pub(crate) fn add(&mut self, name: String, content: String) {
        self.contents.insert(name, content);
    }

    pub(crate) fn lose(&mut self, losses: impl IntoIterator<Item = Loss>) {
        self.losses.extend(losses);
    }

    /// Writes all files; each one is whole or not there.
    pub(crate) fn write(self, folder: &Path, force: bool) -> Result<Vec<Loss>> {
        self.refuse_others(folder, force)?;
        if !folder.is_dir() {
            std::fs::create_dir(folder).map_err(|source| Error::io("make", folder, source))?;
        }
        for (name, content) in &self.contents {
            write_beside(&folder.join(name), |out| out.write_all(content.as_bytes()))?;
        }
        Ok(self.losses)
    }

    /// Documents of another corpus would be taken for a part of this one.
    fn refuse_others(&self, folder: &Path, force: bool) -> Result<()> {
        if !folder.is_dir() {
            return match folder.symlink_metadata() {
                Ok(_) => Err(Error::Exists {
                    path: folder.to_path_buf(),
                }),
                Err(_) => Ok(()),
            };
        }
        let there = all_files(folder)?;
        let mut names = there.iter().map(|file| relative_name(folder, file));
        match names.find(|name| !force || !self.contents.contains_key(name)) {
            None => Ok(()),
            Some(found) => Err(Error::FolderInUse {
                folder: folder.to_path_buf(),
                found,
            }),
        }
    }
}

/// Names for the files of documents: their ids, where these can be names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// The name for an id; another id never has it, however the system compares letters.
    pub(crate) fn name(&mut self, id: &str) -> String {
        let mut name: String = id.chars().map(safe).collect();
        name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
        if name.is_empty() || name.starts_with('.') || is_reserved(&name) {
            name.insert(0, '_');
        }
        if name.ends_with('.') {
            name.push('_');
        }
        let base = name.clone();
        let mut number = 1;
        while !self.taken.insert(name.to_lowercase()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        name
    }
}

/// Characters that no system refuses in names.
fn safe(c: char) -> char {
    let refused = c.is_control() || c.is_whitespace() || "/\\:*?\"<>|".contains(c);
    if refused { '_' } else { c }
}

/// Names of devices on Windows.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']))
    };
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_never_taken_twice() {
        let mut names = Names::default();
        let ids = ["a/b", "a:b", "A_B", "", "..", "nul.x", "София 1", "a."];
        let found: Vec<String> = ids.iter().map(|id| names.name(id)).collect();
        assert_eq!(
            found,
            [
                "a_b",
                "a_b_2",
                "A_B_3",
                "_",
                "_.._",
                "_nul.x",
                "София_1",
                "a._"
            ]
        );
        let long = "щ".repeat(300);
        assert_eq!(names.name(&long).len(), 200);
        assert_eq!(names.name(&long).len(), 202);
    }

    #[test]
    fn a_folder_with_other_files_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("out");
        let files = || {
            let mut files = Files::default();
            files.add("a.txt".to_owned(), "a".to_owned());
            files
        };
        files().write(&folder, false).unwrap();
        assert!(files().write(&folder, false).is_err());
        files().write(&folder, true).unwrap();
        std::fs::write(folder.join("b.ann"), "").unwrap();
        let error = files().write(&folder, true).unwrap_err();
        assert!(error.to_string().contains("holds b.ann already"), "{error}");
    }
}
