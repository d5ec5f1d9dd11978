//! Transfers that break and go on, and several at once.

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use vestnik_hub::{Event, ModelName, Weights};

use crate::server::{Fault, sha256};
use crate::{World, fetch, weights};

/// Puts the first bytes of the weights where an earlier download would have left them.
fn leave(world: &World, bytes: &[u8]) {
    let blobs = world.model_folder("org/news").join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.incomplete", sha256(&weights()));
    fs::write(blobs.join(name), bytes).unwrap();
}

fn ranges(world: &World) -> Vec<Option<String>> {
    let downloads = world.server.downloads("model.safetensors");
    downloads.into_iter().map(|r| r.range).collect()
}

/// Fetches, and checks that the weights are whole.
fn fetch_whole(world: &World) {
    let snapshot = world.fetch("org/news").unwrap();
    assert!(fs::read(snapshot.path.join("model.safetensors")).unwrap() == weights());
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let world = World::new();
    world.server.misbehave(
        "GET",
        "cdn/org/news/model.safetensors",
        Fault::Break(70_000),
        2,
    );
    let mut retries = 0;
    let name = ModelName::parse("org/news").unwrap();
    let snapshot = world
        .hub()
        .fetch(&name, Weights::Safetensors, &mut |event| {
            if let Event::Retry { file, reason } = event {
                assert_eq!(
                    (file, reason),
                    ("model.safetensors", "the connection broke")
                );
                retries += 1;
            }
        })
        .unwrap();
    assert!(fs::read(snapshot.path.join("model.safetensors")).unwrap() == weights());
    assert_eq!(retries, 2);
    let expected = [None, Some("bytes=70000-"), Some("bytes=140000-")];
    assert_eq!(
        ranges(&world),
        expected.map(|range| range.map(str::to_owned))
    );
}

#[test]
fn many_breaks_are_forgiven_while_bytes_arrive() {
    let world = World::new();
    world.server.misbehave(
        "GET",
        "cdn/org/news/model.safetensors",
        Fault::Break(20_000),
        9,
    );
    fetch_whole(&world);
    assert_eq!(ranges(&world).len(), 10);
}

#[test]
fn a_stalled_connection_is_given_up_and_goes_on() {
    let world = World::new();
    world.server.misbehave(
        "GET",
        "cdn/org/news/model.safetensors",
        Fault::Stall(70_000),
        1,
    );
    let hub = world.hub().with_timeout(Duration::from_secs(1));
    fetch(&hub, "org/news").unwrap();
    assert_eq!(ranges(&world), [None, Some("bytes=70000-".to_owned())]);
}

#[test]
fn a_download_of_an_earlier_run_goes_on() {
    let world = World::new();
    leave(&world, &weights()[..150_000]);
    fetch_whole(&world);
    assert_eq!(ranges(&world), [Some("bytes=150000-".to_owned())]);
}

#[test]
fn all_bytes_of_an_earlier_run_are_checked_and_taken() {
    let world = World::new();
    leave(&world, &weights());
    fetch_whole(&world);
    assert!(ranges(&world).is_empty());
}

#[test]
fn a_damaged_or_too_long_leftover_is_replaced() {
    for leftover in [vec![1; 150_000], vec![1; 200_001], vec![1; 200_000]] {
        let world = World::new();
        leave(&world, &leftover);
        fetch_whole(&world);
        assert_eq!(ranges(&world).last().unwrap(), &None);
    }
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let world = World::new();
    leave(&world, &weights()[..150_000]);
    world
        .server
        .misbehave("GET", "model.safetensors", Fault::IgnoreRange, 2);
    fetch_whole(&world);
    assert_eq!(ranges(&world).len(), 1);
}

#[test]
fn a_range_that_is_refused_is_asked_for_no_more() {
    let world = World::new();
    leave(&world, &weights()[..150_000]);
    world.server.misbehave(
        "GET",
        "cdn/org/news/model.safetensors",
        Fault::Status(416),
        1,
    );
    fetch_whole(&world);
    assert_eq!(ranges(&world), [Some("bytes=150000-".to_owned()), None]);
}

#[test]
fn a_busy_hub_is_asked_again() {
    let world = World::new();
    for (method, end) in [
        ("GET", "revision/main"),
        ("HEAD", "tokenizer.json"),
        ("GET", "tokenizer.json"),
        ("GET", "cdn/org/news/model.safetensors"),
    ] {
        world.server.misbehave(method, end, Fault::Status(503), 2);
    }
    world
        .server
        .misbehave("GET", "revision/main", Fault::Break(10), 1);
    fetch_whole(&world);
}

#[test]
fn several_at_once_download_each_file_once() {
    let world = World::new();
    let snapshots: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| world.fetch("org/news").unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(snapshots.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(ranges(&world), [None]);
    let bodies = world.server.log();
    let tokenizers = bodies
        .iter()
        .filter(|request| request.method == "GET" && request.path.ends_with("tokenizer.json"));
    assert_eq!(tokenizers.count(), 1);
}

#[test]
fn who_waits_for_another_is_told() {
    let world = World::new();
    let name = ModelName::parse("org/news").unwrap();
    let (begun, has_begun) = channel();
    let (waiting, is_waiting) = channel();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let (begun, is_waiting) = (begun, is_waiting);
            let mut paused = false;
            world.hub().fetch(&name, Weights::Safetensors, &mut |event| {
                let is_weights = matches!(event, Event::Progress { file, .. } if file == "model.safetensors");
                if is_weights && !paused {
                    paused = true;
                    begun.send(()).unwrap();
                    is_waiting.recv().unwrap();
                }
            })
        });
        has_begun.recv().unwrap();
        let second = world
            .hub()
            .fetch(&name, Weights::Safetensors, &mut |event| {
                if let Event::Waiting { file } = event {
                    assert_eq!(file, "model.safetensors");
                    waiting.send(()).unwrap();
                }
            });
        assert_eq!(second.unwrap(), first.join().unwrap().unwrap());
    });
    assert_eq!(ranges(&world), [None]);
}
