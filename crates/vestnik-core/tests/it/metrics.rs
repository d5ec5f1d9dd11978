//! Hand-computed scores, and properties of the entity scores.

use proptest::prelude::*;
use vestnik_core::metrics::{
    Confusion, Counts, EntityEvaluator, classification_scores, seqeval_scores,
};
use vestnik_core::{Entity, Error, Span};

fn entity(start: usize, end: usize, label: &str) -> Entity {
    Entity::new(Span::new(start, end).unwrap(), label)
}

fn counts(tp: u64, fp: u64, fn_: u64) -> Counts {
    Counts { tp, fp, fn_ }
}

/// Five documents with every kind of hit and error.
fn evaluator(annotated: Option<&[String]>) -> EntityEvaluator {
    let (per, loc, org) = ("PER", "LOC", "ORG");
    let mut evaluator = EntityEvaluator::new();
    // A hit predicted twice, a gold entity given twice with the wrong label predicted, a wrong end.
    let gold = [
        entity(0, 4, per),
        entity(5, 9, loc),
        entity(5, 9, loc),
        entity(12, 20, org),
    ];
    let predicted = [
        entity(0, 4, per),
        entity(0, 4, per),
        entity(5, 9, org),
        entity(12, 19, org),
    ];
    evaluator.add(Some("bg"), &gold, &predicted, annotated);
    // A hit, and something that is not there.
    let predicted = [entity(0, 6, per), entity(7, 9, "EVT")];
    evaluator.add(Some("bg"), &[entity(0, 6, per)], &predicted, annotated);
    let gold = [entity(2, 8, org), entity(9, 11, "PRO")];
    evaluator.add(
        Some("pl"),
        &gold,
        &[entity(2, 8, org), entity(9, 11, loc)],
        annotated,
    );
    evaluator.add(None, &[entity(1, 3, loc)], &[entity(1, 3, loc)], annotated);
    evaluator.add(Some("cs"), &[], &[], annotated);
    evaluator
}

#[test]
fn strict_scores_by_hand() {
    let scores = evaluator(None).scores();
    assert_eq!(scores.micro, counts(4, 4, 3));
    assert_eq!(scores.f1(), 8.0 / 15.0);
    assert_eq!(scores.precision(), 0.5);
    assert_eq!(scores.recall(), 4.0 / 7.0);

    let per_label: Vec<(&str, Counts)> = scores
        .per_label
        .iter()
        .map(|(label, &counts)| (label.as_str(), counts))
        .collect();
    let expected = [
        ("EVT", counts(0, 1, 0)),
        ("LOC", counts(1, 1, 1)),
        ("ORG", counts(1, 2, 1)),
        ("PER", counts(2, 0, 0)),
        ("PRO", counts(0, 0, 1)),
    ];
    assert_eq!(per_label, expected);
    // (0 + 0.5 + 0.4 + 1 + 0) / 5
    assert!((scores.macro_f1 - 0.38).abs() < 1e-12);

    let per_lang: Vec<(&str, Counts)> = scores
        .per_lang
        .iter()
        .map(|(lang, &counts)| (lang.as_str(), counts))
        .collect();
    assert_eq!(
        per_lang,
        [
            ("?", counts(1, 0, 0)),
            ("bg", counts(2, 3, 2)),
            ("pl", counts(1, 1, 1))
        ]
    );
    assert_eq!(scores.per_lang_label["pl"]["LOC"], counts(0, 1, 0));
}

#[test]
fn span_only_scores_by_hand() {
    let scores = evaluator(None).scores();
    // Wrong are only the wrong end in the first document and what is not there in the second.
    assert_eq!(scores.span_only, counts(6, 2, 1));
    assert_eq!(scores.span_only_per_lang["pl"], counts(2, 0, 0));
    assert_eq!(scores.span_only_per_lang["bg"], counts(3, 2, 1));
}

#[test]
fn labels_that_are_not_annotated_are_left_out() {
    let annotated = ["PER".to_owned(), "ORG".to_owned()];
    let scores = evaluator(Some(&annotated)).scores();
    assert_eq!(scores.micro, counts(3, 2, 1));
    assert_eq!(scores.f1(), 6.0 / 9.0);
    assert!(scores.per_label.keys().eq(["ORG", "PER"]));
    assert!(scores.per_lang.keys().eq(["bg", "pl"]));
    let none = evaluator(Some(&[])).scores();
    assert_eq!(
        (none.micro, none.f1(), none.macro_f1),
        (Counts::default(), 0.0, 0.0)
    );
}

#[test]
fn json_of_entity_scores() {
    let mut evaluator = EntityEvaluator::new();
    evaluator.add(
        Some("uk"),
        &[entity(0, 1, "PER")],
        &[entity(0, 1, "PER")],
        None,
    );
    let json = serde_json::to_value(evaluator.scores()).unwrap();
    assert_eq!(json["micro"]["f1"], 1.0);
    assert_eq!(json["per_lang_label"]["uk"]["PER"]["tp"], 1);
}

#[test]
fn entities_of_words_and_of_tags_agree() {
    let gold = [vec!["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]];
    let predicted = [vec!["B-PER", "I-PER", "O", "B-LOC", "I-LOC"]];
    let scores = seqeval_scores(&gold, &predicted).unwrap();
    assert_eq!(scores.micro, counts(1, 1, 2));
    assert_eq!(scores.per_type["LOC"], counts(0, 1, 2));
    // PER: 1, 1, 1 with one gold entity; LOC: 0, 0, 0 with two
    assert_eq!(scores.macro_average.f1, 0.5);
    assert_eq!(scores.weighted_average.recall, 1.0 / 3.0);
}

#[test]
fn classification_by_hand() {
    // The same as scikit-learn gives for these ten examples.
    let gold = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
    let predicted = [0, 0, 1, 2, 1, 1, 0, 2, 1, 1];
    let scores = classification_scores(&gold, &predicted, 5).unwrap();
    assert_eq!(scores.accuracy, 0.5);
    assert_eq!((scores.micro.precision(), scores.micro.f1()), (0.5, 0.5));
    assert_eq!(
        scores.confusion.rows(),
        [
            [2, 1, 1, 0, 0],
            [1, 2, 0, 0, 0],
            [0, 1, 1, 0, 0],
            [0, 1, 0, 0, 0],
            [0, 0, 0, 0, 0]
        ]
    );
    let per_label = [
        counts(2, 1, 2),
        counts(2, 3, 1),
        counts(1, 1, 1),
        counts(0, 0, 1),
        counts(0, 0, 0),
    ];
    assert_eq!(scores.per_label, per_label);
    // F1 4/7, 1/2, 1/2 and 0; class 4 does not occur.
    assert!((scores.macro_f1 - 11.0 / 28.0).abs() < 1e-12);
    assert!((scores.confusion.macro_f1_of(&[0, 2]) - 15.0 / 28.0).abs() < 1e-12);
    assert_eq!(scores.confusion.macro_f1_of(&[4]), 0.0);
    assert_eq!(scores.confusion.total(), 10);
}

#[test]
fn classes_that_do_not_exist_are_refused() {
    let error = Err(Error::UnknownClass {
        class: 2,
        n_labels: 2,
    });
    assert_eq!(classification_scores(&[0, 2], &[0, 1], 2), error);
    assert_eq!(classification_scores(&[0, 1], &[0, 2], 2), error);
    assert!(matches!(
        classification_scores(&[0], &[], 2),
        Err(Error::LengthMismatch { .. })
    ));
    let empty = classification_scores(&[], &[], 0).unwrap();
    assert_eq!((empty.accuracy, empty.macro_f1), (0.0, 0.0));
    assert_eq!(Confusion::new(2).counts(7), Counts::default());
}

const LABELS: [&str; 3] = ["PER", "ORG", "LOC"];

/// Entities on few places, so that they often meet.
fn entities() -> impl Strategy<Value = Vec<Entity>> {
    let one = (0_usize..4, 1_usize..3, prop::sample::select(&LABELS[..]));
    let one = one.prop_map(|(start, len, label)| entity(start, start + len, label));
    prop::collection::vec(one, 0..8)
}

/// The definition, word by word: how many different entities stand on both sides or on one of them.
fn by_definition(gold: &[Entity], predicted: &[Entity]) -> Counts {
    let mut sum = Counts::default();
    for (side, entities) in [gold, predicted].into_iter().enumerate() {
        for (index, entity) in entities.iter().enumerate() {
            let other = if side == 0 { predicted } else { gold };
            match (
                entities[..index].contains(entity),
                other.contains(entity),
                side,
            ) {
                (true, ..) => {}
                (false, true, _) => sum.tp += u64::from(side == 0),
                (false, false, 0) => sum.fn_ += 1,
                (false, false, _) => sum.fp += 1,
            }
        }
    }
    sum
}

proptest! {
    #[test]
    fn strict_scores_follow_their_definition(gold in entities(), predicted in entities()) {
        let mut evaluator = EntityEvaluator::new();
        evaluator.add(Some("ru"), &gold, &predicted, None);
        let scores = evaluator.scores();
        prop_assert_eq!(scores.micro, by_definition(&gold, &predicted));
        for label in LABELS {
            let only = |entities: &[Entity]| -> Vec<Entity> {
                entities.iter().filter(|entity| entity.label == label).cloned().collect()
            };
            let expected = by_definition(&only(&gold), &only(&predicted));
            prop_assert_eq!(scores.per_label.get(label).copied().unwrap_or_default(), expected);
        }
        let unlabelled = |entities: &[Entity]| -> Vec<Entity> {
            entities.iter().map(|entity| Entity::new(entity.span, "X")).collect()
        };
        let expected = by_definition(&unlabelled(&gold), &unlabelled(&predicted));
        prop_assert_eq!(scores.span_only, expected);
    }

    #[test]
    fn documents_may_be_shared_out(
        documents in prop::collection::vec((entities(), entities()), 0..6),
        cut in 0_usize..6,
    ) {
        let mut whole = EntityEvaluator::new();
        let mut parts = [EntityEvaluator::new(), EntityEvaluator::new()];
        for (index, (gold, predicted)) in documents.iter().enumerate() {
            let lang = ["bg", "uk"][index % 2];
            whole.add(Some(lang), gold, predicted, None);
            parts[usize::from(index >= cut)].add(Some(lang), gold, predicted, None);
        }
        let [mut first, second] = parts;
        first.merge(&second);
        prop_assert_eq!(first.scores(), whole.scores());
    }
}
