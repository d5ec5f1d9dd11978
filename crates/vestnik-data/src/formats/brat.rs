//! brat standoff: `.txt` files with the texts, and `.ann` files beside them with the annotations.

use std::path::{Path, PathBuf};

use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit, Span};

use super::{ReadOptions, items};
use crate::compression::extension;
use crate::corpus::Corpus;
use crate::error::Result;
use crate::files::{Files, Names, all_files, read_whole, relative_name};
use crate::issue::{Issue, Position};
use crate::loss::{Loss, LossKind, Places};
use crate::problem::Problem;
use crate::records::file_name;
use crate::spans::AnnotatedText;

const EXPECTED: &str = "such as \"T1<TAB>PER 0 5<TAB>Sofia\"";

/// Reads a folder, or one pair of files by the name of either.
pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<Corpus> {
    let unit = options.offset_unit.unwrap_or_default();
    let mut corpus = Corpus::default();
    if !path.is_dir() {
        let id = file_name(&path.with_extension(""));
        read_pair(&path.with_extension("txt"), id, unit, &mut corpus)?;
        return Ok(corpus);
    }
    for file in all_files(path)? {
        if extension(&file) == "txt" {
            let id = relative_name(path, &file.with_extension(""));
            read_pair(&file, id, unit, &mut corpus)?;
        } else if extension(&file) == "ann" && !file.with_extension("txt").is_file() {
            corpus
                .issues
                .push(no_partner(&file, &file.with_extension("txt")));
        }
    }
    Ok(corpus)
}

fn no_partner(path: &Path, partner: &Path) -> Issue {
    let name = file_name(partner);
    Issue::of_file(path, Problem::NoPartner { name })
}

fn read_pair(text_path: &Path, id: String, unit: OffsetUnit, corpus: &mut Corpus) -> Result<()> {
    let path = text_path.with_extension("ann");
    if !path.is_file() {
        let loss = Loss::read(text_path, 1, LossKind::NotAnnotated);
        corpus.losses.push(loss);
        return Ok(());
    }
    if !text_path.is_file() {
        corpus.issues.push(no_partner(&path, text_path));
        return Ok(());
    }
    let mut whole = |path: &PathBuf| -> Result<Option<String>> {
        let read = read_whole(path)?.map_err(|(line, problem)| Issue {
            path: path.clone(),
            line,
            problem,
        });
        Ok(read.map_err(|issue| corpus.issues.push(issue)).ok())
    };
    let (Some(text), Some(annotations)) = (whole(&text_path.to_path_buf())?, whole(&path)?) else {
        return Ok(());
    };
    if text.trim().is_empty() {
        let field = "the text".to_owned();
        let problem = Problem::EmptyText { field };
        corpus.issues.push(Issue::of_file(text_path, problem));
        return Ok(());
    }
    let (text, pair) = best_reading(text, &annotations, unit);
    add(text_path, &path, Document::new(id, text), pair, corpus);
    Ok(())
}

/// What the lines of an `.ann` file say of a text, each with its line.
#[derive(Default)]
struct Pair {
    entities: Vec<Entity>,
    problems: Vec<(u64, Problem)>,
    losses: Vec<(u64, LossKind)>,
}

/// Offsets count the file as it is. Where they do not fit it and lines end with CR LF, the file came from a system that
/// wrote these in place of LF: then offsets are read without CR, if all of them fit.
fn best_reading(text: String, annotations: &str, unit: OffsetUnit) -> (String, Pair) {
    let pair = read_annotations(&text, annotations, unit);
    if pair.problems.is_empty() || !text.contains("\r\n") {
        return (text, pair);
    }
    let without = text.replace("\r\n", "\n");
    let other = read_annotations(&without, annotations, unit);
    if other.problems.is_empty() {
        return (without, other);
    }
    (text, pair)
}

fn read_annotations(text: &str, annotations: &str, unit: OffsetUnit) -> Pair {
    let text = AnnotatedText::new(text, unit);
    let mut pair = Pair::default();
    for (number, line) in (1..).zip(annotations.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match annotation(line, &text) {
            Ok(Ok(entity)) => pair.entities.push(entity),
            Ok(Err(lost)) => pair.losses.push((number, lost)),
            Err(problem) => pair.problems.push((number, problem)),
        }
    }
    pair
}

/// A line as an entity, or as something that a document cannot hold.
fn annotation(
    line: &str,
    text: &AnnotatedText<'_>,
) -> std::result::Result<std::result::Result<Entity, LossKind>, Problem> {
    let lost = |what: &str| Ok(Err(LossKind::Annotation(format!("{what} are not read"))));
    match line.as_bytes()[0] {
        b'T' => text_bound(line, text),
        b'R' => lost("relations"),
        b'E' => lost("events"),
        b'A' | b'M' => lost("attributes"),
        b'N' => lost("normalizations"),
        b'#' => lost("notes"),
        b'*' => lost("equivalences"),
        _ => Err(no_annotation(line)),
    }
}

fn no_annotation(line: &str) -> Problem {
    Problem::NoAnnotation {
        found: line.to_owned(),
        expected: EXPECTED,
    }
}

fn text_bound(
    line: &str,
    text: &AnnotatedText<'_>,
) -> std::result::Result<std::result::Result<Entity, LossKind>, Problem> {
    let mut columns = line.splitn(3, '\t');
    let (id, place, quote) = (columns.next(), columns.next(), columns.next());
    let (label, offsets) = place
        .and_then(|place| place.split_once(' '))
        .ok_or_else(|| no_annotation(line))?;
    let id = id.unwrap_or_default();
    let mut spans: Vec<Span> = Vec::new();
    for fragment in offsets.split(';') {
        let offsets = fragment
            .split_once(' ')
            .and_then(|(start, end)| Some((start.parse().ok()?, end.trim().parse().ok()?)));
        let (start, end) = offsets.ok_or_else(|| no_annotation(line))?;
        spans.push(text.checked(id, start, end)?);
    }
    if let Some(quote) = quote {
        check_quote(id, &spans, quote, text)?;
    }
    Ok(match joined(&spans, text) {
        Some(span) => Ok(Entity::new(span, label)),
        None => Err(LossKind::Discontinuous),
    })
}

/// The text of an annotation stands in the file with a space for each line break, and one between pieces.
fn check_quote(
    id: &str,
    spans: &[Span],
    quote: &str,
    text: &AnnotatedText<'_>,
) -> std::result::Result<(), Problem> {
    let pieces: Vec<&str> = spans.iter().map(|&span| text.slice(span)).collect();
    let covered = pieces.join(" ");
    if covered.split_whitespace().eq(quote.split_whitespace()) {
        return Ok(());
    }
    let first = spans[0];
    match spans {
        [_] => text.check_quote(id, first, Some(quote.to_owned())),
        _ => Err(Problem::SpanText {
            field: id.to_owned(),
            quote: quote.to_owned(),
            covered,
            unit: text.unit(),
        }),
    }
}

/// brat cuts annotations at line breaks: pieces with nothing but white space between them are one span.
fn joined(spans: &[Span], text: &AnnotatedText<'_>) -> Option<Span> {
    let mut whole = *spans.first()?;
    for &span in &spans[1..] {
        let gap = text.text.get(whole.end()..span.start())?;
        if !gap.trim().is_empty() {
            return None;
        }
        whole = whole.cover(span);
    }
    Some(whole)
}

fn add(text_path: &Path, path: &Path, mut document: Document, pair: Pair, corpus: &mut Corpus) {
    let losses = pair.losses.into_iter();
    let losses = losses.map(|(line, kind)| Loss {
        document: Some(document.id().to_owned()),
        ..Loss::read(path, line, kind)
    });
    corpus.losses.extend(losses);
    if pair.problems.is_empty() && document.set_entities(pair.entities).is_ok() {
        let position = Position {
            path: text_path.to_path_buf(),
            line: 1,
        };
        corpus.push(document, position);
    }
    let problems = pair.problems.into_iter();
    let issues = problems.map(|(line, problem)| Issue::at(path, line, problem));
    corpus.issues.extend(issues);
}

/// What the format holds besides text and entities: ids, as names of files.
const PLACES: Places = Places {
    metadata: false,
    entity_fields: false,
    others: false,
};

/// The files of a corpus, and `annotation.conf` with its labels, which brat needs to show them.
pub(super) fn files(corpus: &Corpus) -> Files {
    let mut files = Files::default();
    let mut names = Names::default();
    for item in items(corpus) {
        let document = item.document;
        let name = names.name(document.id());
        let is_id = |loss: &Loss| loss.kind == LossKind::Field("id".to_owned());
        files.lose(item.losses(&PLACES).into_iter().filter(|loss| !is_id(loss)));
        if name != document.id() {
            files.lose([Loss::written(document, LossKind::Id(name.clone()))]);
        }
        let (annotations, losses) = annotations(document);
        files.lose(losses);
        files.add(format!("{name}.txt"), document.text().to_owned());
        files.add(format!("{name}.ann"), annotations);
    }
    files.add("annotation.conf".to_owned(), configuration(corpus));
    files
}

fn annotations(document: &Document) -> (String, Vec<Loss>) {
    let offsets = OffsetMap::new(document.text(), OffsetUnit::Char);
    let (mut lines, mut losses) = (String::new(), Vec::new());
    let mut number = 0;
    for entity in document.entities() {
        let lost = |kind| Loss::of_entity(document, entity, kind);
        if entity.label.contains(char::is_whitespace) {
            losses.push(lost(LossKind::Label));
            continue;
        }
        let pieces = pieces(document.text(), entity.span);
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            losses.push(lost(LossKind::LineBreak));
            continue;
        };
        if first.cover(*last) != entity.span {
            losses.push(lost(LossKind::LineBreak));
        }
        number += 1;
        lines.push_str(&line(number, &entity.label, document, &pieces, &offsets));
    }
    (lines, losses)
}

/// A span without the line breaks in it.
fn pieces(text: &str, span: Span) -> Vec<Span> {
    let covered = text.get(span.range()).unwrap_or_default();
    let pieces = covered.split(['\n', '\r']);
    pieces
        .filter(|piece| !piece.trim().is_empty())
        .filter_map(|piece| {
            let start = piece.as_ptr() as usize - text.as_ptr() as usize;
            Span::new(start, start + piece.len()).ok()
        })
        .collect()
}

fn line(
    number: usize,
    label: &str,
    document: &Document,
    pieces: &[Span],
    offsets: &OffsetMap<'_>,
) -> String {
    let places = pieces.iter().map(|&piece| {
        let range = offsets.from_span(piece);
        format!("{} {}", range.start, range.end)
    });
    let places = places.collect::<Vec<_>>().join(";");
    let texts = pieces
        .iter()
        .map(|&piece| document.slice(piece).unwrap_or_default().replace('\t', " "));
    let texts = texts.collect::<Vec<_>>().join(" ");
    format!("T{number}\t{label} {places}\t{texts}\n")
}

fn configuration(corpus: &Corpus) -> String {
    let entities = corpus.documents.iter().flat_map(Document::entities);
    let mut labels: Vec<&str> = entities.map(|entity| entity.label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.retain(|label| !label.contains(char::is_whitespace));
    let labels = labels.join("\n");
    format!("[entities]\n{labels}\n[relations]\n[events]\n[attributes]\n")
}
