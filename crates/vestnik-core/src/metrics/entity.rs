//! Strict entity scores: start, end and label must all be right.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::metrics::Counts;
use crate::metrics::counts::mean;
use crate::{Entity, Span};

/// Name under which documents without a language are counted.
pub const UNKNOWN_LANG: &str = "?";

/// Strict entity scores over many documents.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EntityScores {
    /// All entities together.
    pub micro: Counts,
    /// Mean of the F1 of all labels that occur in the gold annotation or in the predictions.
    pub macro_f1: f64,
    /// By entity type.
    pub per_label: BTreeMap<String, Counts>,
    /// By language; [`UNKNOWN_LANG`] holds documents without one.
    pub per_lang: BTreeMap<String, Counts>,
    /// By language and entity type.
    pub per_lang_label: BTreeMap<String, BTreeMap<String, Counts>>,
    /// Start and end must be right, the label does not count.
    pub span_only: Counts,
    /// [`EntityScores::span_only`] by language.
    pub span_only_per_lang: BTreeMap<String, Counts>,
}

impl EntityScores {
    /// Precision over all entities.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.micro.precision()
    }

    /// Recall over all entities.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.micro.recall()
    }

    /// F1 over all entities (micro-F1).
    #[must_use]
    pub fn f1(&self) -> f64 {
        self.micro.f1()
    }
}

/// Collects strict entity scores document by document.
#[derive(Debug, Clone, Default)]
pub struct EntityEvaluator {
    strict: BTreeMap<String, BTreeMap<String, Counts>>,
    span_only: BTreeMap<String, Counts>,
}

impl EntityEvaluator {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one document.
    pub fn add(
        &mut self,
        lang: Option<&str>,
        gold: &[Entity],
        predicted: &[Entity],
        annotated: Option<&[String]>,
    ) {
        let lang = lang.unwrap_or(UNKNOWN_LANG);
        let gold = keys(gold, annotated);
        let predicted = keys(predicted, annotated);
        let strict = self.strict.entry(lang.to_owned()).or_default();
        for key in gold.union(&predicted) {
            let counts = strict.entry(key.1.to_owned()).or_default();
            count(counts, gold.contains(key), predicted.contains(key));
        }
        let spans = |keys: &BTreeSet<(Span, &str)>| {
            keys.iter().map(|key| key.0).collect::<BTreeSet<Span>>()
        };
        let (gold, predicted) = (spans(&gold), spans(&predicted));
        let span_only = self.span_only.entry(lang.to_owned()).or_default();
        for key in gold.union(&predicted) {
            count(span_only, gold.contains(key), predicted.contains(key));
        }
    }

    /// Adds everything that another evaluator has collected.
    pub fn merge(&mut self, other: &Self) {
        for (lang, labels) in &other.strict {
            let mine = self.strict.entry(lang.clone()).or_default();
            for (label, &counts) in labels {
                *mine.entry(label.clone()).or_default() += counts;
            }
        }
        for (lang, &counts) in &other.span_only {
            *self.span_only.entry(lang.clone()).or_default() += counts;
        }
    }

    /// The scores of everything added so far.
    #[must_use]
    pub fn scores(&self) -> EntityScores {
        let mut per_label: BTreeMap<String, Counts> = BTreeMap::new();
        for (label, &counts) in self.strict.values().flatten() {
            *per_label.entry(label.clone()).or_default() += counts;
        }
        let per_lang = self
            .strict
            .iter()
            .map(|(lang, labels)| (lang.clone(), labels.values().copied().sum()));
        EntityScores {
            micro: per_label.values().copied().sum(),
            macro_f1: mean(per_label.values().map(|counts| counts.f1())),
            per_lang: per_lang.collect(),
            per_lang_label: self.strict.clone(),
            span_only: self.span_only.values().copied().sum(),
            span_only_per_lang: self.span_only.clone(),
            per_label,
        }
    }
}

fn keys<'a>(entities: &'a [Entity], annotated: Option<&[String]>) -> BTreeSet<(Span, &'a str)> {
    entities
        .iter()
        .map(|entity| (entity.span, entity.label.as_str()))
        .filter(|(_, label)| {
            annotated.is_none_or(|labels| labels.iter().any(|known| known == label))
        })
        .collect()
}

fn count(counts: &mut Counts, in_gold: bool, in_predicted: bool) {
    match (in_gold, in_predicted) {
        (true, true) => counts.tp += 1,
        (false, true) => counts.fp += 1,
        (true, false) => counts.fn_ += 1,
        (false, false) => {}
    }
}
