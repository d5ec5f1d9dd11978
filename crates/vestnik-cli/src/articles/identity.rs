//! What makes a run what it is: inputs, model, and every option that is not known to leave the output alone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{ArgMatches, Command, CommandFactory};
use serde_json::{Value, json};
use vestnik_data::{Identity, STDIN, fingerprint};

use crate::args::Cli;

/// Arguments that do not change what is written, or that stand in the identity by what they mean.
const NEUTRAL: [&str; 12] = [
    "inputs", "output", "force", "resume", "on_error", "errors", "progress", "threads", "model",
    "offline", "help", "version",
];

/// The identity of the run over these files that the command line asks for.
///
/// # Errors
/// An input cannot be read.
pub(crate) fn identity(files: &[PathBuf], model: BTreeMap<String, Value>) -> Result<Identity> {
    let mut values = model;
    values.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    values.extend(options(std::env::args_os()));
    values.insert("number of input files".to_owned(), files.len().into());
    for path in files {
        values.insert(format!("input {}", path.display()), input(path)?);
    }
    Ok(Identity(values))
}

/// Standard input and pipes are known by their records alone: what is read of them is gone.
fn input(path: &Path) -> Result<Value> {
    if path == Path::new(STDIN) {
        return Ok(json!("standard input"));
    }
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Ok(json!("a pipe")),
        metadata => {
            let bytes = metadata.map_or(0, |metadata| metadata.len());
            Ok(json!({"bytes": bytes, "fingerprint": fingerprint(path)?}))
        }
    }
}

/// The options of the command that was called, by their names, defaults included.
fn options(
    args: impl IntoIterator<Item: Into<std::ffi::OsString> + Clone>,
) -> BTreeMap<String, Value> {
    let command = Cli::command();
    let Ok(matches) = command.clone().try_get_matches_from(args) else {
        return BTreeMap::new();
    };
    let Some((name, matches)) = matches.subcommand() else {
        return BTreeMap::new();
    };
    let command = command.find_subcommand(name);
    command
        .map(|command| given(command, matches))
        .unwrap_or_default()
}

fn given(command: &Command, matches: &ArgMatches) -> BTreeMap<String, Value> {
    let args = command
        .get_arguments()
        .filter(|arg| !NEUTRAL.contains(&arg.get_id().as_str()));
    let values = args.filter_map(|arg| {
        let raw = matches.get_raw(arg.get_id().as_str())?;
        let values: Vec<String> = raw.map(OsStr::to_string_lossy).map(Into::into).collect();
        Some((format!("--{}", arg.get_long()?), values.join(",").into()))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_that_change_the_output() {
        let args = "vestnik tag a.jsonl -o out --force --threads 3 --text-field body --limit 7 --progress none";
        let options = options(args.split(' '));
        assert_eq!(options["--text-field"], "body");
        assert_eq!(options["--limit"], "7");
        assert_eq!(options["--offset-unit"], "char");
        for neutral in ["--force", "--threads", "--progress", "--output"] {
            assert!(!options.contains_key(neutral), "{neutral}");
        }
    }

    #[test]
    fn neutral_arguments_are_arguments() {
        let command = Cli::command();
        let tag = command.find_subcommand("tag").unwrap();
        let known: Vec<&str> = tag
            .get_arguments()
            .map(|arg| arg.get_id().as_str())
            .collect();
        for name in NEUTRAL
            .iter()
            .filter(|name| !["offline", "help", "version"].contains(name))
        {
            assert!(known.contains(name), "{name}");
        }
    }
}
