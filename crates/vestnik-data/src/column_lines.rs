//! Lines of a column file as sentences of tokens with tags.

use std::path::Path;

use crate::columns::ColumnOptions;
use crate::fields::Problems;
use crate::issue::Issue;
use crate::lines::Line;
use crate::problem::Problem;
use crate::records::utf8;

/// The token that starts a document.
const DOCUMENT_START: &str = "-DOCSTART-";

/// A token and its tag cannot share a column.
const MIN_COLUMNS: usize = 2;

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
    /// Whether a line of the sentence has a defect, so that tokens are missing.
    pub(crate) broken: bool,
}

impl Sentence {
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().map(|token| token.tag.as_str())
    }
}

/// Collects the sentences of a column file.
pub(crate) struct ColumnLines<'a> {
    path: &'a Path,
    options: &'a ColumnOptions,
    max_line_bytes: usize,
    /// The number of columns of the first token's line.
    n_columns: Option<usize>,
    sentence: Sentence,
    pub(crate) sentences: Vec<Sentence>,
    /// How many sentences stand before each start of a document.
    pub(crate) document_starts: Vec<usize>,
    pub(crate) issues: Vec<Issue>,
}

impl<'a> ColumnLines<'a> {
    pub(crate) fn new(path: &'a Path, options: &'a ColumnOptions, max_line_bytes: usize) -> Self {
        Self {
            path,
            options,
            max_line_bytes,
            n_columns: None,
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
        let sentence = std::mem::take(&mut self.sentence);
        if sentence.broken || !sentence.tokens.is_empty() {
            self.sentences.push(sentence);
        }
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
            self.end_sentence();
            self.document_starts.push(self.sentences.len());
        } else if !is_comment(text, &columns) {
            let token = self.token(number, &columns, problems);
            self.sentence.tokens.extend(token);
        }
    }

    fn token(&mut self, line: u64, columns: &[&str], problems: &mut Problems) -> Option<Token> {
        problems.keep(self.check_count(columns.len()))?;
        self.n_columns = Some(columns.len());
        let tag_column = self.options.tag_column.unwrap_or(columns.len() - 1);
        let text = problems.keep(self.token_text(columns));
        let tag = problems.keep(checked_tag(columns[tag_column]));
        Some(Token {
            text: text?.to_owned(),
            tag: tag?.to_owned(),
            line,
        })
    }

    fn check_count(&self, found: usize) -> Result<(), Problem> {
        let needed = self.options.n_columns().max(MIN_COLUMNS);
        let expected = self.n_columns.unwrap_or(needed);
        let fits = if self.n_columns.is_some() {
            found == expected
        } else {
            found >= needed
        };
        if fits {
            Ok(())
        } else {
            Err(Problem::ColumnCount { found, expected })
        }
    }

    fn token_text<'l>(&self, columns: &[&'l str]) -> Result<&'l str, Problem> {
        let column = self.options.token_column;
        let text = columns[column].trim();
        if text.is_empty() {
            Err(Problem::EmptyToken { column: column + 1 })
        } else {
            Ok(text)
        }
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

/// A token may be `#` too; its line ends with a tag.
fn is_comment(line: &str, columns: &[&str]) -> bool {
    let ends_with_tag = columns.len() > 1 && columns.last().is_some_and(|tag| is_tag(tag));
    line == "#" || (line.starts_with("# ") && !ends_with_tag)
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
