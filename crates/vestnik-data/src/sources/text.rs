//! A text file as one article, called by the name of the file.

use std::io::Read;

use serde_json::{Map, Value};

use super::{Found, RawRecord};
use crate::articles::ArticleOptions;
use crate::compression::Source;
use crate::inputs::InputFile;
use crate::issue::Rejected;
use crate::lines::BYTE_ORDER_MARK;
use crate::problem::Problem;

pub(super) fn article(file: &InputFile, source: Source, options: &ArticleOptions) -> Found {
    let read = read_text(source, options.max_line_bytes);
    let text = read.map_err(|(line, problem)| Rejected::file(&file.path, line, problem))?;
    let mut fields = Map::new();
    fields.insert(options.id_field.clone(), Value::String(file.name.clone()));
    fields.insert(options.text_field().to_owned(), Value::String(text));
    Ok(RawRecord {
        line: 1,
        json: Value::Object(fields).to_string(),
    })
}

type TextProblem = (Option<u64>, Problem);

fn read_text(source: Source, limit: usize) -> Result<String, TextProblem> {
    let mut bytes = Vec::new();
    let read = source
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| (None, error.into()))?;
    if bytes.len() > limit {
        return Err((None, Problem::TooLong { limit }));
    }
    if bytes.is_empty() {
        return Err((None, Problem::EmptyFile));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (bad, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        invalid_utf8(&bytes[..bad])
    })?;
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// The line of the first bad byte, and its offset there, from the bytes before it.
fn invalid_utf8(valid: &[u8]) -> TextProblem {
    let line_start = memchr::memrchr(b'\n', valid).map_or(0, |feed| feed + 1);
    let n_feeds = memchr::memchr_iter(b'\n', valid).count();
    let offset = valid.len() - line_start;
    (Some(n_feeds as u64 + 1), Problem::InvalidUtf8 { offset })
}
