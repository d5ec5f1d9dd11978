//! WebAnno TSV 3, the format of INCEpTION: sentences, units with offsets in UTF-16, and a column for each feature.

use std::collections::BTreeMap;
use std::path::Path;

use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit};

use super::ReadOptions;
use super::detect::WEBANNO_HEADER;
use super::webanno_lines::{Header, Unit, marks, unescape};
use crate::corpus::Corpus;
use crate::error::Result;
use crate::fields::Problems;
use crate::files::{files_below, read_whole, relative_name};
use crate::issue::{Issue, Position};
use crate::lines::MAX_LINE_BYTES;
use crate::loss::{Loss, LossKind};
use crate::problem::Problem;
use crate::records::file_name;
use crate::spans::AnnotatedText;

/// Reads a file, or all `.tsv` files of a folder: a document each.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let unit = options.offset_unit.unwrap_or(OffsetUnit::Utf16);
    let mut corpus = Corpus::default();
    if !path.is_dir() {
        let id = file_name(&path.with_extension(""));
        read_file(path, id, unit, &mut corpus)?;
        return Ok(corpus);
    }
    for file in files_below(path, &["tsv"])? {
        let id = relative_name(path, &file.with_extension(""));
        read_file(&file, id, unit, &mut corpus)?;
    }
    Ok(corpus)
}

fn read_file(path: &Path, id: String, unit: OffsetUnit, corpus: &mut Corpus) -> Result<()> {
    let text = match read_whole(path)? {
        Ok(text) => text,
        Err((line, problem)) => {
            let path = path.to_path_buf();
            corpus.issues.push(Issue {
                path,
                line,
                problem,
            });
            return Ok(());
        }
    };
    let mut file = File {
        unit,
        ..File::default()
    };
    file.read(&text);
    let document = file.document(id);
    let losses = file.losses.into_iter();
    corpus
        .losses
        .extend(losses.map(|kind| Loss::read(path, 1, kind)));
    let issues = file.issues.into_iter();
    corpus.issues.extend(issues.map(|(line, problem)| Issue {
        path: path.to_path_buf(),
        line,
        problem,
    }));
    if let Some(document) = document {
        let path = path.to_path_buf();
        corpus.push(document, Position { path, line: 1 });
    }
    Ok(())
}

/// An annotation: from where to where, its label, and the line of its first mark.
struct Annotation {
    start: usize,
    end: usize,
    label: Option<String>,
    line: u64,
}

#[derive(Default)]
struct File {
    unit: OffsetUnit,
    header: Header,
    text: String,
    /// The length of the text in the unit.
    length: usize,
    /// The text of the sentence that begins, until its first unit says where.
    sentence: Option<String>,
    /// Line, start, end and text of every unit.
    units: Vec<(u64, usize, usize, String)>,
    /// Annotations by their number; those without one have a number of their own, behind all others.
    annotations: BTreeMap<(bool, u64), Annotation>,
    /// Whether an entity has a feature beside its label.
    other_features: bool,
    issues: Vec<(Option<u64>, Problem)>,
    losses: Vec<LossKind>,
}

impl File {
    fn read(&mut self, text: &str) {
        if !text.starts_with(WEBANNO_HEADER) {
            let problem = Problem::NoAnnotation {
                found: text.lines().next().unwrap_or_default().to_owned(),
                expected: "\"#FORMAT=WebAnno TSV 3.3\" as the first line",
            };
            return self.issues.push((Some(1), problem));
        }
        let mut in_header = true;
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with("#Text=") {
                in_header = false;
            }
            if in_header {
                self.header.add(line);
            } else if let Err(problem) = self.line(number, line) {
                self.issues.push((Some(number), problem));
            }
        }
        self.lose_layers();
    }

    fn lose_layers(&mut self) {
        let Some((layer, _)) = self.header.entities() else {
            let spans = self.header.spans.iter();
            let found = spans.map(|layer| layer.name.clone()).collect();
            return self.issues.push((None, Problem::NoLayer { found }));
        };
        let others = self.header.besides(layer);
        let losses: Vec<LossKind> = others
            .map(|name| LossKind::Annotation(format!("the layer {name} is not read")))
            .collect();
        self.losses.extend(losses);
        if self.other_features {
            let what = "features of entities other than the label are not read".to_owned();
            self.losses.push(LossKind::Annotation(what));
        }
    }

    fn line(&mut self, number: u64, line: &str) -> std::result::Result<(), Problem> {
        if let Some(text) = line.strip_prefix("#Text=") {
            // Each line of a sentence has a line of its own here.
            let text = unescape(text);
            match &mut self.sentence {
                Some(sentence) => {
                    sentence.push('\n');
                    sentence.push_str(&text);
                }
                None => self.sentence = Some(text),
            }
            return Ok(());
        }
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(());
        }
        let unit = Unit::parse(line)?;
        if let Some(sentence) = self.sentence.take() {
            self.begin(&sentence, &unit)?;
        }
        self.mark(number, &unit);
        Ok(())
    }

    /// Sets the text of a sentence where its first unit says that it is. The file does not say what stands between
    /// sentences; it becomes line feeds.
    fn begin(&mut self, sentence: &str, first: &Unit<'_>) -> std::result::Result<(), Problem> {
        let leading = sentence.find(&unescape(first.text)).unwrap_or_default();
        let start = first
            .start
            .checked_sub(length(&sentence[..leading], self.unit))
            .filter(|&start| start >= self.length)
            .ok_or_else(|| Problem::NoAnnotation {
                found: format!("{}-{}", first.start, first.end),
                expected: "a sentence that begins behind the one before",
            })?;
        if start - self.length > MAX_LINE_BYTES {
            let limit = MAX_LINE_BYTES;
            return Err(Problem::TooLong { limit });
        }
        self.text.push_str(&"\n".repeat(start - self.length));
        self.text.push_str(sentence);
        self.length = start + length(sentence, self.unit);
        Ok(())
    }

    /// Takes note of the marks of a unit.
    fn mark(&mut self, line: u64, unit: &Unit<'_>) {
        let (start, end) = (unit.start, unit.end);
        self.units.push((line, start, end, unescape(unit.text)));
        let Some((layer, column)) = self.header.entities() else {
            return;
        };
        let features = layer.column..layer.column + layer.features.len();
        let others = features.filter(|&feature| feature != column);
        let mut others = others.filter_map(|feature| unit.columns.get(feature));
        self.other_features |=
            others.any(|column| marks(column).iter().any(|mark| mark.value.is_some()));
        for mark in marks(unit.columns.get(column).copied().unwrap_or("_")) {
            let own = self.annotations.len() as u64;
            let key = mark.number.map_or((true, own), |number| (false, number));
            let annotation = self.annotations.entry(key).or_insert(Annotation {
                start,
                end,
                label: mark.value,
                line,
            });
            annotation.start = annotation.start.min(start);
            annotation.end = annotation.end.max(end);
        }
    }

    /// The document; `None` when a part of it has a defect.
    fn document(&mut self, id: String) -> Option<Document> {
        if let Some(sentence) = self.sentence.take() {
            // A sentence without units.
            self.text.push_str(&sentence);
        }
        if self.issues.is_empty() && self.text.trim().is_empty() {
            self.issues.push((None, Problem::EmptyFile));
        }
        let text = AnnotatedText::new(&self.text, self.unit);
        for (line, start, end, quote) in &self.units {
            if start == end {
                continue;
            }
            let mut problems = Problems::default();
            let name = format!("{start}-{end}");
            let span = problems.keep(text.checked(&name, *start, *end));
            if let Some(span) = span {
                problems.keep(text.check_quote(&name, span, Some(quote.clone())));
            }
            let found = problems.into_vec().into_iter();
            self.issues
                .extend(found.map(|problem| (Some(*line), problem)));
        }
        let mut entities = Vec::new();
        for annotation in self.annotations.values() {
            match annotation.entity(&text) {
                Ok(Ok(entity)) => entities.push(entity),
                Ok(Err(lost)) => self.losses.push(lost),
                Err(problem) => self.issues.push((Some(annotation.line), problem)),
            }
        }
        // A unit and the entity on it may have the same defect.
        self.issues.dedup();
        if !self.issues.is_empty() {
            return None;
        }
        let mut document = Document::new(id, std::mem::take(&mut self.text));
        document.set_entities(entities).ok()?;
        Some(document)
    }
}

impl Annotation {
    fn entity(
        &self,
        text: &AnnotatedText<'_>,
    ) -> std::result::Result<std::result::Result<Entity, LossKind>, Problem> {
        let lost = |what: &str| Ok(Err(LossKind::Annotation(format!("{what} are not read"))));
        if self.start == self.end {
            return lost("annotations without text");
        }
        let Some(label) = self.label.as_deref().filter(|label| !label.is_empty()) else {
            return lost("entities without a label");
        };
        let name = format!("{}-{}", self.start, self.end);
        let span = text.checked(&name, self.start, self.end)?;
        Ok(Ok(Entity::new(span, label)))
    }
}

fn length(text: &str, unit: OffsetUnit) -> usize {
    OffsetMap::new(text, unit).len()
}
