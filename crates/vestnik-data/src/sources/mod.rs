//! Files of dumps as streams of records, whatever their format: every record becomes the text of a JSON object.

mod delimited;
mod encoding;
mod html;
mod html_bounds;
mod json_lines;
mod json_values;
mod kind;
mod mediawiki;
mod parquet;
mod text;
mod warc;
mod web_page;
mod wikitext;

pub use encoding::TextEncoding;
pub use kind::InputFormat;

use crate::articles::ArticleOptions;
use crate::compression::{BytesRead, Source, open};
use crate::inputs::InputFile;
use crate::issue::Rejected;
use crate::problem::Problem;

/// A record as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawRecord {
    /// The line it starts on; the number of the record in files without lines. From 1.
    pub(crate) line: u64,
    /// The text of a JSON object; not yet checked.
    pub(crate) json: String,
}

pub(crate) type Found = Result<RawRecord, Rejected>;

/// The records of one file.
pub(crate) type RecordSource = Box<dyn Iterator<Item = Found> + Send>;

/// Opens a file of an input.
pub(crate) fn open_records(
    file: &InputFile,
    options: &ArticleOptions,
    count: &BytesRead,
) -> Result<RecordSource, Rejected> {
    let whole = |problem| Rejected::file(&file.path, None, problem);
    let source = open(&file.path, count).map_err(whole)?;
    records(file, source, options).map_err(whole)
}

/// The records of a stream.
pub(crate) fn records(
    file: &InputFile,
    source: Source,
    options: &ArticleOptions,
) -> Result<RecordSource, Problem> {
    let (head, source) = kind::look(source)?;
    let format = match options.format {
        Some(format) => format,
        None => kind::detect(&file.path, &head)?,
    };
    let (path, max_bytes) = (&file.path, options.max_line_bytes);
    let (id_field, text_field) = (options.id_field.as_str(), options.text_field());
    if format == InputFormat::Parquet {
        return Ok(Box::new(parquet::rows(path, source)?));
    }
    if format == InputFormat::Warc {
        return Ok(Box::new(warc::WarcRecords::new(
            path, source, max_bytes, id_field, text_field,
        )));
    }
    if format == InputFormat::Html {
        return Ok(Box::new(std::iter::once(web_page::article(
            file, source, options,
        ))));
    }
    let declared = (format == InputFormat::MediaWiki)
        .then(|| TextEncoding::declared(&head))
        .flatten();
    let source = encoding::as_utf8(source, &head, options.encoding.or(declared));
    Ok(match format {
        InputFormat::Json => Box::new(json_values::JsonValues::new(path, source, max_bytes)),
        InputFormat::Csv => {
            let delimiter = delimited::delimiter(&head);
            Box::new(delimited::Rows::open(path, source, delimiter, max_bytes)?)
        }
        InputFormat::Tsv => Box::new(delimited::Rows::open(path, source, b'\t', max_bytes)?),
        InputFormat::MediaWiki => Box::new(mediawiki::Pages::new(
            path, source, max_bytes, id_field, text_field,
        )),
        InputFormat::Text => Box::new(std::iter::once(text::article(file, source, options))),
        _ => Box::new(json_lines::JsonLines::new(path, source, max_bytes)),
    })
}
