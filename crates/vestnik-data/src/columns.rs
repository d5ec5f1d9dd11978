//! Column files of the CoNLL family: a token and its tag per line, sentences apart by blank lines.

use std::ops::Range;
use std::path::Path;

use vestnik_core::{ColumnScheme, Entity};

use crate::column_lines::{ColumnLines, DocumentStart, Sentence};
use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::{Fields, Problems};
use crate::issue::{Issue, Position};
use crate::lines::{LineReader, MAX_LINE_BYTES, is_utf16};
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::{Origin, file_name, open_file};
use crate::tagged::{align, entities};

/// From so many issues on, a file without a single token is taken for something else.
const MANY_ISSUES: usize = 10;

/// The fields of a document that are read from the line that starts it.
const FIELDS: [&str; 5] = ["id", "lang", "source", "annotated", "text"];

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
/// breaks this scheme is an issue. Lines `-DOCSTART-` and comments `# newdoc id = …` start documents; without any, each sentence is a document.
/// The text is rebuilt: a space between tokens, a line feed between sentences; where a comment `# text = …` stands before
/// a sentence, its text is taken. Documents are called by the file and their number from 1. The second column of
/// `-DOCSTART-` may be a JSON object with `id`, `lang`, `source`, `annotated`, `text` and other fields, as
/// [`write_corpus`](crate::write_corpus) writes it: then the text is exact. Lines that start with `# ` and do not end
/// with a tag are comments. Without options, a first line such as `1 Sofia B-LOC - name` shows that the first column
/// counts the tokens and the third one has the tags (Universal NER).
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
    let unread = lines.unread_columns().map(LossKind::Annotation);
    let mut reader = Reader {
        path,
        scheme,
        corpus: Corpus {
            issues: lines.issues,
            losses: unread
                .map(|kind| Loss::read(path, 1, kind))
                .into_iter()
                .collect(),
            ..Corpus::default()
        },
    };
    for (index, (start, group)) in groups(lines.sentences.len(), lines.document_starts)
        .into_iter()
        .enumerate()
    {
        reader.add(index + 1, &start, &lines.sentences[group]);
    }
    let mut corpus = reader.corpus;
    // Issues of lines and issues of tags were found one after the other.
    corpus.issues.sort_by_key(|issue| issue.line);
    corpus
}

/// The start and the sentences of each document.
fn groups(n_sentences: usize, starts: Vec<DocumentStart>) -> Vec<(DocumentStart, Range<usize>)> {
    let none = |sentence| DocumentStart {
        sentence,
        ..DocumentStart::default()
    };
    if starts.is_empty() {
        return (0..n_sentences)
            .map(|sentence| (none(sentence), sentence..sentence + 1))
            .collect();
    }
    let ends: Vec<usize> = starts.iter().map(|start| start.sentence).collect();
    let ends = ends.into_iter().chain([n_sentences]);
    let starts = std::iter::once(none(0)).chain(starts);
    starts
        .zip(ends)
        .map(|(start, end)| {
            let group = start.sentence..end;
            (start, group)
        })
        .filter(|(_, group)| !group.is_empty())
        .collect()
}

/// Rebuilds the texts of documents with their entities.
struct Reader<'a> {
    path: &'a Path,
    scheme: ColumnScheme,
    corpus: Corpus,
}

impl Reader<'_> {
    /// Adds a document, unless a part of it has a defect.
    fn add(&mut self, number: usize, start: &DocumentStart, sentences: &[Sentence]) {
        let Some(line) = sentences[0].tokens.first().map(|token| token.line) else {
            return;
        };
        let mut problems = Problems::default();
        let fields = Fields::new(&start.record);
        let origin = problems.keep(origin(&fields, self.path, number));
        let annotated = problems.keep(fields.optional_labels("annotated"));
        let mut sound = !start.broken && sentences.iter().all(|sentence| !sentence.broken);
        let placed = if sound {
            problems.keep(self.placed(&fields, sentences))
        } else {
            Some(joined(sentences).0)
        };
        let (text, ranges) = placed.unwrap_or_else(|| joined(sentences).0);
        let mut all = Vec::new();
        let mut ranges = ranges.as_slice();
        for sentence in sentences {
            let (own, rest) = ranges.split_at(sentence.tokens.len());
            ranges = rest;
            sound &= sentence.broken || self.entities(sentence, own, &mut all);
        }
        sound &= problems.is_empty();
        let issues = problems.into_vec().into_iter();
        let issues = issues.map(|problem| Issue::at(self.path, start.line, problem));
        self.corpus.issues.extend(issues);
        let (Some(origin), Some(annotated), true) = (origin, annotated, sound) else {
            return;
        };
        let mut document = origin.document(&text, annotated);
        document
            .set_entities(all)
            .expect("spans of tokens lie inside their text");
        let path = self.path.to_path_buf();
        let others = fields.without(&FIELDS);
        self.corpus
            .push_with(document, Position { path, line }, others);
    }

    /// The text of a document, and where its tokens stand.
    fn placed(
        &mut self,
        fields: &Fields<'_>,
        sentences: &[Sentence],
    ) -> std::result::Result<Placed, Problem> {
        if let Some(text) = fields.optional_string("text")? {
            let tokens = sentences.iter().flat_map(|sentence| &sentence.tokens);
            let tokens: Vec<&str> = tokens.map(|token| token.text.as_str()).collect();
            return match align(&text, tokens.iter().copied()) {
                Some(ranges) => Ok((text, ranges)),
                None => Err(Problem::TokensNotText {
                    text,
                    tokens: tokens.join(" "),
                }),
            };
        }
        let (placed, unlike) = joined(sentences);
        let losses = unlike.into_iter();
        let losses = losses.map(|line| Loss::read(self.path, line, LossKind::Spacing));
        self.corpus.losses.extend(losses);
        Ok(placed)
    }

    /// Adds the entities of a sentence. Says whether all its tags are in order.
    fn entities(
        &mut self,
        sentence: &Sentence,
        tokens: &[Range<usize>],
        all: &mut Vec<Entity>,
    ) -> bool {
        let tags: Vec<&str> = sentence.tags().collect();
        let (entities, problems) = entities(&tags, self.scheme, tokens);
        all.extend(entities);
        let sound = problems.is_empty();
        for problem in problems {
            let line = sentence.tokens[problem.index].line;
            let problem = Problem::TagSequence(problem);
            self.corpus.issues.push(Issue::at(self.path, line, problem));
        }
        sound
    }
}

fn origin(fields: &Fields<'_>, path: &Path, number: usize) -> std::result::Result<Origin, Problem> {
    let id = fields.identifier("id")?;
    Ok(Origin {
        id: id.unwrap_or_else(|| format!("{}#{number}", file_name(path))),
        lang: fields.optional_string("lang")?,
        source: fields.optional_string("source")?,
    })
}

/// A text, and where its tokens stand.
type Placed = (String, Vec<Range<usize>>);

/// The sentences in lines of their own, each as its comment gives it, or else its tokens with a space between each two;
/// and the lines of the sentences whose comment has another text.
fn joined(sentences: &[Sentence]) -> (Placed, Vec<u64>) {
    let (mut text, mut ranges, mut unlike) = (String::new(), Vec::new(), Vec::new());
    for sentence in sentences {
        if !text.is_empty() {
            text.push('\n');
        }
        let tokens = sentence.tokens.iter().map(|token| token.text.as_str());
        let tokens: Vec<&str> = tokens.collect();
        let plain = tokens.join(" ");
        let given = sentence.text.as_deref();
        let found = given.and_then(|given| Some((given, align(given, tokens.iter().copied())?)));
        if given.is_some() && found.is_none() {
            unlike.extend(sentence.tokens.first().map(|token| token.line));
        }
        let (own, places) = match found {
            Some(found) => found,
            None => (
                plain.as_str(),
                align(&plain, tokens).expect("a text of tokens has them"),
            ),
        };
        let start = text.len();
        ranges.extend(
            places
                .into_iter()
                .map(|at| start + at.start..start + at.end),
        );
        text.push_str(own);
    }
    ((text, ranges), unlike)
}
