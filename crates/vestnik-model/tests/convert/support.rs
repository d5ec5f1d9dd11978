//! A model directory with a PyTorch file in it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vestnik_model::{Converted, DType, Result, convert};

/// A directory with `model`, which has a configuration and a tokenizer but no weights yet.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// With the fixture `file` as `pytorch_model.bin`.
    pub(crate) fn with(file: &str) -> Self {
        let new = Self::empty();
        new.copy(&torch(file), "pytorch_model.bin");
        new
    }

    pub(crate) fn empty() -> Self {
        let new = Self {
            folder: TempDir::new().unwrap(),
        };
        std::fs::create_dir(new.path("model")).unwrap();
        for name in ["config.json", "tokenizer.json"] {
            new.copy(&fixture("bert").join(name), name);
        }
        new
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path("model").join(name), bytes).unwrap();
    }

    pub(crate) fn copy(&self, from: &Path, name: &str) {
        self.write(name, std::fs::read(from).unwrap());
    }

    pub(crate) fn convert(&self) -> Result<Converted> {
        self.convert_to(None)
    }

    pub(crate) fn convert_to(&self, dtype: Option<DType>) -> Result<Converted> {
        convert(&self.path("model"), &self.path("new"), dtype)
    }

    /// The message with which the model is refused, without the path of the folder; nothing is left behind.
    pub(crate) fn refusal(&self) -> String {
        let error = self.convert().unwrap_err().to_string();
        let left: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["model"], "{error}");
        error.replace(&self.path("model").display().to_string(), "DIR")
    }
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub(crate) fn torch(name: &str) -> PathBuf {
    fixture("torch").join(name)
}
