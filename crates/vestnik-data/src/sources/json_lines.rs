//! JSON lines: an object a line, blank lines between them are skipped.

use std::path::{Path, PathBuf};

use super::{Found, RawRecord};
use crate::compression::Source;
use crate::issue::Rejected;
use crate::lines::{Line, LineReader};
use crate::problem::Problem;
use crate::records::utf8;

/// How many bytes of a line that is too long are kept.
const KEPT_BYTES: usize = 4096;

pub(super) struct JsonLines {
    path: PathBuf,
    lines: LineReader,
    max_bytes: usize,
    started: bool,
    finished: bool,
}

impl JsonLines {
    pub(super) fn new(path: &Path, source: Source, max_bytes: usize) -> Self {
        Self {
            path: path.to_path_buf(),
            lines: LineReader::new(source, max_bytes),
            max_bytes,
            started: false,
            finished: false,
        }
    }

    fn next_record(&mut self) -> Option<Found> {
        loop {
            let first = !std::mem::replace(&mut self.started, true);
            let number = self.lines.number() + 1;
            let line = match self.lines.next_line() {
                Ok(Some(line)) if line.is_blank() => {
                    self.started = !first;
                    continue;
                }
                Ok(line) => line,
                Err(error) => {
                    self.finished = true;
                    return Some(Err(Rejected::file(&self.path, Some(number), error.into())));
                }
            };
            let Some(line) = line else {
                self.finished = true;
                let empty = || Err(Rejected::file(&self.path, None, Problem::EmptyFile));
                return first.then(empty);
            };
            return Some(record(&self.path, &line, self.max_bytes));
        }
    }
}

impl Iterator for JsonLines {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.finished {
            return None;
        }
        self.next_record()
    }
}

fn record(path: &Path, line: &Line<'_>, max_bytes: usize) -> Found {
    let rejected = |problem, record: &[u8]| Rejected {
        path: path.to_path_buf(),
        line: Some(line.number),
        problems: vec![problem],
        record: Some(record.to_vec()),
    };
    if line.too_long {
        let kept = line.bytes.get(..KEPT_BYTES).unwrap_or(line.bytes);
        return Err(rejected(Problem::TooLong { limit: max_bytes }, kept));
    }
    let bytes = line.bytes.trim_ascii();
    let json = utf8(line.bytes).map_err(|problem| rejected(problem, bytes))?;
    Ok(RawRecord {
        line: line.number,
        json: json.trim_ascii().to_owned(),
    })
}
