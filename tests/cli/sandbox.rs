//! A folder of its own for each test, with a tiny model in it, and the program run there.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder; the program runs in it, so that paths in messages are short and always the same.
pub(crate) struct Sandbox {
    folder: TempDir,
}

/// What a run of the program gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    /// A sandbox with a tiny model of random weights in the folder `tiny`: 38 tokens a window, labels PER and LOC.
    pub(crate) fn with_model() -> Self {
        let sandbox = Self::new();
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            sandbox.write(&format!("tiny/{name}"), model_fixture("bert", name));
        }
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The JSON objects of a file.
    pub(crate) fn records(&self, name: &str) -> Vec<Value> {
        records(&String::from_utf8(self.read(name)).unwrap())
    }

    /// The JSON object that a file is.
    pub(crate) fn records_of(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// Names of everything in the sandbox but the model, sorted; hidden files too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "tiny")
            .collect();
        names.sort();
        names
    }

    /// The program in the sandbox, with arguments separated by blanks.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestnik"));
        command
            .current_dir(self.folder.path())
            .args(args.split_whitespace());
        command
    }

    pub(crate) fn run(&self, args: &str) -> Ran {
        Ran::of(&mut self.command(args))
    }

    pub(crate) fn run_with_stdin(&self, args: &str, stdin: impl Into<Vec<u8>>) -> Ran {
        Ran::of(self.command(args).write_stdin(stdin))
    }

    /// Tags with the tiny model, without progress.
    pub(crate) fn tag(&self, args: &str) -> Ran {
        self.run(&format!(
            "tag --model tiny --device cpu --progress none {args}"
        ))
    }
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().expect("the program was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self}");
        records(&self.stdout)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

fn records(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The folder of one of the tiny models.
pub(crate) fn fixture_folder(model: &str) -> PathBuf {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/vestnik-model/tests/fixtures");
    models.join(model)
}

/// A file of one of the tiny models.
pub(crate) fn model_fixture(model: &str, file: &str) -> Vec<u8> {
    fs::read(fixture_folder(model).join(file)).unwrap()
}
