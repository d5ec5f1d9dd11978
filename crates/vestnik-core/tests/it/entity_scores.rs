//! Recorded answers of seqeval 1.2.2 in its strict mode; `scripts/record_entity_scores.py` made them.

use std::collections::BTreeMap;

use serde::Deserialize;
use vestnik_core::metrics::{Counts, EntityEvaluator, GroupedCounts, group_counts};
use vestnik_core::{Entity, OffsetMap, OffsetUnit, Span};

/// Precision, recall, F1 and gold entities.
type Scores = (f64, f64, f64, u64);

#[derive(Deserialize)]
struct Record {
    seqeval: String,
    documents: Vec<Document>,
    micro: Scores,
    per_label: BTreeMap<String, Scores>,
    per_lang: BTreeMap<String, Scores>,
    per_lang_label: BTreeMap<String, BTreeMap<String, Scores>>,
}

/// Entities by start and end in code points.
#[derive(Deserialize)]
struct Document {
    lang: String,
    text: String,
    gold: Vec<(usize, usize, String)>,
    predicted: Vec<(usize, usize, String)>,
}

impl Document {
    fn sides(&self) -> [Vec<Entity>; 2] {
        let map = OffsetMap::new(&self.text, OffsetUnit::Char);
        let entity = |(start, end, label): &(usize, usize, String)| {
            let (start, end) = (map.to_byte(*start).unwrap(), map.to_byte(*end).unwrap());
            Entity::new(Span::new(start, end).unwrap(), label)
        };
        [&self.gold, &self.predicted].map(|side| side.iter().map(entity).collect())
    }
}

fn record() -> Record {
    let record: Record =
        serde_json::from_str(include_str!("../fixtures/entity_scores.json")).unwrap();
    assert_eq!(record.seqeval, "1.2.2");
    record
}

#[track_caller]
fn check(found: Counts, recorded: Scores, what: &str) {
    let (precision, recall, f1, gold) = recorded;
    assert_eq!(found.gold(), gold, "{what}");
    let pairs = [
        (found.precision(), precision),
        (found.recall(), recall),
        (found.f1(), f1),
    ];
    for (found, recorded) in pairs {
        assert!(
            (found - recorded).abs() < 1e-12,
            "{what}: {found}, recorded {recorded}"
        );
    }
}

#[track_caller]
fn check_all(found: &BTreeMap<String, Counts>, recorded: &BTreeMap<String, Scores>, what: &str) {
    assert!(
        found.keys().eq(recorded.keys()),
        "{what}: {:?}",
        found.keys()
    );
    for (name, counts) in found {
        check(*counts, recorded[name], &format!("{what} {name}"));
    }
}

#[test]
fn strict_scores_are_those_of_seqeval() {
    let record = record();
    let mut evaluator = EntityEvaluator::new();
    for document in &record.documents {
        let [gold, predicted] = document.sides();
        evaluator.add(Some(&document.lang), &gold, &predicted, None);
    }
    let scores = evaluator.scores();
    check(scores.micro, record.micro, "all");
    check_all(&scores.per_label, &record.per_label, "label");
    check_all(&scores.per_lang, &record.per_lang, "language");
    for (lang, labels) in &record.per_lang_label {
        check_all(&scores.per_lang_label[lang], labels, lang);
    }
}

#[test]
fn counts_by_group_are_those_of_seqeval() {
    let record = record();
    let mut counts = GroupedCounts::new();
    for document in &record.documents {
        let [gold, predicted] = document.sides();
        counts.add_document(group_counts(&gold, &predicted, |entity| {
            (document.lang.clone(), entity.label.clone())
        }));
    }
    let totals = counts.totals();
    for (lang, labels) in &record.per_lang_label {
        for (label, recorded) in labels {
            let found = totals[&(lang.clone(), label.clone())];
            check(found, *recorded, &format!("{lang} {label}"));
        }
    }
    check(totals.values().sum(), record.micro, "all");
}
