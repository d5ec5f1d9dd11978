//! Holds what no compiler checks: which crate may use which, and the tidy rules of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Every crate of the workspace with the crates of the workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("vestnik-core", &[]),
    ("vestnik-hub", &[]),
    ("vestnik-data", &["vestnik-core"]),
    ("vestnik-text", &["vestnik-core"]),
    ("vestnik-x86", &[]),
    (
        "vestnik-model",
        &["vestnik-core", "vestnik-text", "vestnik-x86"],
    ),
    (
        "vestnik-train",
        &["vestnik-core", "vestnik-text", "vestnik-model"],
    ),
    (
        "vestnik-engine",
        &["vestnik-text", "vestnik-model", "vestnik-x86"],
    ),
    (
        "vestnik-infer",
        &[
            "vestnik-core",
            "vestnik-text",
            "vestnik-model",
            "vestnik-engine",
            // Optional: `Vestnik::from_hub`.
            "vestnik-hub",
        ],
    ),
    ("vestnik-serve", &["vestnik-core", "vestnik-infer"]),
    (
        "vestnik-cli",
        &[
            "vestnik-core",
            "vestnik-data",
            "vestnik-hub",
            "vestnik-text",
            "vestnik-model",
            "vestnik-train",
            "vestnik-infer",
            "vestnik-serve",
        ],
    ),
    ("vestnik", &["vestnik-core", "vestnik-infer", "vestnik-cli"]),
];

/// Crates from outside that belong to one part of the program: (prefix of the name, who may use it).
const RESERVED: &[(&str, &[&str])] = &[
    (
        "candle-",
        &[
            "vestnik-model",
            "vestnik-train",
            "vestnik-engine",
            "vestnik-infer",
        ],
    ),
    (
        "rten-",
        &[
            "vestnik-model",
            "vestnik-train",
            "vestnik-engine",
            "vestnik-infer",
        ],
    ),
    ("tokenizers", &["vestnik-text"]),
    ("whatlang", &["vestnik-text"]),
    ("tokio-rustls", &["vestnik-serve"]),
    ("hf-hub", &["vestnik-hub"]),
    ("ureq", &["vestnik-hub"]),
    ("anyhow", &["vestnik-cli"]),
    ("clap", &["vestnik-cli"]),
    ("indicatif", &["vestnik-cli"]),
];

const FOLDERS_WITH_SOURCES: &[&str] = &["src", "crates", "tests", "benches", "examples"];
const MAX_LINES: usize = 800;

#[test]
fn crates_use_only_what_they_may() {
    let mut found = Vec::new();
    for package in workspace() {
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Normal {
                found.extend(forbidden(&package.name, &dependency.name));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_crate_is_in_the_table() {
    let packages = workspace();
    let members: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, known);
}

#[test]
fn forbidden_edges_are_seen() {
    assert_eq!(forbidden("vestnik-train", "vestnik-model"), None);
    assert_eq!(forbidden("vestnik-train", "serde"), None);
    assert_eq!(forbidden("vestnik-text", "tokenizers"), None);
    for (user, used) in [
        ("vestnik-train", "vestnik-data"),
        ("vestnik-train", "vestnik-infer"),
        ("vestnik-core", "vestnik-text"),
        ("vestnik-serve", "candle-core"),
        ("vestnik-core", "anyhow"),
    ] {
        assert!(forbidden(user, used).is_some(), "{user} -> {used}");
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in workspace() {
        let manifest = read(package.manifest_path.as_std_path());
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}: `[lints]` with `workspace = true` is missing",
            package.manifest_path
        );
    }
}

#[test]
fn every_source_file_is_tidy() {
    let files = sources();
    assert!(files.len() >= ALLOWED.len(), "found only {files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|path| {
            untidy(&read(path))
                .into_iter()
                .map(move |problem| format!("{}: {problem}", path.display()))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn untidy_files_are_seen() {
    assert!(untidy("//! What it is.\nfn main() {}\n").is_empty());
    assert_eq!(untidy("fn main() {}\n").len(), 1);
    assert_eq!(untidy("").len(), 1);
    let long = "//! Long.\n".repeat(MAX_LINES + 1);
    assert_eq!(untidy(&long).len(), 1);
}

/// What is wrong with `user` using `used`, or `None` where it may.
fn forbidden(user: &str, used: &str) -> Option<String> {
    let permitted = if used == "vestnik" || used.starts_with("vestnik-") {
        entry(ALLOWED, |name| name == user)?.contains(&used)
    } else {
        entry(RESERVED, |prefix| used.starts_with(prefix))?.contains(&user)
    };
    (!permitted).then(|| format!("{user} must not use {used}: see the tables in this test"))
}

fn entry<'a>(
    table: &[(&str, &'a [&'a str])],
    matches: impl Fn(&str) -> bool,
) -> Option<&'a [&'a str]> {
    let (_, values) = table.iter().find(|(key, _)| matches(key))?;
    Some(values)
}

/// What is wrong with the text of one source file.
fn untidy(source: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !source.starts_with("//!") {
        problems.push("does not start with `//!` and what the file is for".to_owned());
    }
    let n_lines = source.lines().count();
    if n_lines > MAX_LINES {
        problems.push(format!("has {n_lines} lines, more than {MAX_LINES}"));
    }
    problems
}

fn workspace() -> Vec<Package> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("`cargo metadata` runs where `cargo test` runs")
        .packages
}

fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = FOLDERS_WITH_SOURCES
        .iter()
        .map(|name| root().join(name))
        .filter(|path| path.is_dir())
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository can be read") {
            let path = entry
                .expect("a folder of the repository can be read")
                .path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
