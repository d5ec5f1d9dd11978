//! Strict entity scores: start, end and label must be right.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::metrics::Counts;
use crate::metrics::counts::{Places, counts_by_type, mean};
use crate::{Entity, Span};

/// The language under which documents without one are counted.
pub const UNKNOWN_LANG: &str = "?";

/// Strict entity scores over many documents: an entity is right when start, end and label are.
///
/// The maps hold what occurs in the gold annotation or in the predictions, sorted by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EntityScores {
    /// All entities together.
    pub micro: Counts,
    /// Mean of the F1 of all labels.
    pub macro_f1: f64,
    /// By label.
    pub per_label: BTreeMap<String, Counts>,
    /// By language.
    pub per_lang: BTreeMap<String, Counts>,
    /// By language, then by label.
    pub per_lang_label: BTreeMap<String, BTreeMap<String, Counts>>,
    /// Span-only: start and end must be right, whatever the label.
    pub span_only: Counts,
    /// Span-only, by language.
    pub span_only_per_lang: BTreeMap<String, Counts>,
}

impl EntityScores {
    /// Strict precision over all entities.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.micro.precision()
    }

    /// Strict recall over all entities.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.micro.recall()
    }

    /// Strict micro-F1: F1 over all entities.
    #[must_use]
    pub fn f1(&self) -> f64 {
        self.micro.f1()
    }
}

/// Collects strict and span-only entity scores, document by document.
///
/// Within a document entities are a set: two with the same span and label count once, on either
/// side.
///
/// # Example
/// ```
/// use vestnik_core::metrics::{Counts, EntityEvaluator};
/// use vestnik_core::{Entity, Span};
///
/// let entity = |start, end, label| Span::new(start, end).map(|span| Entity::new(span, label));
/// let gold = [entity(0, 4, "PER")?, entity(9, 14, "LOC")?];
/// let predicted = [entity(0, 4, "PER")?, entity(9, 14, "ORG")?];
///
/// let mut evaluator = EntityEvaluator::new();
/// evaluator.add(Some("pl"), &gold, &predicted, None);
/// let scores = evaluator.scores();
/// assert_eq!(scores.micro, Counts { tp: 1, fp: 1, fn_: 1 });
/// assert_eq!(scores.f1(), 0.5);
/// assert_eq!(scores.span_only.f1(), 1.0);
/// assert_eq!(scores.per_label["LOC"].recall(), 0.0);
/// assert_eq!(scores.per_lang["pl"].f1(), 0.5);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct EntityEvaluator {
    /// By language, then by label.
    strict: BTreeMap<String, BTreeMap<String, Counts>>,
    /// By language.
    span_only: BTreeMap<String, Counts>,
}

impl EntityEvaluator {
    /// Starts without documents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one document. A document without a language counts under [`UNKNOWN_LANG`].
    ///
    /// `annotated` lists the labels that the gold annotation marks, `None` when it marks all. A
    /// label that is not among them is unknown in this document, so entities with it are left out
    /// on both sides.
    pub fn add(
        &mut self,
        lang: Option<&str>,
        gold: &[Entity],
        predicted: &[Entity],
        annotated: Option<&[String]>,
    ) {
        let lang = lang.unwrap_or(UNKNOWN_LANG);
        let gold = spans_by_label(gold, annotated);
        let predicted = spans_by_label(predicted, annotated);
        for (label, counts) in counts_by_type(&gold, &predicted) {
            self.add_strict(lang, &label, counts);
        }
        let span_only = Counts::of_sets(&all_spans(&gold), &all_spans(&predicted));
        if span_only != Counts::default() {
            *self.span_only.entry(lang.to_owned()).or_default() += span_only;
        }
    }

    fn add_strict(&mut self, lang: &str, label: &str, counts: Counts) {
        let labels = self.strict.entry(lang.to_owned()).or_default();
        *labels.entry(label.to_owned()).or_default() += counts;
    }

    /// Adds all documents of another evaluator, as when documents are shared out to threads.
    pub fn merge(&mut self, other: &Self) {
        for (lang, labels) in &other.strict {
            for (label, &counts) in labels {
                self.add_strict(lang, label, counts);
            }
        }
        for (lang, &counts) in &other.span_only {
            *self.span_only.entry(lang.clone()).or_default() += counts;
        }
    }

    /// The scores of all documents added so far.
    #[must_use]
    pub fn scores(&self) -> EntityScores {
        let mut per_label: BTreeMap<String, Counts> = BTreeMap::new();
        for (label, &counts) in self.strict.values().flatten() {
            *per_label.entry(label.clone()).or_default() += counts;
        }
        let lang_counts = |(lang, labels): (&String, &BTreeMap<String, Counts>)| {
            (lang.clone(), labels.values().sum())
        };
        EntityScores {
            micro: per_label.values().sum(),
            macro_f1: mean(per_label.values().map(|counts| (counts.f1(), 1))),
            per_label,
            per_lang: self.strict.iter().map(lang_counts).collect(),
            per_lang_label: self.strict.clone(),
            span_only: self.span_only.values().sum(),
            span_only_per_lang: self.span_only.clone(),
        }
    }
}

fn spans_by_label<'a>(entities: &'a [Entity], annotated: Option<&[String]>) -> Places<'a, Span> {
    let mut spans: Places<'a, Span> = BTreeMap::new();
    for entity in entities {
        if annotated.is_none_or(|labels| labels.contains(&entity.label)) {
            spans.entry(&entity.label).or_default().insert(entity.span);
        }
    }
    spans
}

fn all_spans(by_label: &Places<'_, Span>) -> BTreeSet<Span> {
    by_label.values().flatten().copied().collect()
}
