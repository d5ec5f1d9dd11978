//! Fetching from a hub on this machine, one that behaves and one that does not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod failures;
mod fetching;
mod refusals;
mod server;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use server::Server;
use tempfile::TempDir;
use vestnik_hub::{Error, Hub, ModelName, Snapshot, Weights};

/// A model small enough for tests, large enough to break in the middle.
pub(crate) fn weights() -> Vec<u8> {
    (0..200_000_u32).map(|i| (i % 251) as u8).collect()
}

/// A hub with the model `org/news` and an empty cache.
pub(crate) struct World {
    pub(crate) server: Server,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            server: Server::start(),
            folder: TempDir::new().unwrap(),
        };
        world.server.publish(
            "org/news",
            &[
                ("README.md", b"# News"),
                ("config.json", b"{}"),
                ("tokenizer.json", b"{\"version\":\"1.0\"}"),
                ("model.safetensors", &weights()),
                ("onnx/model.onnx", b"not needed"),
                ("pytorch_model.bin", b"not needed either"),
            ],
        );
        world
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(&self.server.endpoint(), self.cache())
            .unwrap()
            .with_retries(3, Duration::from_millis(1))
            .with_timeout(Duration::from_secs(20))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// The folder of a model in the cache.
    pub(crate) fn model_folder(&self, id: &str) -> PathBuf {
        self.cache()
            .join(format!("models--{}", id.replace('/', "--")))
    }

    pub(crate) fn fetch(&self, name: &str) -> Result<Snapshot, Error> {
        fetch(&self.hub(), name)
    }

    pub(crate) fn error(&self, name: &str) -> String {
        // The port is another one in every run.
        let error = self.fetch(name).unwrap_err().to_string();
        error.replace(&self.server.endpoint(), "HUB")
    }
}

pub(crate) fn fetch(hub: &Hub, name: &str) -> Result<Snapshot, Error> {
    let name = ModelName::parse(name)?;
    hub.fetch(&name, Weights::Safetensors, &mut |_| ())
}

/// Names of all files below a folder, sorted, with `/`; links are not followed.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = vec![];
    walk(folder, "", &mut names);
    names.sort();
    names
}
