//! A defect of an input: where it is, what was found, what was expected, what can be done.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::STDIN;
use crate::problem::Problem;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file as it was given; `-` is standard input.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", path_name(&self.path), self.line)
    }
}

/// A defect of an input. Its `Display` is one line: `path:line: found, expected; hint`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Issue {
    /// The file as it was given; `-` is standard input.
    pub path: PathBuf,
    /// The line, counted from 1; `None` when the whole file is meant.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl Issue {
    /// A defect of a whole file.
    pub(crate) fn of_file(path: &Path, problem: Problem) -> Self {
        let path = path.to_path_buf();
        Self {
            path,
            line: None,
            problem,
        }
    }

    /// A defect of one line.
    pub(crate) fn at(path: &Path, line: u64, problem: Problem) -> Self {
        let path = path.to_path_buf();
        Self {
            path,
            line: Some(line),
            problem,
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&path_name(&self.path))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A record that cannot be used: where it is, all that is wrong with it, and the record itself.
///
/// Its `Display` is one line: `path:line: problem`, further problems joined by `; also: `.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The file as it was given; `-` is standard input.
    pub path: PathBuf,
    /// The line, or the number of the record in files without lines, counted from 1; `None` for a whole file.
    pub line: Option<u64>,
    /// What is wrong, at least one.
    pub problems: Vec<Problem>,
    /// The record as it was found: for JSON and text its bytes, else a JSON text of it. The first bytes only, when it is
    /// too long; `None` when there is none.
    pub record: Option<Vec<u8>>,
}

impl Rejected {
    /// A file, or the rest of one, that cannot be used.
    pub(crate) fn file(path: &Path, line: Option<u64>, problem: Problem) -> Self {
        Self {
            path: path.to_path_buf(),
            line,
            problems: vec![problem],
            record: None,
        }
    }

    /// Whether nothing more can be read from its file, so that what was read is not all.
    #[must_use]
    pub fn ends_input(&self) -> bool {
        self.problems.iter().any(Problem::ends_input)
    }

    /// An issue for each problem.
    pub fn issues(&self) -> impl Iterator<Item = Issue> {
        self.problems.iter().map(|problem| Issue {
            path: self.path.clone(),
            line: self.line,
            problem: problem.clone(),
        })
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&path_name(&self.path))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        for (n, problem) in self.problems.iter().enumerate() {
            let separator = if n == 0 { ": " } else { "; also: " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

fn path_name(path: &Path) -> String {
    if path == Path::new(STDIN) {
        return "<stdin>".to_owned();
    }
    path.display().to_string()
}
