//! CoNLL-U: the text comes back from `SpaceAfter`, entities are `NER=` in MISC.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use vestnik_core::{ColumnScheme, Document, Entity};

use super::conllu_lines::{DocumentStart, Lines, Sentence, escape};
use super::{Item, WriteOptions, items};
use crate::corpus::Corpus;
use crate::error::Result;
use crate::issue::{Issue, Position};
use crate::lines::{LineReader, MAX_LINE_BYTES, is_utf16};
use crate::loss::{Loss, LossKind, Places};
use crate::problem::Problem;
use crate::records::{file_name, open_file};
use crate::tagged::{TaggedSentence, align, entities, tag_document};

pub(super) fn read(path: &Path) -> Result<Corpus> {
    let mut reader = LineReader::new(open_file(path)?, MAX_LINE_BYTES);
    let mut lines = Lines::new(path);
    let mut corpus = Corpus::default();
    loop {
        let line = reader.next_line();
        match line.map_err(|error| Issue::of_file(path, error.into()))? {
            Some(line) if line.number == 1 && is_utf16(line.bytes) => {
                corpus.issues.push(Issue::of_file(path, Problem::Utf16));
                return Ok(corpus);
            }
            Some(line) => lines.add(&line),
            None => break,
        }
    }
    lines.end_sentence();
    if lines.sentences.is_empty() {
        lines.issues.push(Issue::of_file(path, Problem::EmptyFile));
    }
    corpus.issues = lines.issues;
    corpus.losses = lines.losses;
    add_documents(path, &lines.sentences, &mut corpus);
    corpus.issues.sort_by_key(|issue| issue.line);
    Ok(corpus)
}

fn add_documents(path: &Path, sentences: &[Sentence], corpus: &mut Corpus) {
    let tags = |sentence: &Sentence| -> Vec<String> {
        sentence.words.iter().map(|word| word.tag.clone()).collect()
    };
    let all: Vec<Vec<String>> = sentences.iter().map(tags).collect();
    let scheme = ColumnScheme::detect(all.iter().map(|tags| tags.iter().map(String::as_str)));
    let with_starts = sentences
        .iter()
        .any(|sentence| sentence.starts_document.is_some());
    let documents = sentences
        .chunk_by(|_, next| with_starts && next.starts_document.is_none())
        .enumerate();
    for (index, sentences) in documents {
        let mut builder = Builder {
            path,
            scheme,
            text: String::new(),
            entities: Vec::new(),
            issues: &mut corpus.issues,
        };
        let Some(document) = builder.document(index, sentences) else {
            continue;
        };
        let position = Position {
            path: path.to_path_buf(),
            line: sentences[0].line,
        };
        corpus.push(document, position);
    }
}

/// Rebuilds the text of a document with its entities.
struct Builder<'a> {
    path: &'a Path,
    scheme: ColumnScheme,
    text: String,
    entities: Vec<Entity>,
    issues: &'a mut Vec<Issue>,
}

impl Builder<'_> {
    /// The document; `None` when a part of it has a defect.
    fn document(&mut self, index: usize, sentences: &[Sentence]) -> Option<Document> {
        let mut sound = true;
        for (place, sentence) in sentences.iter().enumerate() {
            let next = sentences.get(place + 1);
            sound &= !sentence.broken & self.add(sentence, behind(next));
        }
        let start = sentences[0].starts_document.clone().unwrap_or_default();
        let text = std::mem::take(&mut self.text);
        let mut document = self.named(start, index, text);
        document
            .set_entities(std::mem::take(&mut self.entities))
            .ok()?;
        sound.then_some(document)
    }

    fn named(&self, start: DocumentStart, index: usize, text: String) -> Document {
        let id = start
            .id
            .unwrap_or_else(|| format!("{}#{}", file_name(self.path), index + 1));
        let mut document = Document::new(id, text);
        if let Some(lang) = start.lang {
            document = document.with_lang(lang);
        }
        if let Some(source) = start.source {
            document = document.with_source(source);
        }
        match start.annotated {
            Some(labels) => document.with_annotated(labels),
            None => document,
        }
    }

    /// Adds a sentence, and behind it the white space that stands there unless the file says otherwise.
    fn add(&mut self, sentence: &Sentence, behind: &str) -> bool {
        let Some(surfaces) = self.add_surfaces(sentence, behind) else {
            let tokens = sentence.surfaces.iter().map(|token| token.form.as_str());
            let problem = Problem::TokensNotText {
                text: sentence.text.clone().unwrap_or_default(),
                tokens: tokens.collect::<Vec<_>>().join(" "),
            };
            self.issues
                .push(Issue::at(self.path, sentence.line, problem));
            return false;
        };
        let words = sentence.words.iter();
        let ranges: Vec<Range<usize>> = words.map(|word| surfaces[word.surface].clone()).collect();
        let tags: Vec<&str> = sentence
            .words
            .iter()
            .map(|word| word.tag.as_str())
            .collect();
        let (entities, problems) = entities(&tags, self.scheme, &ranges);
        self.entities.extend(entities);
        let sound = problems.is_empty();
        for problem in problems {
            let line = sentence.words[problem.index].line;
            self.issues
                .push(Issue::at(self.path, line, Problem::TagSequence(problem)));
        }
        sound
    }

    /// Adds the text of a sentence, and says where its surface tokens stand; `None` when `# text` is another text.
    fn add_surfaces(&mut self, sentence: &Sentence, behind: &str) -> Option<Vec<Range<usize>>> {
        let forms = sentence.surfaces.iter().map(|token| token.form.as_str());
        let in_text = match sentence.text.as_deref() {
            Some(text) if !sentence.broken => Some((text, align(text, forms)?)),
            _ => None,
        };
        let explicit = sentence.surfaces.iter().any(|token| token.after.is_some());
        let mut ranges = Vec::with_capacity(sentence.surfaces.len());
        for (index, token) in sentence.surfaces.iter().enumerate() {
            self.text.push_str(&token.before);
            let start = self.text.len();
            self.text.push_str(&token.form);
            ranges.push(start..self.text.len());
            let last = index + 1 == sentence.surfaces.len();
            let after = match (&token.after, &in_text) {
                (Some(after), _) => after,
                (None, _) if last => behind,
                (None, Some((text, aligned))) if !explicit => {
                    &text[aligned[index].end..aligned[index + 1].start]
                }
                (None, _) => " ",
            };
            self.text.push_str(after);
        }
        Some(ranges)
    }
}

/// What stands between a sentence and the next one of its document unless the file says otherwise.
fn behind(next: Option<&Sentence>) -> &'static str {
    match next {
        None => "",
        Some(next) if next.starts_paragraph => "\n",
        Some(_) => " ",
    }
}

/// What the format holds besides text and entities: the metadata, as comments.
const PLACES: Places = Places {
    metadata: true,
    entity_fields: false,
    others: false,
};

pub(super) fn write(
    corpus: &Corpus,
    options: &WriteOptions<'_>,
    out: &mut dyn Write,
) -> io::Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for (index, item) in items(corpus).enumerate() {
        losses.extend(item.losses(&PLACES));
        let (sentences, lost) = tag_document(item.document, options.segmenter, options.scheme);
        losses.extend(lost);
        losses.extend(write_start(&item, index, out)?);
        write_sentences(item.document, &sentences, out)?;
    }
    Ok(losses)
}

/// Writes the comments before a document; metadata that fit no line are lost.
fn write_start(item: &Item<'_>, index: usize, out: &mut dyn Write) -> io::Result<Vec<Loss>> {
    let document = item.document;
    let mut losses = Vec::new();
    let mut id = document.id().to_owned();
    if !fits_comment(&id) {
        id = format!("{}", index + 1);
        losses.push(Loss::written(document, LossKind::Id(id.clone())));
    }
    writeln!(out, "# newdoc id = {id}")?;
    let annotated = document.annotated().map(|labels| labels.join(" "));
    let spaced = document.annotated().is_some_and(|labels| {
        labels
            .iter()
            .any(|label| label.contains(char::is_whitespace))
    });
    for (name, value, fits) in [
        ("lang", document.lang(), true),
        ("source", document.source(), true),
        ("annotated", annotated.as_deref(), !spaced),
    ] {
        match value {
            Some(value) if fits && (fits_comment(value) || name == "annotated") => {
                writeln!(out, "# {name} = {value}")?;
            }
            Some(_) => losses.push(Loss::written(document, LossKind::Field(name.to_owned()))),
            None => {}
        }
    }
    Ok(losses)
}

fn fits_comment(value: &str) -> bool {
    !value.is_empty() && value.trim() == value && !value.contains(['\n', '\r'])
}

fn write_sentences(
    document: &Document,
    sentences: &[TaggedSentence],
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = document.text();
    let mut starts = sentences
        .iter()
        .filter_map(|s| Some(s.tokens.first()?.start()));
    let mut before = &text[..starts.next().unwrap_or(text.len())];
    for (number, sentence) in sentences.iter().enumerate() {
        let (Some(first), Some(last)) = (sentence.tokens.first(), sentence.tokens.last()) else {
            continue;
        };
        let next = starts.next();
        let shown = text[first.cover(*last).range()].replace(['\n', '\r', '\t'], " ");
        writeln!(out, "# sent_id = {}\n# text = {shown}", number + 1)?;
        for (index, (token, tag)) in sentence.tokens.iter().zip(&sentence.tags).enumerate() {
            let in_sentence = sentence.tokens.get(index + 1).map(|token| token.start());
            let after = &text[token.end()..in_sentence.or(next).unwrap_or(text.len())];
            let ends_document = in_sentence.is_none() && next.is_none();
            let misc = misc(tag, std::mem::take(&mut before), after, ends_document);
            let form = &text[token.range()];
            writeln!(out, "{}\t{form}\t_\t_\t_\t_\t_\t_\t_\t{misc}", index + 1)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// MISC: the tag, and the white space around the token where it is not what a reader expects.
fn misc(tag: &str, before: &str, after: &str, ends_document: bool) -> String {
    let mut pairs = Vec::new();
    if tag != "O" {
        pairs.push(format!("NER={tag}"));
    }
    match after {
        "" if !ends_document => pairs.push("SpaceAfter=No".to_owned()),
        "" => {}
        " " if !ends_document => {}
        spaces => pairs.push(format!("SpacesAfter={}", escape(spaces))),
    }
    if !before.is_empty() {
        pairs.push(format!("SpacesBefore={}", escape(before)));
    }
    if pairs.is_empty() {
        return "_".to_owned();
    }
    pairs.join("|")
}
