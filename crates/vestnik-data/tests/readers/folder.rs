//! A temporary folder with files for one test.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use tempfile::TempDir;
use vestnik_data::{Issue, write_beside};

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes text compressed as the name says.
    pub(crate) fn write_compressed(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        write_beside(&path, |out| out.write_all(text.as_bytes())).unwrap();
        path
    }

    /// Messages, one a line, without the name of this folder.
    pub(crate) fn messages(&self, messages: impl IntoIterator<Item = impl ToString>) -> String {
        let here = format!("{}/", self.0.path().display());
        let messages = messages
            .into_iter()
            .map(|message| message.to_string().replace(&here, ""));
        messages.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn issues(&self, issues: &[Issue]) -> String {
        self.messages(issues)
    }
}
