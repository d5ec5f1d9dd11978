//! The documents with the most errors, cut to the places of the errors.

use std::ops::Range;

use serde::Serialize;
use vestnik_core::{Entity, OffsetMap, OffsetUnit};

use super::scored::Scored;

/// Documents that are shown.
const DOCUMENTS: usize = 20;
/// Bytes of text around an error.
const CONTEXT: usize = 90;
/// Most bytes of one error that are shown.
const LONGEST: usize = 300;
/// Most bytes of one document that are shown.
const BUDGET: usize = 3000;

/// A document with many errors.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct WorstDocument {
    pub(crate) id: String,
    pub(crate) lang: Option<String>,
    pub(crate) source: String,
    pub(crate) hits: usize,
    /// Gold entities that were not found.
    pub(crate) missed: usize,
    /// Predictions that are not right.
    pub(crate) wrong: usize,
    /// Errors beyond what the error rate of all documents would give this one: what the order is by.
    pub(crate) excess: f64,
    pub(crate) excerpts: Vec<Excerpt>,
    /// Errors that none of the excerpts shows.
    pub(crate) errors_not_shown: usize,
}

/// A part of a text with its entities; offsets are code points of the whole text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Excerpt {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
    /// Whether the text goes on before and behind.
    pub(crate) cut: [bool; 2],
    pub(crate) gold: Vec<Mark>,
    pub(crate) predicted: Vec<Mark>,
}

/// An entity in an excerpt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mark {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) label: String,
    /// Whether the other side has it too.
    pub(crate) right: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f32>,
    /// Bytes of the excerpt.
    #[serde(skip)]
    pub(crate) range: Range<usize>,
}

/// The documents that are worse than the rest would lead to expect: by their errors (missed and wrong entities) less the
/// share of errors in all documents times their own entities (found, missed and wrong). So neither a long document with
/// an ordinary share of errors comes first, nor a short one with a single error. Of equal ones the one with more errors,
/// then the earlier.
pub(crate) fn worst(documents: &[Scored]) -> Vec<WorstDocument> {
    let outcomes: Vec<Outcome> = documents.iter().map(Outcome::of).collect();
    let errors: usize = outcomes.iter().map(Outcome::errors).sum();
    let all: usize = outcomes.iter().map(Outcome::all).sum();
    let rate = errors as f64 / all.max(1) as f64;
    let mut ranked: Vec<(f64, Outcome, &Scored)> = outcomes
        .into_iter()
        .zip(documents)
        .filter(|(outcome, _)| outcome.errors() > 0)
        .map(|(outcome, scored)| (outcome.excess(rate), outcome, scored))
        .collect();
    ranked.sort_by(|a, b| {
        let by_excess = b.0.total_cmp(&a.0);
        by_excess.then(b.1.errors().cmp(&a.1.errors()))
    });
    let worst = ranked.into_iter().take(DOCUMENTS);
    worst
        .map(|(excess, outcome, scored)| worst_document(scored, &outcome, excess))
        .collect()
}

/// Numbers of a document.
struct Outcome {
    hits: usize,
    missed: usize,
    wrong: usize,
}

impl Outcome {
    fn of(scored: &Scored) -> Self {
        let missed = missed(scored).count();
        Self {
            hits: scored.gold.len() - missed,
            missed,
            wrong: wrong(scored).count(),
        }
    }

    fn errors(&self) -> usize {
        self.missed + self.wrong
    }

    fn all(&self) -> usize {
        self.hits + self.errors()
    }

    /// Rounded, so that equal documents are equal.
    fn excess(&self, rate: f64) -> f64 {
        let excess = self.errors() as f64 - rate * self.all() as f64;
        (excess * 1e6).round() / 1e6
    }
}

fn missed(scored: &Scored) -> impl Iterator<Item = &Entity> {
    let missed = scored.judged_gold().filter(|(_, found)| !found);
    missed.map(|(entity, _)| entity)
}

fn wrong(scored: &Scored) -> impl Iterator<Item = &Entity> {
    let wrong = scored.judged_predictions().filter(|(_, right)| !right);
    wrong.map(|(entity, _)| entity)
}

fn errors(scored: &Scored) -> impl Iterator<Item = &Entity> {
    missed(scored).chain(wrong(scored))
}

fn worst_document(scored: &Scored, outcome: &Outcome, excess: f64) -> WorstDocument {
    let ranges = ranges(scored);
    let is_shown = |entity: &&Entity| {
        let start = entity.span.start();
        ranges.iter().any(|range| range.contains(&start))
    };
    let map = OffsetMap::new(scored.document.text(), OffsetUnit::Char);
    WorstDocument {
        id: scored.document.id().to_owned(),
        lang: scored.document.lang().map(str::to_owned),
        source: scored.source.clone(),
        hits: outcome.hits,
        missed: outcome.missed,
        wrong: outcome.wrong,
        excess,
        errors_not_shown: outcome.errors() - errors(scored).filter(is_shown).count(),
        excerpts: ranges
            .iter()
            .map(|range| excerpt(scored, range.clone(), &map))
            .collect(),
    }
}

/// Where the errors are, with some text around them, as far as the budget reaches.
fn ranges(scored: &Scored) -> Vec<Range<usize>> {
    let text = scored.document.text();
    let mut around: Vec<Range<usize>> = errors(scored)
        .map(|entity| {
            let (start, end) = (entity.span.start(), entity.span.end());
            let end = end.min(start + LONGEST) + CONTEXT;
            text.floor_char_boundary(start.saturating_sub(CONTEXT))
                ..text.ceil_char_boundary(end.min(text.len()))
        })
        .collect();
    around.sort_by_key(|range| (range.start, range.end));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut spent = 0;
    for range in around {
        let from = ranges.last().map_or(0, |last| last.end);
        spent += range.end.saturating_sub(range.start.max(from));
        if spent > BUDGET && !ranges.is_empty() {
            break;
        }
        match ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    ranges
}

fn excerpt(scored: &Scored, range: Range<usize>, map: &OffsetMap<'_>) -> Excerpt {
    let text = scored.document.text();
    let mark = |(entity, right): (&Entity, bool)| {
        let start = entity.span.start().max(range.start);
        let end = entity.span.end().min(range.end);
        (start < end).then(|| Mark {
            start: map.from_byte(entity.span.start()),
            end: map.from_byte(entity.span.end()),
            label: entity.label.clone(),
            right,
            score: entity.score,
            range: start - range.start..end - range.start,
        })
    };
    Excerpt {
        start: map.from_byte(range.start),
        end: map.from_byte(range.end),
        text: text[range.clone()].to_owned(),
        cut: [range.start > 0, range.end < text.len()],
        gold: scored.judged_gold().filter_map(mark).collect(),
        predicted: scored.judged_predictions().filter_map(mark).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestnik_core::{Document, Span};

    fn entity(start: usize, end: usize) -> Entity {
        Entity::new(Span::new(start, end).unwrap(), "LOC")
    }

    fn scored(text: &str, gold: Vec<Entity>, predicted: Vec<Entity>) -> Scored {
        let mut document = Document::new("1", text);
        document.set_entities(gold).unwrap();
        Scored::new(&document, "file", predicted)
    }

    #[test]
    fn texts_are_cut_around_errors_between_characters() {
        let text = "ж".repeat(1000);
        let document = scored(&text, vec![entity(1000, 1004)], vec![entity(1002, 1006)]);
        let worst = &worst(&[document])[0];
        assert_eq!((worst.missed, worst.wrong, worst.hits), (1, 1, 0));
        let [excerpt] = &worst.excerpts[..] else {
            panic!("{worst:?}")
        };
        assert_eq!((excerpt.start, excerpt.end), (455, 548));
        assert_eq!(
            (excerpt.cut, excerpt.text.chars().count()),
            ([true, true], 93)
        );
        assert_eq!((excerpt.gold[0].start, excerpt.gold[0].end), (500, 502));
        assert_eq!(excerpt.gold[0].range, 90..94);
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let text = "word ".repeat(20_000);
        let gold: Vec<Entity> = (0..5000).map(|i| entity(20 * i, 20 * i + 4)).collect();
        let long = vec![entity(0, 100_000)];
        let worst = worst(&[scored(&text, gold, long)]);
        let shown: usize = worst[0].excerpts.iter().map(|e| e.text.len()).sum();
        assert!(shown <= BUDGET, "{shown}");
        assert!(worst[0].errors_not_shown > 4000);
    }

    #[test]
    fn neither_long_nor_short_documents_come_first_for_their_length() {
        let text = "word ".repeat(40);
        // (entities, found of them): a long ordinary one, a short one with its only entity missed, a bad one.
        let documents: Vec<Scored> = [(40, 30), (1, 0), (10, 2), (40, 40)]
            .into_iter()
            .map(|(all, found)| {
                let entities = |n: usize| (0..n).map(|i| entity(5 * i, 5 * i + 4)).collect();
                scored(&text, entities(all), entities(found))
            })
            .collect();
        let ranked: Vec<usize> = worst(&documents).iter().map(|worst| worst.missed).collect();
        assert_eq!(ranked, [8, 10, 1]);
    }

    #[test]
    fn documents_without_errors_are_not_shown() {
        let good = scored("Sofia", vec![entity(0, 5)], vec![entity(0, 5)]);
        assert!(worst(&[good]).is_empty());
    }
}
