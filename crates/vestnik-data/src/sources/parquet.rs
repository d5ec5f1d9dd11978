//! Rows of a Parquet file; a stream is put down in a temporary file first, for its end says what it holds.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use serde_json::Value;

use super::{Found, RawRecord};
use crate::compression::Source;
use crate::formats::Rows;
use crate::issue::Rejected;
use crate::problem::Problem;

/// The rows of a file. Its path may be that of a stream.
pub(super) fn rows(
    path: &Path,
    mut source: Source,
) -> Result<impl Iterator<Item = Found> + Send + use<>, Problem> {
    let mut file: File = tempfile::tempfile()?;
    io::copy(&mut source, &mut file)?;
    file.rewind()?;
    let rows = Rows::of_articles(path, file)?;
    let path = path.to_path_buf();
    Ok(rows.map(move |row| match row {
        Ok(record) => Ok(RawRecord {
            line: record.line,
            json: Value::Object(record.fields).to_string(),
        }),
        Err(issue) => Err(Rejected::file(&path, issue.line, issue.problem)),
    }))
}
