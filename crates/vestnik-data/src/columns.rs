//! Column files of the CoNLL family: a token and its tag per line, sentences apart by blank lines.

use std::ops::Range;
use std::path::Path;

use vestnik_core::{ColumnScheme, Document, Entity, Span, read_tags};

use crate::column_lines::{ColumnLines, Sentence};
use crate::corpus::Corpus;
use crate::error::Result;
use crate::issue::{Issue, Position};
use crate::lines::{LineReader, MAX_LINE_BYTES, is_utf16};
use crate::problem::Problem;
use crate::records::{file_name, open_file};

/// From so many issues on, a file without a single token is taken for something else.
const MANY_ISSUES: usize = 10;

/// Which columns hold the token and the tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnOptions {
    /// The column of the token, counted from 0. Default: 0.
    pub token_column: usize,
    /// The column of the tag, counted from 0. Default: the last one.
    pub tag_column: Option<usize>,
}

impl ColumnOptions {
    /// The number of columns that a line needs.
    pub(crate) fn n_columns(&self) -> usize {
        self.token_column
            .max(self.tag_column.unwrap_or_default())
            .saturating_add(1)
    }
}

/// Reads a column file: a token per line, columns apart by tabs, or by spaces where a line has no tab.
///
/// The tags may follow IOB1, IOB2, BIOES or BILOU; the file shows which ([`ColumnScheme::detect`]), and every tag that
/// breaks this scheme is an issue. Lines `-DOCSTART-` start documents; without any, each sentence is a document.
/// The text is rebuilt: a space between tokens, a line feed between sentences. Documents are called by the file and
/// their number from 1. Lines that start with `# ` and do not end with a tag are comments.
///
/// # Errors
/// As [`read_ner`](crate::read_ner).
pub fn read_columns(path: &Path, options: &ColumnOptions) -> Result<Corpus> {
    let mut reader = LineReader::new(open_file(path)?, MAX_LINE_BYTES);
    let mut lines = ColumnLines::new(path, options, MAX_LINE_BYTES);
    loop {
        let line = reader.next_line();
        match line.map_err(|error| Issue::of_file(path, error.into()))? {
            Some(line) if line.number == 1 && is_utf16(line.bytes) => {
                return Ok(only_issue(path, Problem::Utf16));
            }
            Some(line) => lines.add(&line),
            None => break,
        }
    }
    lines.end_sentence();
    Ok(corpus(path, lines))
}

fn only_issue(path: &Path, problem: Problem) -> Corpus {
    Corpus {
        issues: vec![Issue::of_file(path, problem)],
        ..Corpus::default()
    }
}

fn corpus(path: &Path, lines: ColumnLines<'_>) -> Corpus {
    let without_tokens = lines
        .sentences
        .iter()
        .all(|sentence| sentence.tokens.is_empty());
    if without_tokens && lines.issues.len() >= MANY_ISSUES {
        return only_issue(path, Problem::NoColumns);
    }
    if lines.sentences.is_empty() {
        return only_issue(path, Problem::EmptyFile);
    }
    let scheme = ColumnScheme::detect(lines.sentences.iter().map(Sentence::tags));
    let groups = groups(lines.sentences.len(), &lines.document_starts);
    let mut corpus = Corpus {
        issues: lines.issues,
        ..Corpus::default()
    };
    for (index, group) in groups.into_iter().enumerate() {
        let id = format!("{}#{}", file_name(path), index + 1);
        let reader = DocumentReader {
            path,
            scheme,
            issues: &mut corpus.issues,
        };
        if let Some((document, line)) = reader.read(id, &lines.sentences[group]) {
            corpus.push(
                document,
                Position {
                    path: path.to_path_buf(),
                    line,
                },
            );
        }
    }
    // Issues of lines and issues of tags were found one after the other.
    corpus.issues.sort_by_key(|issue| issue.line);
    corpus
}

/// The sentences of each document.
fn groups(n_sentences: usize, document_starts: &[usize]) -> Vec<Range<usize>> {
    if document_starts.is_empty() {
        return (0..n_sentences)
            .map(|sentence| sentence..sentence + 1)
            .collect();
    }
    let starts = [0].into_iter().chain(document_starts.iter().copied());
    let ends = document_starts.iter().copied().chain([n_sentences]);
    starts
        .zip(ends)
        .map(|(start, end)| start..end)
        .filter(|group| !group.is_empty())
        .collect()
}

/// Rebuilds the text of one document with its entities.
struct DocumentReader<'a> {
    path: &'a Path,
    scheme: ColumnScheme,
    issues: &'a mut Vec<Issue>,
}

impl DocumentReader<'_> {
    /// The document and the line of its first token; `None` when a part of it has a defect.
    fn read(mut self, id: String, sentences: &[Sentence]) -> Option<(Document, u64)> {
        let mut text = String::new();
        let mut entities = Vec::new();
        let mut sound = true;
        for sentence in sentences {
            if !text.is_empty() {
                text.push('\n');
            }
            let tokens = append(&mut text, sentence);
            sound &= !sentence.broken && self.entities(sentence, &tokens, &mut entities);
        }
        let first_line = sentences.first()?.tokens.first().map(|token| token.line);
        let mut document = Document::new(id, text);
        document
            .set_entities(entities)
            .expect("spans of tokens lie inside their text");
        first_line.filter(|_| sound).map(|line| (document, line))
    }

    /// Adds the entities of a sentence. Says whether all its tags are in order.
    fn entities(
        &mut self,
        sentence: &Sentence,
        tokens: &[Range<usize>],
        entities: &mut Vec<Entity>,
    ) -> bool {
        let tags: Vec<&str> = sentence.tags().collect();
        let reading = read_tags(&tags, self.scheme);
        for (first, end, label) in reading.spans {
            let span = Span::new(tokens[first].start, tokens[end - 1].end);
            entities.push(Entity::new(span.expect("tokens are not empty"), label));
        }
        let sound = reading.problems.is_empty();
        for problem in reading.problems {
            let line = sentence.tokens[problem.index].line;
            self.issues
                .push(Issue::at(self.path, line, Problem::TagSequence(problem)));
        }
        sound
    }
}

/// Adds the tokens of a sentence to the text, and says where each one stands.
fn append(text: &mut String, sentence: &Sentence) -> Vec<Range<usize>> {
    let mut ranges = Vec::with_capacity(sentence.tokens.len());
    for (index, token) in sentence.tokens.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(&token.text);
        ranges.push(start..text.len());
    }
    ranges
}
