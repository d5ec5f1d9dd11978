//! Which files are fetched, when, and how they lie in the cache.

use std::fs;

use vestnik_hub::{Error, Event, ModelName, Weights};

use crate::server::{COMMIT, git_blob, sha256};
use crate::{World, fetch, tree, weights};

#[test]
fn only_what_is_needed_is_fetched_and_laid_out_as_python_does() {
    let world = World::new();
    let snapshot = world.fetch("org/news").unwrap();
    let folder = world.model_folder("org/news");
    assert_eq!(snapshot.commit, COMMIT);
    assert_eq!(snapshot.path, folder.join("snapshots").join(COMMIT));
    let mut expected = vec![
        format!("blobs/{}", git_blob(b"{}")),
        format!("blobs/{}", git_blob(b"{\"version\":\"1.0\"}")),
        format!("blobs/{}", sha256(&weights())),
        "refs/main".to_owned(),
    ];
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        expected.push(format!("snapshots/{COMMIT}/{name}"));
    }
    for name in [
        "special_tokens_map.json",
        "tokenizer_config.json",
        "vestnik.json",
    ] {
        expected.push(format!(".no_exist/{COMMIT}/{name}"));
    }
    expected.sort();
    assert_eq!(tree(&folder), expected);
    assert_eq!(
        fs::read_to_string(folder.join("refs/main")).unwrap(),
        COMMIT
    );
    assert_eq!(
        fs::read(snapshot.path.join("model.safetensors")).unwrap(),
        weights()
    );
    let names: Vec<(&str, u64)> = snapshot
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.size))
        .collect();
    assert_eq!(
        names,
        [
            ("config.json", 2),
            ("tokenizer.json", 17),
            ("model.safetensors", 200_000)
        ]
    );
    assert!(!world.server.log().iter().any(|request| {
        ["README.md", ".onnx", ".bin"]
            .iter()
            .any(|end| request.path.ends_with(end))
    }));
}

#[test]
#[cfg(unix)]
fn links_are_relative() {
    let world = World::new();
    let snapshot = world.fetch("org/news").unwrap();
    let target = fs::read_link(snapshot.path.join("config.json")).unwrap();
    assert_eq!(
        target.to_str().unwrap(),
        format!("../../blobs/{}", git_blob(b"{}"))
    );
}

#[test]
fn what_is_in_the_cache_is_not_downloaded_again() {
    let world = World::new();
    let first = world.fetch("org/news").unwrap();
    world.server.clear_log();
    assert_eq!(world.fetch("org/news").unwrap(), first);
    let paths: Vec<String> = world.server.log().into_iter().map(|r| r.path).collect();
    assert_eq!(paths, ["/api/models/org/news/revision/main"]);
}

#[test]
fn a_commit_in_the_cache_needs_no_network() {
    let world = World::new();
    let first = world.fetch("org/news").unwrap();
    let connections = world.server.connections();
    let name = format!("org/news@{COMMIT}");
    assert_eq!(world.fetch(&name).unwrap(), first);
    assert_eq!(world.server.connections(), connections);
}

#[test]
fn branches_tags_and_commits() {
    let world = World::new();
    let later = "89abcdef0123456789abcdef0123456789abcdef";
    let config: &[u8] = b"{\"later\":true}";
    world.fetch("org/news").unwrap();
    world.server.publish_as(
        "org/news",
        "refs/pr/7",
        later,
        &[("config.json", config), ("model.safetensors", &weights())],
    );
    world.server.clear_log();
    let snapshot = world.fetch("org/news@refs/pr/7").unwrap();
    assert_eq!(snapshot.commit, later);
    assert_eq!(fs::read(snapshot.path.join("config.json")).unwrap(), config);
    let reference = world.model_folder("org/news").join("refs/refs/pr/7");
    assert_eq!(fs::read_to_string(reference).unwrap(), later);
    // The weights did not change: their bytes are there already.
    assert!(world.server.downloads("model.safetensors").is_empty());
    assert!(snapshot.path.join("model.safetensors").is_file());
    let by_commit = world.fetch(&format!("org/news@{later}")).unwrap();
    assert_eq!(by_commit.path, snapshot.path);
    assert_eq!(world.fetch("org/news").unwrap().commit, COMMIT);
}

#[test]
fn shards_are_those_of_the_index() {
    let world = World::new();
    let index =
        br#"{"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}"#;
    let files: &[(&str, &[u8])] = &[
        ("config.json", b"{}"),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("model-3.safetensors", b"three"),
    ];
    world.server.publish("org/large", files);
    let snapshot = world.fetch("org/large").unwrap();
    assert_eq!(
        fs::read(snapshot.path.join("model-2.safetensors")).unwrap(),
        b"two"
    );
    assert!(!snapshot.path.join("model-3.safetensors").exists());
    let offline = fetch(&world.hub().with_offline(true), "org/large").unwrap();
    assert_eq!(offline.path, snapshot.path);
    world.server.publish("org/lacking", &files[..3]);
    assert_eq!(
        world.error("org/lacking"),
        "org/lacking has no file model-2.safetensors"
    );
}

#[test]
fn an_index_cannot_name_files_outside_of_the_model() {
    let world = World::new();
    let index = br#"{"weight_map":{"a":"../../../escaped"}}"#;
    world.server.publish(
        "org/evil",
        &[
            ("config.json", b"{}"),
            ("model.safetensors.index.json", index),
        ],
    );
    let error = world.fetch("org/evil").unwrap_err();
    assert!(matches!(error, Error::Index { .. }), "{error}");
    assert!(error.to_string().contains("../../../escaped"), "{error}");
}

#[test]
fn pickled_weights_only_when_asked_for() {
    let world = World::new();
    world.server.publish(
        "org/old",
        &[("config.json", b"{}"), ("pytorch_model.bin", b"pickle")],
    );
    assert_eq!(
        world.error("org/old"),
        "org/old has no model.safetensors; weights there: pytorch_model.bin"
    );
    let name = ModelName::parse("org/old").unwrap();
    let snapshot = world
        .hub()
        .fetch(&name, Weights::Pickle, &mut |_| ())
        .unwrap();
    assert_eq!(
        fs::read(snapshot.path.join("pytorch_model.bin")).unwrap(),
        b"pickle"
    );
}

#[test]
fn progress_ends_at_what_was_planned() {
    let world = World::new();
    let name = ModelName::parse("org/news").unwrap();
    let mut planned = 0;
    let mut last = 0;
    world
        .hub()
        .fetch(&name, Weights::Safetensors, &mut |event| match event {
            Event::Plan { files, bytes } => {
                assert_eq!(files, 3);
                planned = bytes;
            }
            Event::Progress { done, .. } => {
                assert!(done > last);
                last = done;
            }
            event => panic!("{event:?}"),
        })
        .unwrap();
    assert_eq!((planned, last), (200_019, 200_019));
}
