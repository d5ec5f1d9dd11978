//! Models by their names on the Hugging Face hub, from a hub on this machine.

#![cfg(feature = "hub")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::json;

use crate::sandbox::{Ran, Sandbox};

#[path = "../../crates/vestnik-hub/tests/hub/server.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod server;

use server::{COMMIT, Fault, Server, sha256};

const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
const STORED: &str = "cdn/org/news/model.safetensors";

/// A sandbox with the tiny model on disk, and on a hub as `org/news`; the cache is the folder `hf`.
struct World {
    sandbox: Sandbox,
    server: Server,
}

impl World {
    fn new() -> Self {
        let world = Self {
            sandbox: Sandbox::with_model(),
            server: Server::start(),
        };
        world.publish("org/news", &FILES);
        world
            .sandbox
            .write("news.jsonl", r#"{"text":"Anna lives in Sofia."}"#);
        world
    }

    /// Publishes files of the tiny model.
    fn publish(&self, id: &str, names: &[&str]) {
        let bytes: Vec<Vec<u8>> = names.iter().map(|name| self.tiny(name)).collect();
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .zip(&bytes)
            .map(|(name, bytes)| (*name, bytes.as_slice()))
            .collect();
        self.server.publish(id, &files);
    }

    fn tiny(&self, name: &str) -> Vec<u8> {
        self.sandbox.read(&format!("tiny/{name}"))
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestnik"));
        command
            .current_dir(self.sandbox.path(""))
            .args(args.split_whitespace())
            .env("HF_ENDPOINT", self.server.endpoint())
            .env("HF_HOME", "hf");
        for name in [
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, args: &str) -> Ran {
        self.run_with(args, &[])
    }

    fn run_with(&self, args: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        let mut ran = Ran::of(command.envs(variables.iter().copied()));
        // The port is another one in every run.
        ran.stderr = ran.stderr.replace(&self.server.endpoint(), "HUB");
        ran
    }

    /// A file of the cache, relative to the folder of `org/news`.
    fn cached(&self, name: &str) -> PathBuf {
        self.sandbox
            .path(&format!("hf/hub/models--org--news/{name}"))
    }

    /// Where the bytes of the weights are gathered.
    fn incomplete(&self) -> PathBuf {
        let hash = sha256(&self.tiny("model.safetensors"));
        self.cached(&format!("blobs/{hash}.incomplete"))
    }
}

#[test]
fn fetch_prints_the_folder() {
    let world = World::new();
    let ran = world.run("model fetch org/news --progress none");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    hf/hub/models--org--news/snapshots/0123456789abcdef0123456789abcdef01234567
    "#);
    for name in FILES {
        let path = world.cached(&format!("snapshots/{COMMIT}/{name}"));
        assert_eq!(fs::read(path).unwrap(), world.tiny(name), "{name}");
    }
    let ran = world.run("model fetch org/news@main --json --offline");
    assert_snapshot!(ran, @r#"
    exit 0
    --- stdout
    {"model":"org/news","revision":"main","commit":"0123456789abcdef0123456789abcdef01234567","path":"hf/hub/models--org--news/snapshots/0123456789abcdef0123456789abcdef01234567","files":[{"name":"config.json","bytes":880},{"name":"tokenizer.json","bytes":3684},{"name":"model.safetensors","bytes":70108}]}
    "#);
    let ran = world.run("model fetch org/news --progress plain");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, ""),
        "nothing was downloaded"
    );
}

#[test]
fn a_name_on_the_hub_is_a_model() {
    let world = World::new();
    let arguments = "--device cpu --progress none news.jsonl";
    let by_name = world.run(&format!("tag --model org/news {arguments}"));
    let local = world.run(&format!("tag --model tiny {arguments}"));
    let (mut record, expected) = (by_name.records().remove(0), local.records().remove(0));
    assert_eq!(record["vestnik"]["model"], "org/news");
    record["vestnik"]["model"] = json!("tiny");
    assert_eq!(record, expected);
    assert!(
        by_name
            .stderr
            .starts_with("fetching org/news: files 3, MB "),
        "{by_name}"
    );
    let info = world.run(&format!("model info org/news@{COMMIT} --json --offline"));
    assert_eq!(info.records()[0]["layers"], 3);
}

#[test]
fn a_run_begins_with_a_model_of_the_hub() {
    let world = World::new();
    let document = json!({
        "text": "Anna lives in Sofia.",
        "entities": [{"start": 0, "end": 4, "label": "PER"}],
        "annotated": ["PER", "LOC"],
    });
    world.sandbox.write("train.jsonl", document.to_string());
    world.sandbox.write(
        "run.toml",
        r#"
        seed = 7
        epochs = 1
        [model]
        base = "org/news"
        labels = ["PER", "LOC"]
        [windows]
        max_tokens = 20
        context = 4
        [[train]]
        path = "train.jsonl"
        [[dev]]
        path = "train.jsonl"
        "#,
    );
    let ran = world.run("train run.toml --device cpu --progress none --offline");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr
            .contains("config.json of org/news is not in the cache"),
        "{ran}"
    );
    let ran = world.run("train run.toml --device cpu --progress none");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(world.sandbox.path("run/model/model.safetensors").is_file());
}

#[test]
fn offline_opens_no_socket_and_names_the_file() {
    let world = World::new();
    let tag = "tag --model org/news --device cpu news.jsonl";
    let ran = world.run(&format!("{tag} --offline"));
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: org/news: no such model directory, and config.json of org/news is not in the cache and nothing is fetched offline; looked in hf/hub/models--org--news
    hint: with a network, vestnik model fetch org/news brings it into the cache
    "#);
    for value in ["1", "ON", "yes", "True"] {
        let by_variable = world.run_with(tag, &[("HF_HUB_OFFLINE", value)]);
        assert_eq!(by_variable.to_string(), ran.to_string());
    }
    assert_eq!(world.server.connections(), 0);
    assert_eq!(world.run("model fetch org/news").code, 0);
    let connections = world.server.connections();
    assert_eq!(world.run(&format!("{tag} --offline")).code, 0);
    fs::remove_file(world.cached(&format!("snapshots/{COMMIT}/model.safetensors"))).unwrap();
    assert_snapshot!(world.run(&format!("--offline {tag}")), @r#"
    exit 2
    --- stderr
    error: org/news: no such model directory, and model.safetensors of org/news is not in the cache and nothing is fetched offline; looked in hf/hub/models--org--news/snapshots/0123456789abcdef0123456789abcdef01234567
    hint: with a network, vestnik model fetch org/news brings it into the cache
    "#);
    assert_eq!(world.server.connections(), connections);
}

#[test]
fn directories_and_the_built_in_model_come_first() {
    let world = World::new();
    for name in FILES {
        world
            .sandbox
            .write(&format!("org/news/{name}"), world.tiny(name));
    }
    assert_eq!(world.run("model info org/news").code, 0);
    assert_snapshot!(world.run("model info no/such/model"), @r#"
    exit 2
    --- stderr
    error: no/such/model: no such model directory
    hint: a model is a directory, the built-in model vestnik-news, or a name on the hub: ORG/NAME or ORG/NAME@REVISION
    "#);
    assert_snapshot!(world.run("model info org/../news"), @r#"
    exit 2
    --- stderr
    error: org/../news: no such model directory
    hint: a model is a directory, the built-in model vestnik-news, or a name on the hub: ORG/NAME or ORG/NAME@REVISION
    "#);
    assert_eq!(world.server.connections(), 0);
    assert_snapshot!(world.run("model fetch tiny"), @r#"
    exit 2
    --- stderr
    error: "tiny" is no name of a hub model: a name has the form ORG/NAME
    "#);
}

#[test]
fn what_the_hub_has_not() {
    let world = World::new();
    assert_snapshot!(world.run("model info org/nothing"), @r#"
    exit 2
    --- stderr
    error: org/nothing: no such model directory, and HUB has no model org/nothing
    "#);
    assert_snapshot!(world.run("model fetch org/news@v9"), @r#"
    exit 2
    --- stderr
    error: org/news has no revision "v9"
    "#);
    world.server.misbehave("GET", STORED, Fault::Status(404), 1);
    assert_snapshot!(world.run("model fetch org/news --progress none"), @r#"
    exit 2
    --- stderr
    error: org/news has no file model.safetensors
    "#);
    world.server.misbehave("GET", STORED, Fault::Damage, 1);
    assert_snapshot!(world.run("model fetch org/news --progress none"), @r#"
    exit 2
    --- stderr
    error: org/news: model.safetensors is damaged and was thrown away: its hash is b9b376efbfd117ae47ff0ac0fab17721e64729c94bb0d60509c72e169fd078f9, expected 604336e9c396d08453024f155401fddfc3502b0019ac8b9b5b588d3c4b9a1735
    hint: run it again
    "#);
}

#[test]
fn private_models() {
    let world = World::new();
    world.server.require_token("org/news", "hf_right");
    let fetch = "model fetch org/news --progress none";
    assert_snapshot!(world.run(fetch), @r#"
    exit 2
    --- stderr
    error: HUB refuses access to org/news (status 401): Invalid username or password.
    hint: is the name right? A private or gated model needs an access token in HF_TOKEN
    "#);
    assert_snapshot!(world.run_with(fetch, &[("HF_TOKEN", "hf_wrong")]), @r#"
    exit 2
    --- stderr
    error: HUB refuses access to org/news (status 401): Invalid username or password.
    hint: the token may not read this model; a gated one is asked for on its page
    "#);
    world.sandbox.write("hf/token", "hf_right\n");
    assert_eq!(world.run(fetch).code, 0);
}

#[test]
fn a_hub_that_cannot_be_reached() {
    let world = World::new();
    let nobody = [("HF_ENDPOINT", "http://127.0.0.1:9")];
    assert_snapshot!(world.run_with("model info org/news", &nobody), @r#"
    exit 2
    --- stderr
    error: org/news: no such model directory, and cannot reach http://127.0.0.1:9: connection refused
    hint: it is not in the cache either; HF_ENDPOINT names another hub
    "#);
    assert_eq!(world.run("model fetch org/news").code, 0);
    assert_snapshot!(world.run_with("model info org/news", &nobody), @r#"
    exit 2
    --- stderr
    error: org/news: no such model directory, and cannot reach http://127.0.0.1:9: connection refused
    hint: the model is in the cache: --offline uses it
    "#);
    let nonsense = [("HF_ENDPOINT", "nowhere")];
    assert_snapshot!(world.run_with("model info org/news", &nonsense), @r#"
    exit 2
    --- stderr
    error: HF_ENDPOINT is "nowhere", expected http://… or https://…
    "#);
}

#[test]
fn pickled_weights_and_missing_tokenizers() {
    let world = World::new();
    let config = world.tiny("config.json");
    let files: &[(&str, &[u8])] = &[
        ("config.json", &config),
        ("pytorch_model.bin", b"pickle"),
        ("vocab.txt", b"[UNK]"),
    ];
    world.server.publish("org/old", files);
    assert_snapshot!(world.run("model info org/old"), @r#"
    exit 2
    --- stderr
    error: org/old has no model.safetensors; weights there: pytorch_model.bin
    hint: vestnik model fetch org/old --pickle fetches them, vestnik model convert DIR -o OUT makes safetensors
    "#);
    let ran = world.run("model fetch org/old --pickle --progress none");
    assert_snapshot!(ran, @r#"
    exit 1
    --- stdout
    hf/hub/models--org--old/snapshots/0123456789abcdef0123456789abcdef01234567
    --- stderr
    org/old has no tokenizer.json, which is needed; transformers makes one: python -c "from transformers import AutoTokenizer as T; T.from_pretrained('org/old').save_pretrained('DIR')", where DIR is a copy of hf/hub/models--org--old/snapshots/0123456789abcdef0123456789abcdef01234567
    "#);
    let path = format!("hf/hub/models--org--old/snapshots/{COMMIT}/pytorch_model.bin");
    assert_eq!(world.sandbox.read(&path), b"pickle");
}

#[test]
fn two_processes_at_once_download_each_file_once() {
    let world = World::new();
    let spawn = || {
        let mut command = world.command("model fetch org/news --progress none");
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let both = [spawn(), spawn()];
    let outputs = both.map(|process| process.wait_with_output().unwrap());
    assert!(outputs.iter().all(|output| output.status.success()));
    assert_eq!(outputs[0].stdout, outputs[1].stdout);
    assert_eq!(world.server.downloads("model.safetensors").len(), 1);
}

#[test]
fn a_killed_download_goes_on() {
    let world = World::new();
    let half = world.tiny("model.safetensors").len() / 2;
    world.server.misbehave("GET", STORED, Fault::Stall(half), 1);
    let mut process = world
        .command("model fetch org/news --progress none")
        .spawn()
        .unwrap();
    let incomplete = world.incomplete();
    let started = Instant::now();
    while incomplete.metadata().map_or(0, |found| found.len()) < half as u64 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "no bytes arrived"
        );
        thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(world.run("model fetch org/news --progress none").code, 0);
    let ranges: Vec<Option<String>> = world
        .server
        .downloads("model.safetensors")
        .into_iter()
        .map(|request| request.range)
        .collect();
    assert_eq!(ranges, [None, Some(format!("bytes={half}-"))]);
    assert!(!incomplete.exists());
    let path = world.cached(&format!("snapshots/{COMMIT}/model.safetensors"));
    assert_eq!(fs::read(path).unwrap(), world.tiny("model.safetensors"));
}

#[test]
fn the_library_opens_a_model_by_its_name() {
    let world = World::new();
    let cache = world.sandbox.path("library");
    let hub = vestnik::Hub::new(&world.server.endpoint(), &cache).unwrap();
    let options = vestnik::Options::default().with_device(vestnik::DeviceChoice::Cpu);
    let open =
        |hub: &vestnik::Hub, name: &str| vestnik::Vestnik::from_hub_with(hub, name, &options);
    let fetched = open(&hub, "org/news@main").unwrap();
    assert_eq!(fetched.name(), "org/news");
    let on_disk = vestnik::Vestnik::from_dir_with(world.sandbox.path("tiny"), &options).unwrap();
    let text = "Мэр Киева Виталий Кличко заявил об этом.";
    assert_eq!(
        fetched.analyze(text).unwrap(),
        on_disk.analyze(text).unwrap()
    );
    // Now it is in the cache.
    drop(world.server);
    let offline = hub.with_offline(true);
    assert!(open(&offline, "org/news@main").is_ok());
    for (name, part) in [("org/other", "org/other"), ("no name", "no name")] {
        let error = open(&offline, name).unwrap_err();
        assert!(matches!(error, vestnik::Error::Hub(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(vestnik::Vestnik::from_hub("no name").is_err());
}
