//! Models that are not there or not for everybody, and where tokens go.

use vestnik_hub::Error;

use crate::server::Fault;
use crate::{World, fetch, tree};

#[test]
fn what_is_not_there() {
    let world = World::new();
    assert_eq!(world.error("org/nothing"), "HUB has no model org/nothing");
    assert_eq!(
        world.error("org/news@v9"),
        "org/news has no revision \"v9\""
    );
    world.server.publish("org/empty", &[("README.md", b"")]);
    assert_eq!(
        world.error("org/empty"),
        "org/empty has no file config.json"
    );
    world
        .server
        .misbehave("HEAD", "tokenizer.json", Fault::Status(404), 1);
    assert_eq!(
        world.error("org/news"),
        "org/news has no file tokenizer.json"
    );
    assert!(tree(&world.cache()).is_empty());
}

#[test]
fn private_models_need_the_right_token() {
    let world = World::new();
    world.server.require_token("org/news", "hf_right");
    let error = world.fetch("org/news").unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                status: 401,
                with_token: false,
                ..
            }
        ),
        "{error}"
    );
    let error = fetch(&world.hub().with_token("hf_wrong"), "org/news").unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused {
                status: 401,
                with_token: true,
                ..
            }
        ),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("hf_wrong"));
    fetch(&world.hub().with_token("hf_right"), "org/news").unwrap();
}

#[test]
fn gated_files_are_refused() {
    let world = World::new();
    world
        .server
        .misbehave("HEAD", "model.safetensors", Fault::Status(403), 1);
    assert_eq!(
        world.error("org/news"),
        "HUB refuses access to org/news (status 403): told to fail"
    );
}

#[test]
fn a_token_goes_to_the_hub_and_to_no_other_host() {
    let world = World::new();
    let hub = world.hub().with_token("hf_secret");
    fetch(&hub, "org/news").unwrap();
    let (own, other): (Vec<_>, Vec<_>) = world
        .server
        .log()
        .into_iter()
        .partition(|request| request.host.starts_with("127.0.0.1"));
    assert!(own.len() >= 5 && !other.is_empty());
    let expected = Some("Bearer hf_secret");
    assert!(
        own.iter()
            .all(|request| request.authorization.as_deref() == expected)
    );
    assert!(other.iter().all(|request| request.authorization.is_none()));
    assert!(!format!("{hub:?}").contains("hf_secret"));
}
