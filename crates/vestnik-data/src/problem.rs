//! What can be wrong with an input: the facts, and one message for each.

use std::io;
use std::time::Duration;

use vestnik_core::{OffsetUnit, TagDefect, TagProblem};

use crate::json::JsonType;

/// How many names a message lists before it says how many more there are.
const LISTED_NAMES: usize = 12;
/// How many characters of a value a message quotes.
const QUOTED_CHARS: usize = 60;

/// What is wrong with an input. Fields named `field` are paths into the record, such as `entities[2].start`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file, or the rest of it, cannot be read: the system refused, or the compressed data is damaged.
    #[error("cannot be read from here on: {reason}")]
    Unreadable {
        /// The kind of the system's or the decoder's error.
        kind: io::ErrorKind,
        /// Its message.
        reason: String,
    },
    /// A Parquet file is damaged, cut, or compressed in a way that is not read.
    #[error(
        "cannot be read as Parquet: {reason}; hint: it must be whole, its columns plain or compressed with snappy, zstd, gzip, lz4 or brotli"
    )]
    DamagedParquet {
        /// The decoder's message.
        reason: String,
    },
    /// The file is of a known kind that is not read.
    #[error("found {found}, expected plain text, gzip, zstd, bzip2 or xz")]
    UnsupportedFormat {
        /// The kind, with its article: "an xz archive".
        found: &'static str,
    },
    /// Neither the name nor the first character of the file says what it is.
    #[error(
        "unknown kind of file, expected .jsonl, .json, .txt, .csv, .tsv, .parquet, .warc, .xml or .html (also .gz, .zst, .bz2, .xz), or lines that start with \"{{\"; hint: name the format"
    )]
    UnknownFormat,
    /// The file has no bytes, or only blank lines.
    #[error("the file is empty, expected at least one record")]
    EmptyFile,
    /// The file is JSON, but not one object per line.
    #[error(
        "found {found}, expected one JSON object per line; hint: jq -c '{filter}' FILE > FILE.jsonl"
    )]
    NotInLines {
        /// What the file starts with.
        found: &'static str,
        /// The jq filter that rewrites it.
        filter: &'static str,
    },
    /// The file is encoded in UTF-16.
    #[error("found UTF-16, expected UTF-8; hint: iconv -f UTF-16 -t UTF-8")]
    Utf16,
    /// A line, or a plain text file, is longer than allowed; it is skipped.
    #[error(
        "found more than {limit} bytes, expected at most that many; hint: raise the limit if this is one article"
    )]
    TooLong {
        /// The largest number of bytes allowed.
        limit: usize,
    },
    /// The line is not UTF-8.
    #[error(
        "invalid UTF-8 at byte {offset} of the line; hint: convert the file, e.g. iconv -f CP1251 -t UTF-8"
    )]
    InvalidUtf8 {
        /// The first bad byte, counted from 0 at the start of the line.
        offset: usize,
    },
    /// The line is not JSON, or an object in it has one field twice.
    #[error("invalid JSON at column {column} ({reason}), expected one JSON object")]
    InvalidJson {
        /// The byte in the line, counted from 1.
        column: usize,
        /// The parser's message.
        reason: String,
    },
    /// An object has a field twice, so that nobody knows which value is meant.
    #[error("the field {} is there twice, expected each field once", quoted(field))]
    FieldTwice {
        /// The name.
        field: String,
    },
    /// The line is JSON, but not an object.
    #[error("found {found}, expected a JSON object such as {{\"text\":\"…\"}}")]
    NotAnObject {
        /// What the line holds.
        found: JsonType,
    },
    /// A field is not there.
    #[error("no field {}, found {}", quoted(field), listed(present))]
    MissingField {
        /// The field that was expected.
        field: String,
        /// The fields that are there.
        present: Vec<String>,
    },
    /// A field holds a value of another type.
    #[error("{field} is {found}, expected {expected}")]
    WrongType {
        /// The field.
        field: String,
        /// What was expected, with its article: "a string".
        expected: &'static str,
        /// What is there.
        found: JsonType,
    },
    /// A text is empty or blank, so it cannot be annotated or learnt from.
    #[error("{field} is empty, expected some text")]
    EmptyText {
        /// The field.
        field: String,
    },
    /// The model failed on this article.
    #[error("cannot be tagged: {reason}")]
    NotTagged {
        /// What it said.
        reason: String,
    },
    /// A web page that no parser gets through in a sensible time.
    #[error("found more than {limit} {found}, expected at most that many")]
    TooDeep {
        /// What there is too much of.
        found: &'static str,
        /// The largest number allowed.
        limit: usize,
    },
    /// It takes longer to be worked on than is allowed.
    #[error("takes longer than the {} s that are allowed for an article", limit.as_secs_f64())]
    TooSlow {
        /// The time that is allowed.
        limit: Duration,
    },
    /// A label is the empty string.
    #[error("{field} is empty, expected a label")]
    EmptyLabel {
        /// The field.
        field: String,
    },
    /// A value is not among the allowed ones.
    #[error("{field} is {}, expected one of {}", quoted(found), listed(expected))]
    UnknownValue {
        /// The field.
        field: String,
        /// The value that is there.
        found: String,
        /// The values that are allowed.
        expected: Vec<String>,
    },
    /// Two records of a file have one id.
    #[error(
        "id {} is taken by line {first_line}, expected one record per id",
        quoted(id)
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// The line that has it already.
        first_line: u64,
    },
    /// A span holds no character.
    #[error("{field} is empty: {start}..{end}, expected start < end; hint: ends are exclusive")]
    SpanEmpty {
        /// The annotation.
        field: String,
        /// Its start.
        start: usize,
        /// Its end.
        end: usize,
    },
    /// A span ends behind the text.
    #[error("{field} is {start}..{end}, expected at most {length}; hint: offsets count {}", unit_name(*unit))]
    SpanOutOfBounds {
        /// The annotation.
        field: String,
        /// Its start.
        start: usize,
        /// Its end.
        end: usize,
        /// The length of the text.
        length: usize,
        /// The unit of all three.
        unit: OffsetUnit,
    },
    /// A span starts or ends inside a character.
    #[error("{field} is {start}..{end}, expected ends between characters; hint: offsets count {}", unit_name(*unit))]
    SpanInsideChar {
        /// The annotation.
        field: String,
        /// Its start.
        start: usize,
        /// Its end.
        end: usize,
        /// The unit of both.
        unit: OffsetUnit,
    },
    /// A span holds nothing but white space.
    #[error("{field} covers only white space: {start}..{end}, expected a name; hint: offsets count {}", unit_name(*unit))]
    SpanBlank {
        /// The annotation.
        field: String,
        /// Its start.
        start: usize,
        /// Its end.
        end: usize,
        /// The unit of both.
        unit: OffsetUnit,
    },
    /// The text that an annotation quotes is not the text under its span.
    #[error("{field} says {}, but the span covers {}; hint: offsets count {}", quoted(quote), quoted(covered), unit_name(*unit))]
    SpanText {
        /// The annotation.
        field: String,
        /// The text that the annotation gives.
        quote: String,
        /// The text at its offsets.
        covered: String,
        /// The unit of the offsets.
        unit: OffsetUnit,
    },
    /// An entity has a label that the record does not list as annotated.
    #[error(
        "{field} is {}, but \"annotated\" lists {}",
        quoted(label),
        listed(annotated)
    )]
    LabelNotAnnotated {
        /// The field.
        field: String,
        /// The label.
        label: String,
        /// The labels that the record says it annotates.
        annotated: Vec<String>,
    },
    /// Two entities of a document share characters, where flat annotation is needed.
    #[error(
        "the {label} {} overlaps {}, expected entities side by side",
        quoted(text),
        quoted(other)
    )]
    Overlap {
        /// The later entity's label.
        label: String,
        /// The later entity's text.
        text: String,
        /// The earlier entity's text.
        other: String,
    },
    /// A line of a column file has another number of columns than the lines before.
    #[error("found {found}, expected {expected} columns, the token first and the tag last", found = count(*found, "column"))]
    ColumnCount {
        /// The number of columns of the line.
        found: usize,
        /// The number of columns of the file: that of its first token.
        expected: usize,
    },
    /// A row of a table has more or fewer values than its header.
    #[error("found {found}, expected {expected} as in the header", found = count(*found, "value"))]
    ValueCount {
        /// The number of values of the row.
        found: usize,
        /// The number of names in the header.
        expected: usize,
    },
    /// A line of CoNLL-U has too few columns.
    #[error("found {found}, expected the 10 of CoNLL-U with a tab between each two", found = count(*found, "column"))]
    ConlluColumnCount {
        /// The number of columns of the line.
        found: usize,
    },
    /// No line of a column file has a token and a tag.
    #[error(
        "no line has a token and a tag, expected a column file (CoNLL), or JSON lines that start with \"{{\""
    )]
    NoColumns,
    /// The token column is empty.
    #[error("the token is empty, expected some text in column {column}")]
    EmptyToken {
        /// The column, counted from 1.
        column: usize,
    },
    /// The tag column holds no tag.
    #[error(
        "{} is no tag, expected O, or B-, I-, E-, S-, L- or U- with a label, such as B-PER",
        quoted(tag)
    )]
    BadTag {
        /// What is there.
        tag: String,
    },
    /// A tag cannot stand at its place in the sentence.
    #[error("{}", tag_sequence(.0))]
    TagSequence(TagProblem),
    /// The first column of CoNLL-U holds no number of a token.
    #[error(
        "{} is no number of a token, expected such as 1, 1-2 or 1.1",
        quoted(found)
    )]
    TokenNumber {
        /// What is there.
        found: String,
    },
    /// The text that a sentence or record gives is not that of its tokens.
    #[error(
        "the tokens do not make the text {}, they make {}",
        quoted(text),
        quoted(tokens)
    )]
    TokensNotText {
        /// The text that is given.
        text: String,
        /// The tokens with a space between each two.
        tokens: String,
    },
    /// Two lists that belong together have different lengths.
    #[error("{field} has {}, expected {expected}, one for each token", count(*found, "tag"))]
    TagCount {
        /// The list of tags.
        field: String,
        /// Its length.
        found: usize,
        /// The number of tokens.
        expected: usize,
    },
    /// An annotation is not the list that it should be.
    #[error("{field} is {}, expected {expected}", quoted(found))]
    NoList {
        /// The annotation.
        field: String,
        /// What is there, as JSON.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A tag is a number, and nothing says what it means.
    #[error(
        "{field} is the number {tag}, expected a name; hint: --tag-names O,B-PER,… of vestnik data convert names them in their order, as does a dataset_info.json beside the file"
    )]
    TagWithoutName {
        /// The field.
        field: String,
        /// The number.
        tag: u64,
    },
    /// A line of an annotation file is none of its format.
    #[error("{} is no annotation, expected {expected}", quoted(found))]
    NoAnnotation {
        /// The line.
        found: String,
        /// What lines look like.
        expected: &'static str,
    },
    /// The other file of a pair is not there.
    #[error("no file {} beside it", quoted(name))]
    NoPartner {
        /// Its name.
        name: String,
    },
    /// A file has no text to annotate.
    #[error("no text, expected {expected}")]
    NoText {
        /// What holds texts in its format.
        expected: &'static str,
    },
    /// A layer of annotations that the file should have is not there.
    #[error("no layer of named entities with a value, found {}", listed(found))]
    NoLayer {
        /// The layers that are there.
        found: Vec<String>,
    },
    /// A text field that Label Studio's `data` should have is not there, or there are several.
    #[error(
        "{field} has no text field, found the strings {}; hint: name the field with the text",
        listed(found)
    )]
    NoTextField {
        /// The object.
        field: String,
        /// The fields with strings.
        found: Vec<String>,
    },
    /// Annotations of a kind that has no offsets in plain text.
    #[error("{field} is {}, expected labels of plain text", quoted(found))]
    RegionKind {
        /// The field.
        field: String,
        /// The kind.
        found: String,
    },
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        let (kind, reason) = (error.kind(), error.to_string());
        Self::Unreadable { kind, reason }
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        let message = error.to_string();
        // The position has its own field; the line is always the first.
        let reason = message.split(" at line ").next().unwrap_or_default();
        Self::InvalidJson {
            column: error.column(),
            reason: reason.to_owned(),
        }
    }
}

impl Problem {
    /// Whether nothing more can be read from the input, so that what was read is not all.
    pub fn ends_input(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. } | Self::UnsupportedFormat { .. } | Self::DamagedParquet { .. }
        )
    }
}

fn tag_sequence(problem: &TagProblem) -> String {
    let TagProblem {
        tag,
        scheme,
        defect,
        ..
    } = problem;
    let tag = quoted(tag);
    match defect {
        TagDefect::Unknown => format!("{tag} is no tag of {scheme}, which the file follows"),
        TagDefect::Orphan => format!("{tag} continues no entity, expected it to ({scheme})"),
        TagDefect::Unclosed => format!("the entity of {tag} has no end, expected one ({scheme})"),
    }
}

fn unit_name(unit: OffsetUnit) -> &'static str {
    match unit {
        OffsetUnit::Byte => "UTF-8 bytes, ends exclusive",
        OffsetUnit::Char => "Unicode code points, ends exclusive",
        OffsetUnit::Utf16 => "UTF-16 units, ends exclusive",
    }
}

/// "1 column", "3 columns".
fn count(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{ending}")
}

/// Quotes a value so that it stays short and on one line, whatever it holds.
pub(crate) fn quoted(value: &str) -> String {
    match value.char_indices().nth(QUOTED_CHARS) {
        Some((cut, _)) => format!("{:?}…", &value[..cut]),
        None => format!("{value:?}"),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names
        .iter()
        .take(LISTED_NAMES)
        .map(|name| quoted(name))
        .collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(LISTED_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
