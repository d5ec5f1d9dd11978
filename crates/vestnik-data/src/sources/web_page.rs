//! A web page as one article, called by the name of its file.

use std::io::Read;

use serde_json::{Map, Value};

use super::html::{decoded, page};
use super::{Found, RawRecord};
use crate::articles::ArticleOptions;
use crate::compression::Source;
use crate::inputs::InputFile;
use crate::issue::Rejected;
use crate::problem::Problem;

pub(super) fn article(file: &InputFile, source: Source, options: &ArticleOptions) -> Found {
    let rejected = |problem| Rejected::file(&file.path, None, problem);
    let limit = options.max_line_bytes;
    let mut bytes = Vec::new();
    let read = source
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| rejected(error.into()))?;
    if bytes.len() > limit {
        return Err(rejected(Problem::TooLong { limit }));
    }
    let page = page(&decoded(&bytes, options.encoding)).map_err(rejected)?;
    let fields = [
        (options.id_field.as_str(), Some(file.name.as_str())),
        ("date", page.published.as_deref()),
        ("lang", page.lang.as_deref()),
        ("title", Some(page.title.as_str())),
        (options.text_field(), Some(page.text.as_str())),
    ];
    let known = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    let fields: Map<String, Value> = known.collect();
    Ok(RawRecord {
        line: 1,
        json: Value::Object(fields).to_string(),
    })
}
