//! Bytes that are not what was announced, and hubs that cannot be reached or are none.

use std::net::TcpListener;
use std::time::Duration;

use vestnik_hub::{Error, Hub};

use crate::server::{Fault, sha256};
use crate::{World, fetch, tree, weights};

const STORED: &str = "cdn/org/news/model.safetensors";
const ALWAYS: usize = usize::MAX;

/// Names of what lies in the cache for the weights.
fn blobs_of_weights(world: &World) -> Vec<String> {
    let names = tree(&world.model_folder("org/news").join("blobs"));
    let hash = sha256(&weights());
    names
        .into_iter()
        .filter(|name| name.starts_with(&hash))
        .collect()
}

#[test]
fn a_body_that_stays_truncated() {
    let world = World::new();
    world
        .server
        .misbehave("GET", STORED, Fault::Short(500), ALWAYS);
    assert_eq!(
        world.error("org/news"),
        "org/news: model.safetensors broke off after 199500 of 200000 bytes"
    );
    world.server.behave();
    world.fetch("org/news").unwrap();
}

#[test]
fn a_connection_that_breaks_every_time() {
    let world = World::new();
    world
        .server
        .misbehave("GET", STORED, Fault::Break(90_000), 1);
    world
        .server
        .misbehave("GET", STORED, Fault::Break(0), ALWAYS);
    assert_eq!(
        world.error("org/news"),
        "org/news: model.safetensors broke off after 90000 of 200000 bytes: the connection broke"
    );
    // What arrived waits for the next run, under a name that nobody takes for the file's.
    assert_eq!(
        blobs_of_weights(&world),
        [format!("{}.incomplete", sha256(&weights()))]
    );
}

#[test]
fn damaged_bytes_are_thrown_away() {
    let world = World::new();
    world.server.misbehave("GET", STORED, Fault::Damage, ALWAYS);
    let error = world.fetch("org/news").unwrap_err();
    let Error::Damaged { file, expected, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (file.as_str(), expected),
        ("model.safetensors", &sha256(&weights()))
    );
    assert!(blobs_of_weights(&world).is_empty());
    // Files in git are checked too.
    world.server.behave();
    world
        .server
        .misbehave("GET", "tokenizer.json", Fault::Damage, ALWAYS);
    let world = World {
        folder: tempfile::TempDir::new().unwrap(),
        ..world
    };
    let error = world.error("org/news");
    assert!(
        error.starts_with("org/news: tokenizer.json is damaged"),
        "{error}"
    );
}

#[test]
fn bytes_beyond_the_announced_size_are_thrown_away() {
    let world = World::new();
    world.server.misbehave("GET", STORED, Fault::Longer, ALWAYS);
    assert_eq!(
        world.error("org/news"),
        "org/news: model.safetensors is longer than the announced 200000 bytes; it was thrown away"
    );
    assert!(blobs_of_weights(&world).is_empty());
}

#[test]
fn nobody_listens() {
    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let hub = Hub::new(&format!("http://{free}"), world.cache()).unwrap();
    let error = fetch(&hub, "org/news").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot reach http://{free}: connection refused")
    );
    assert!(matches!(
        error,
        Error::Connection {
            in_cache: false,
            ..
        }
    ));
    world.fetch("org/news").unwrap();
    let error = fetch(&hub, "org/news").unwrap_err();
    assert!(matches!(error, Error::Connection { in_cache: true, .. }));
}

#[test]
fn a_hub_that_never_answers() {
    let world = World::new();
    // Connections are taken by the system, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let hub = Hub::new(&endpoint, world.cache())
        .unwrap()
        .with_timeout(Duration::from_millis(100))
        .with_retries(1, Duration::from_millis(1));
    assert_eq!(
        fetch(&hub, "org/news").unwrap_err().to_string(),
        format!("cannot reach {endpoint}: no answer in time")
    );
}

#[test]
fn what_is_no_hub() {
    let world = World::new();
    world
        .server
        .misbehave("GET", "revision/main", Fault::Loop, ALWAYS);
    assert_eq!(
        world.error("org/news"),
        "HUB does not answer org/news as a hub: it redirects without end"
    );
    world.server.behave();
    world
        .server
        .misbehave("GET", "revision/main", Fault::Status(500), ALWAYS);
    assert_eq!(
        world.error("org/news"),
        "HUB answers 500 for org/news: told to fail"
    );
    world.server.behave();
    world
        .server
        .publish_as("org/odd", "main", "../escape", &[("config.json", b"{}")]);
    assert_eq!(
        world.error("org/odd"),
        "HUB does not answer org/odd as a hub: it gives no commit"
    );
}

#[test]
#[cfg(unix)]
fn a_cache_that_cannot_be_written() {
    let world = World::new();
    // A file where a folder should be: not even root can write below it.
    std::fs::write(world.cache(), "").unwrap();
    let error = world.fetch("org/news").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot create "), "{error}");
}
