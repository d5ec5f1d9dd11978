//! Lines of a CoNLL-U file as sentences of surface tokens and tagged words.

use std::path::Path;

use crate::column_lines::is_tag;
use crate::issue::Issue;
use crate::lines::{Line, MAX_LINE_BYTES};
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::utf8;

/// The columns of CoNLL-U: ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC.
const N_COLUMNS: usize = 10;
const FORM: usize = 1;
const MISC: usize = 9;

/// Keys of MISC that may hold a tag, in lower case, the best first.
const TAG_KEYS: [&str; 3] = ["ner", "ne", "entity"];

/// A stretch of text: a word, or several words written as one.
#[derive(Debug, Default)]
pub(super) struct Surface {
    pub(super) form: String,
    /// White space before it, where the file says so.
    pub(super) before: String,
    /// White space behind it, where the file says so.
    pub(super) after: Option<String>,
}

/// A word with its tag.
#[derive(Debug)]
pub(super) struct Word {
    /// The surface token that it is, or is a part of.
    pub(super) surface: usize,
    pub(super) tag: String,
    pub(super) line: u64,
}

/// What comments say where a document starts.
#[derive(Debug, Default, Clone)]
pub(super) struct DocumentStart {
    pub(super) id: Option<String>,
    pub(super) lang: Option<String>,
    pub(super) source: Option<String>,
    pub(super) annotated: Option<Vec<String>>,
}

#[derive(Debug, Default)]
pub(super) struct Sentence {
    pub(super) surfaces: Vec<Surface>,
    pub(super) words: Vec<Word>,
    pub(super) text: Option<String>,
    pub(super) starts_document: Option<DocumentStart>,
    pub(super) starts_paragraph: bool,
    /// The line of the first comment or token.
    pub(super) line: u64,
    pub(super) broken: bool,
    /// The last word number that belongs to the last surface token.
    covered_to: u64,
}

/// Collects the sentences of a file.
pub(super) struct Lines<'a> {
    path: &'a Path,
    sentence: Sentence,
    pub(super) sentences: Vec<Sentence>,
    pub(super) issues: Vec<Issue>,
    pub(super) losses: Vec<Loss>,
    lost_columns: bool,
    lost_brackets: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            sentence: Sentence::default(),
            sentences: Vec::new(),
            issues: Vec::new(),
            losses: Vec::new(),
            lost_columns: false,
            lost_brackets: false,
        }
    }

    /// Takes the next line.
    pub(super) fn add(&mut self, line: &Line<'_>) {
        if line.is_blank() {
            return self.end_sentence();
        }
        if self.sentence.line == 0 {
            self.sentence.line = line.number;
        }
        if let Err(problem) = self.add_text(line) {
            self.sentence.broken = true;
            self.issues.push(Issue::at(self.path, line.number, problem));
        }
    }

    /// Ends the sentence at hand, as a blank line or the end of the file does.
    pub(super) fn end_sentence(&mut self) {
        let sentence = std::mem::take(&mut self.sentence);
        if sentence.broken || !sentence.words.is_empty() {
            self.sentences.push(sentence);
        } else {
            // Comments before a blank line belong to the next sentence.
            self.sentence.starts_document = sentence.starts_document;
            self.sentence.starts_paragraph = sentence.starts_paragraph;
        }
    }

    fn add_text(&mut self, line: &Line<'_>) -> Result<(), Problem> {
        if line.too_long {
            return Err(Problem::TooLong {
                limit: MAX_LINE_BYTES,
            });
        }
        let text = utf8(line.bytes)?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        match text.strip_prefix('#') {
            Some(comment) => self.comment(comment.trim()),
            None => self.token(line.number, text)?,
        }
        Ok(())
    }

    fn comment(&mut self, comment: &str) {
        let (key, value) = match comment.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None => (comment, None),
        };
        let sentence = &mut self.sentence;
        let start = sentence.starts_document.as_mut();
        match (key, start) {
            ("newdoc id" | "newdoc", _) => {
                sentence.starts_document = Some(DocumentStart {
                    id: value.filter(|id| !id.is_empty()),
                    ..DocumentStart::default()
                });
            }
            ("newpar id" | "newpar", _) => sentence.starts_paragraph = true,
            ("text", _) => sentence.text = value,
            ("lang", Some(start)) => start.lang = value,
            ("source", Some(start)) => start.source = value,
            ("annotated", Some(start)) => {
                let labels = value.unwrap_or_default();
                start.annotated = Some(labels.split_whitespace().map(str::to_owned).collect());
            }
            _ => {}
        }
    }

    fn token(&mut self, line: u64, text: &str) -> Result<(), Problem> {
        let columns: Vec<&str> = text.split('\t').collect();
        if columns.len() < N_COLUMNS {
            let found = columns.len();
            return Err(Problem::ConlluColumnCount { found });
        }
        if columns[FORM].is_empty() {
            return Err(Problem::EmptyToken { column: FORM + 1 });
        }
        let number = TokenNumber::parse(columns[0]).ok_or_else(|| Problem::TokenNumber {
            found: columns[0].to_owned(),
        })?;
        match number {
            // An empty node is not in the text.
            TokenNumber::Empty => return Ok(()),
            TokenNumber::Range(end) => {
                self.sentence.surfaces.push(surface(&columns));
                self.sentence.covered_to = end;
                return Ok(());
            }
            TokenNumber::Word(number) if number > self.sentence.covered_to => {
                self.sentence.surfaces.push(surface(&columns));
            }
            TokenNumber::Word(_) => {}
        }
        self.lose_columns(line, &columns);
        let tag = self.tag(line, &columns)?;
        self.sentence.words.push(Word {
            surface: self.sentence.surfaces.len() - 1,
            tag,
            line,
        });
        Ok(())
    }

    /// The tag in a further column, or else in MISC; `O` without any.
    fn tag(&mut self, line: u64, columns: &[&str]) -> Result<String, Problem> {
        let found = match columns.get(N_COLUMNS) {
            Some(&tag) => Some(tag),
            None => TAG_KEYS.iter().find_map(|key| misc(columns[MISC], key)),
        };
        match found {
            None | Some("_") => Ok("O".to_owned()),
            Some(tag) if is_tag(tag) => Ok(tag.to_owned()),
            Some(brackets) if brackets.contains(['(', ')']) => {
                self.lose_brackets(line);
                Ok("O".to_owned())
            }
            Some(tag) => Err(Problem::BadTag {
                tag: tag.to_owned(),
            }),
        }
    }

    /// Lemmas, parts of speech and trees are told once.
    fn lose_columns(&mut self, line: u64, columns: &[&str]) {
        let filled = |column: &&str| *column != "_";
        if !self.lost_columns && columns[FORM + 1..MISC].iter().any(filled) {
            self.lost_columns = true;
            let what = "the columns between FORM and MISC are not read".to_owned();
            let kind = LossKind::Annotation(what);
            self.losses.push(Loss::read(self.path, line, kind));
        }
    }

    /// `Entity=(e1-person-1` of CorefUD and GUM: mentions with coreference, nested and discontinuous.
    fn lose_brackets(&mut self, line: u64) {
        if !self.lost_brackets {
            self.lost_brackets = true;
            let kind =
                LossKind::Annotation("mentions in brackets (CorefUD) are not read".to_owned());
            self.losses.push(Loss::read(self.path, line, kind));
        }
    }
}

enum TokenNumber {
    Word(u64),
    /// Several words written as one, with the number of the last one.
    Range(u64),
    Empty,
}

impl TokenNumber {
    fn parse(text: &str) -> Option<Self> {
        if let Some((start, end)) = text.split_once('-') {
            let (start, end): (u64, u64) = (start.parse().ok()?, end.parse().ok()?);
            return (start < end).then_some(Self::Range(end));
        }
        if let Some((word, number)) = text.split_once('.') {
            let parts: (u64, u64) = (word.parse().ok()?, number.parse().ok()?);
            return Some(parts).map(|_| Self::Empty);
        }
        text.parse()
            .ok()
            .filter(|&number| number > 0)
            .map(Self::Word)
    }
}

fn surface(columns: &[&str]) -> Surface {
    let after = match misc(columns[MISC], "spaceafter") {
        Some(value) if value.eq_ignore_ascii_case("no") => Some(String::new()),
        _ => misc(columns[MISC], "spacesafter").map(unescape),
    };
    Surface {
        form: columns[FORM].to_owned(),
        before: misc(columns[MISC], "spacesbefore")
            .map(unescape)
            .unwrap_or_default(),
        after,
    }
}

/// The value of a key in MISC, whatever its case.
fn misc<'t>(column: &'t str, key: &str) -> Option<&'t str> {
    let mut pairs = column.split('|').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| found.eq_ignore_ascii_case(key))?;
    Some(value)
}

/// White space as UDPipe writes it in `SpacesAfter`.
pub(super) fn escape(spaces: &str) -> String {
    let mut escaped = String::new();
    for c in spaces.chars() {
        match c {
            ' ' => escaped.push_str("\\s"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '|' => escaped.push_str("\\p"),
            '\\' => escaped.push_str("\\\\"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn unescape(escaped: &str) -> String {
    let mut spaces = String::new();
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        spaces.push(match c {
            '\\' => match chars.next() {
                Some('s') => ' ',
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('p') => '|',
                Some(other) => other,
                None => '\\',
            },
            c => c,
        });
    }
    spaces
}
