//! Records that cannot be used: told, counted, or the end of the run.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use vestnik_data::{Problem, Rejected};

use super::OnError;
use crate::failure::Mistake;
use crate::progress::Progress;

/// The name of the count of records that were set aside.
pub(super) const SET_ASIDE: &str = "set_aside";
/// How the names of the counts by kind begin.
const KIND: &str = "set_aside: ";

/// What becomes of bad records.
pub(crate) struct Aside {
    /// Whether they go to a file, so that they are not told one by one.
    to_file: bool,
    on_error: OnError,
    count: u64,
    /// How many there are of each kind.
    kinds: BTreeMap<String, u64>,
    /// The first bad record while no article has been read: if it stays alone it is the reason why there is no output.
    held: Option<Rejected>,
}

impl Aside {
    /// Goes on with the counts of an earlier process.
    pub(crate) fn new(to_file: bool, on_error: OnError, earlier: &BTreeMap<String, u64>) -> Self {
        let kinds = earlier.iter().filter_map(|(name, n)| {
            let kind = name.strip_prefix(KIND)?;
            Some((kind.to_owned(), *n))
        });
        Self {
            to_file,
            on_error,
            count: earlier.get(SET_ASIDE).copied().unwrap_or_default(),
            kinds: kinds.collect(),
            held: None,
        }
    }

    /// Number of records set aside.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many were set aside, by what is wrong with them.
    pub(crate) fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.kinds
    }

    /// The counts by kind with which another process goes on.
    pub(crate) fn kinds_to_keep(&self) -> impl Iterator<Item = (String, u64)> {
        let kinds = self.kinds.iter();
        kinds.map(|(kind, n)| (format!("{KIND}{kind}"), *n))
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
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_where_an_earlier_process_ended() {
        let counts = [
            ("articles", 7),
            ("set_aside", 3),
            ("set_aside: too long", 3),
        ];
        let earlier = counts.map(|(name, n)| (name.to_owned(), n)).into();
        let aside = Aside::new(true, OnError::Skip, &earlier);
        assert_eq!(aside.count(), 3);
        assert_eq!(*aside.kinds(), [("too long".to_owned(), 3)].into());
        let kept: Vec<_> = aside.kinds_to_keep().collect();
        assert_eq!(kept, [("set_aside: too long".to_owned(), 3)]);
    }
}
