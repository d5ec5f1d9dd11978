//! Lines of a column file as sentences of tokens with tags.

use std::path::Path;

use serde_json::{Map, Value};

use crate::columns::ColumnOptions;
use crate::fields::Problems;
use crate::issue::Issue;
use crate::json::parse_object;
use crate::lines::Line;
use crate::problem::Problem;
use crate::records::utf8;

/// The token that starts a document.
const DOCUMENT_START: &str = "-DOCSTART-";

/// A token and its tag cannot share a column.
const MIN_COLUMNS: usize = 2;

/// The columns of token and tag where the first one counts tokens and the last ones name annotators, as in `.iob2` files
/// of Universal NER.
const COUNTED: Layout = Layout { token: 1, tag: 2 };

/// A token with its tag.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) tag: String,
    pub(crate) line: u64,
}

/// Tokens between two blank lines.
#[derive(Default)]
pub(crate) struct Sentence {
    pub(crate) tokens: Vec<Token>,
    /// The text that a comment `# text = …` gives.
    pub(crate) text: Option<String>,
    /// Whether a line of the sentence has a defect, so that tokens are missing.
    pub(crate) broken: bool,
}

impl Sentence {
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|token| token.tag.as_str())
    }
}

/// A line that starts a document.
#[derive(Default)]
pub(crate) struct DocumentStart {
    /// How many sentences stand before it.
    pub(crate) sentence: usize,
    pub(crate) line: u64,
    /// What the line says of the document: id, language, text, ….
    pub(crate) record: Map<String, Value>,
    /// Whether that cannot be read.
    pub(crate) broken: bool,
}

/// Where token and tag stand.
#[derive(Clone, Copy)]
struct Layout {
    token: usize,
    tag: usize,
}

/// Collects the sentences of a column file.
pub(crate) struct ColumnLines<'a> {
    path: &'a Path,
    options: &'a ColumnOptions,
    max_line_bytes: usize,
    /// The number of columns of the first token's line, and which of them are read.
    shape: Option<(usize, Layout)>,
    sentence: Sentence,
    pub(crate) sentences: Vec<Sentence>,
    pub(crate) document_starts: Vec<DocumentStart>,
    pub(crate) issues: Vec<Issue>,
}

impl<'a> ColumnLines<'a> {
    pub(crate) fn new(path: &'a Path, options: &'a ColumnOptions, max_line_bytes: usize) -> Self {
        Self {
            path,
            options,
            max_line_bytes,
            shape: None,
            sentence: Sentence::default(),
            sentences: Vec::new(),
            document_starts: Vec::new(),
            issues: Vec::new(),
        }
    }

    /// Takes the next line.
    pub(crate) fn add(&mut self, line: &Line<'_>) {
        let mut problems = Problems::default();
        if line.is_blank() {
            self.end_sentence();
        } else if let Some(text) = problems.keep(self.text(line)) {
            self.add_text(line.number, text, &mut problems);
        }
        self.sentence.broken |= !problems.is_empty();
        let issues = problems.into_vec().into_iter();
        self.issues
            .extend(issues.map(|problem| Issue::at(self.path, line.number, problem)));
    }

    /// Ends the sentence at hand, as a blank line or the end of the file does.
    pub(crate) fn end_sentence(&mut self) {
        if self.sentence.broken || !self.sentence.tokens.is_empty() {
            self.sentences.push(std::mem::take(&mut self.sentence));
        }
    }

    /// That there are columns beside token and tag.
    pub(crate) fn unread_columns(&self) -> Option<String> {
        let (n_columns, _) = self
            .shape
            .filter(|&(n_columns, _)| n_columns > MIN_COLUMNS)?;
        let n_unread = n_columns - MIN_COLUMNS;
        Some(format!(
            "columns that are not read: {n_unread} of {n_columns}"
        ))
    }

    fn text<'l>(&self, line: &Line<'l>) -> Result<&'l str, Problem> {
        if line.too_long {
            return Err(Problem::TooLong {
                limit: self.max_line_bytes,
            });
        }
        Ok(utf8(line.bytes)?.trim_end_matches(['\r', ' ', '\t']))
    }

    fn add_text(&mut self, number: u64, text: &str, problems: &mut Problems) {
        let columns = split(text);
        if columns.first() == Some(&DOCUMENT_START) {
            self.start_document(number, &columns, problems);
        } else if is_comment(text, &columns) {
            self.comment(number, text);
        } else {
            let token = self.token(number, &columns, problems);
            self.sentence.tokens.extend(token);
        }
    }

    /// Comments of Universal Dependencies.
    fn comment(&mut self, line: u64, comment: &str) {
        if let Some(text) = comment.strip_prefix("# text = ") {
            self.sentence.text = Some(text.to_owned());
        } else if let Some(start) = comment.strip_prefix("# newdoc") {
            self.end_sentence();
            let id = start.trim_start().strip_prefix("id = ");
            let id = id.map(|id| ("id".to_owned(), id.into()));
            self.document_starts.push(DocumentStart {
                sentence: self.sentences.len(),
                line,
                record: id.into_iter().collect(),
                broken: false,
            });
        }
    }

    /// The line may hold a JSON object behind its first column, as [`crate::write_corpus`] writes it.
    fn start_document(&mut self, line: u64, columns: &[&str], problems: &mut Problems) {
        self.end_sentence();
        let json = columns.get(1).filter(|column| column.starts_with('{'));
        let record = json.map(|json| problems.keep(parse_object(json)));
        self.document_starts.push(DocumentStart {
            sentence: self.sentences.len(),
            line,
            broken: record == Some(None),
            record: record.flatten().unwrap_or_default(),
        });
    }

    fn token(&mut self, line: u64, columns: &[&str], problems: &mut Problems) -> Option<Token> {
        let layout = problems.keep(self.layout(columns))?;
        let text = problems.keep(token_text(columns, layout.token));
        let tag = problems.keep(checked_tag(columns[layout.tag]));
        Some(Token {
            text: text?.to_owned(),
            tag: tag?.to_owned(),
            line,
        })
    }

    /// The columns to read, which the first line of a token decides for the whole file.
    fn layout(&mut self, columns: &[&str]) -> Result<Layout, Problem> {
        let found = columns.len();
        let (expected, layout) = match self.shape {
            Some(shape) => shape,
            None => {
                let expected = self.options.n_columns().max(MIN_COLUMNS);
                if found < expected {
                    return Err(Problem::ColumnCount { found, expected });
                }
                *self.shape.insert((found, self.options.layout(columns)))
            }
        };
        if found == expected {
            Ok(layout)
        } else {
            Err(Problem::ColumnCount { found, expected })
        }
    }
}

impl ColumnOptions {
    fn layout(&self, columns: &[&str]) -> Layout {
        let counted = || {
            let tag = columns.get(COUNTED.tag);
            columns[0] == "1"
                && tag.is_some_and(|tag| is_tag(tag))
                && !is_tag(columns[columns.len() - 1])
        };
        if *self == Self::default() && counted() {
            return COUNTED;
        }
        Layout {
            token: self.token_column,
            tag: self.tag_column.unwrap_or(columns.len() - 1),
        }
    }
}

fn token_text<'l>(columns: &[&'l str], column: usize) -> Result<&'l str, Problem> {
    let text = columns[column].trim();
    if text.is_empty() {
        Err(Problem::EmptyToken { column: column + 1 })
    } else {
        Ok(text)
    }
}

/// Tabs separate columns where there are any, since tokens may hold spaces then.
fn split(line: &str) -> Vec<&str> {
    if line.contains('\t') {
        return line.split('\t').collect();
    }
    line.split(' ')
        .filter(|column| !column.is_empty())
        .collect()
}

/// A token may be `#` too; its line ends with a tag. So may a comment such as `# text = Vitamin B-12`.
fn is_comment(line: &str, columns: &[&str]) -> bool {
    let ends_with_tag = columns.len() > 1 && columns.last().is_some_and(|tag| is_tag(tag));
    let names_a_value = columns.get(2) == Some(&"=");
    line == "#" || (line.starts_with("# ") && (!ends_with_tag || names_a_value))
}

fn checked_tag(tag: &str) -> Result<&str, Problem> {
    if is_tag(tag) {
        Ok(tag)
    } else {
        Err(Problem::BadTag {
            tag: tag.to_owned(),
        })
    }
}

pub(crate) fn is_tag(tag: &str) -> bool {
    match tag.split_once('-') {
        Some((prefix, label)) => {
            "BIESLU".contains(prefix) && prefix.len() == 1 && !label.is_empty()
        }
        None => tag == "O",
    }
}
