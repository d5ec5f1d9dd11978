//! Offline: what the cache holds, and what it lacks.

use std::fs;

use vestnik_hub::{Error, Hub};

use crate::server::COMMIT;
use crate::{World, fetch};

fn offline(world: &World) -> Hub {
    world.hub().with_offline(true)
}

/// The name of the file that is missing, offline.
fn missing(world: &World, name: &str) -> (String, std::path::PathBuf) {
    match fetch(&offline(world), name).unwrap_err() {
        Error::Offline { file, folder, .. } => (file, folder),
        error => panic!("{error}"),
    }
}

#[test]
fn offline_finds_what_was_fetched_and_opens_no_connection() {
    let world = World::new();
    let (file, folder) = missing(&world, "org/news");
    assert_eq!(file, "config.json");
    assert_eq!(folder, world.model_folder("org/news"));
    assert_eq!(world.server.connections(), 0);
    let fetched = world.fetch("org/news").unwrap();
    let connections = world.server.connections();
    for name in ["org/news", &format!("org/news@{COMMIT}")] {
        assert_eq!(fetch(&offline(&world), name).unwrap(), fetched);
    }
    assert_eq!(missing(&world, "org/news@v2").0, "config.json");
    assert_eq!(world.server.connections(), connections);
}

#[test]
fn offline_names_each_missing_file() {
    let world = World::new();
    let snapshot = world.fetch("org/news").unwrap();
    for name in ["model.safetensors", "tokenizer.json", "config.json"] {
        fs::remove_file(snapshot.path.join(name)).unwrap();
        assert_eq!(
            missing(&world, "org/news"),
            (name.to_owned(), snapshot.path.clone())
        );
    }
}

#[test]
fn a_tokenizer_that_the_repository_lacks_is_not_missed() {
    let world = World::new();
    let files: &[(&str, &[u8])] = &[("config.json", b"{}"), ("model.safetensors", b"w")];
    world.server.publish("org/bare", files);
    world.fetch("org/bare").unwrap();
    fetch(&offline(&world), "org/bare").unwrap();
}

#[test]
fn a_link_without_its_bytes_is_fetched_again() {
    let world = World::new();
    let snapshot = world.fetch("org/news").unwrap();
    let weights = snapshot.path.join("model.safetensors");
    fs::remove_file(fs::canonicalize(&weights).unwrap()).unwrap();
    assert_eq!(missing(&world, "org/news").0, "model.safetensors");
    world.fetch("org/news").unwrap();
    assert!(weights.is_file());
}

/// As `huggingface_hub` 2.4 leaves it: a reference without line end, links, no note of what is absent.
#[test]
#[cfg(unix)]
fn what_python_fetched_is_found() {
    let world = World::new();
    let folder = world.model_folder("org/theirs");
    let snapshot = folder.join("snapshots").join(COMMIT);
    for part in ["blobs", "refs"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(folder.join("refs/main"), COMMIT).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::write(folder.join("blobs").join(name), name).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{name}"), snapshot.join(name)).unwrap();
    }
    let found = fetch(&offline(&world), "org/theirs").unwrap();
    assert_eq!(found.path, snapshot);
    assert_eq!(found.files.len(), 3);
}
