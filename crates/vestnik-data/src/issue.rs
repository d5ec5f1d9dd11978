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

fn path_name(path: &Path) -> String {
    if path == Path::new(STDIN) {
        return "<stdin>".to_owned();
    }
    path.display().to_string()
}
