//! Records that cannot be used: told, counted, or the end of the run.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use vestnik_data::{Problem, Rejected};

use super::OnError;
use crate::failure::Mistake;
use crate::progress::Progress;

/// What becomes of bad records.
pub(crate) struct Aside {
    /// Whether they go to a file, so that they are not told one by one.
    to_file: bool,
    on_error: OnError,
    count: u64,
    /// How many there are of each kind.
    kinds: BTreeMap<&'static str, u64>,
    /// The first bad record while no article has been read: if it stays alone it is the reason why there is no output.
    held: Option<Rejected>,
}

impl Aside {
    /// `count` is the number of records that an earlier process has set aside.
    pub(crate) fn new(to_file: bool, on_error: OnError, count: u64) -> Self {
        Self {
            to_file,
            on_error,
            count,
            kinds: BTreeMap::new(),
            held: None,
        }
    }

    /// Number of records set aside.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many were set aside by this process, by what is wrong with them.
    pub(crate) fn kinds(&self) -> &BTreeMap<&'static str, u64> {
        &self.kinds
    }

    /// Sets a record aside, and gives its line for the file of errors.
    ///
    /// # Errors
    /// The record itself, with `--on-error fail`.
    pub(crate) fn put(&mut self, rejected: Rejected, progress: &Progress) -> Result<String> {
        if self.on_error == OnError::Fail {
            return Err(Mistake::new(rejected.to_string()).into());
        }
        self.count += 1;
        let kind = rejected.problems.first().map_or("", kind);
        *self.kinds.entry(kind).or_default() += 1;
        let line = line(&rejected);
        if self.to_file {
            return Ok(line);
        }
        self.settle(progress);
        if self.count == 1 {
            self.held = Some(rejected);
        } else {
            tell(&rejected, progress);
        }
        Ok(line)
    }

    /// Tells the record that was held back: there are articles, so it is no reason to fail.
    pub(crate) fn settle(&mut self, progress: &Progress) {
        if let Some(rejected) = self.held.take() {
            tell(&rejected, progress);
        }
    }

    /// Says why there is no output when no article was read.
    pub(crate) fn reason(&self) -> Mistake {
        match &self.held {
            Some(rejected) => Mistake::new(rejected.to_string()),
            None if self.count == 0 => Mistake::new("the input holds no article"),
            None => Mistake::new(format!(
                "no article could be read, {} records were set aside",
                self.count
            )),
        }
    }
}

fn tell(rejected: &Rejected, progress: &Progress) {
    progress.note(&format!("set aside: {rejected}"));
}

/// The line of a record in the file of errors, with its line end.
fn line(rejected: &Rejected) -> String {
    let problems: Vec<String> = rejected.problems.iter().map(Problem::to_string).collect();
    let mut object = json!({
        "path": rejected.path,
        "line": rejected.line,
        "problem": problems.join("; also: "),
    });
    match rejected.record.as_deref().map(std::str::from_utf8) {
        None => {}
        Some(Ok(text)) => object["record"] = text.into(),
        // Bytes that are no text are written so that they can be had back.
        Some(Err(_)) => {
            object["record_hex"] = hexadecimal(rejected.record.as_deref().unwrap_or_default());
        }
    }
    format!("{object}\n")
}

fn hexadecimal(bytes: &[u8]) -> Value {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into()
}

/// A short name for what is wrong.
fn kind(problem: &Problem) -> &'static str {
    match problem {
        Problem::MissingField { .. } => "field missing",
        Problem::WrongType { .. } => "wrong type",
        Problem::EmptyText { .. } | Problem::EmptyFile => "empty",
        Problem::InvalidUtf8 { .. } | Problem::Utf16 => "wrong encoding",
        Problem::InvalidJson { .. } | Problem::NotAnObject { .. } => "invalid JSON",
        Problem::FieldTwice { .. } => "field twice",
        Problem::TooLong { .. } => "too long",
        Problem::TooDeep { .. } => "too deep",
        Problem::TooSlow { .. } => "too slow",
        problem if problem.ends_input() => "cannot be read",
        _ => "other",
    }
}
