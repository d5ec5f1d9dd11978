//! What holds for every text and all scores.

use proptest::prelude::*;
use vestnik_core::{Entity, LabelSet};
use vestnik_text::{Aggregation, Aggregator, TokenizedText};

use crate::support::{texts, tokenizer};

/// Label sets of hub models: IOB2, IOB1, plain, BIOES, no scheme at all, and what nobody should have made.
const LABELS: &[&[&str]] = &[
    &["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    &["I-LOC", "I-PER", "O", "B-PER"],
    &["PER", "O", "LOC"],
    &["O", "B-PER", "I-PER", "E-PER", "S-PER"],
    &["LABEL_0", "LABEL_1"],
    &["O", "PER", "I-PER", "B-", "I-", "B-O", "DATE-TIME", "-"],
    &["O"],
];

fn scores() -> impl Strategy<Value = Vec<f32>> {
    let odd = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0]);
    let score = prop_oneof![12 => -4f32..0.0, 1 => odd];
    prop::collection::vec(score, 1..60)
}

/// Entities of a text; the scores are repeated as often as needed.
fn entities(
    aggregation: Aggregation,
    labels: &[&str],
    (text, tokens): (&str, &TokenizedText),
    scores: &[f32],
) -> Option<Vec<Entity>> {
    let labels = LabelSet::new(labels.iter().copied()).expect("labels");
    let aggregator = Aggregator::new(aggregation, &labels).ok()?;
    let n_scores = tokens.tokens.len() * labels.len();
    let scores: Vec<f32> = scores.iter().copied().cycle().take(n_scores).collect();
    let entities = aggregator.entities(text, tokens, &scores);
    let known = |entity: &Entity| aggregator.types().id(&entity.label).is_some();
    assert!(entities.iter().all(known), "{aggregation}: {entities:?}");
    Some(entities)
}

proptest! {
    #[test]
    fn entities_are_visible_stretches_of_the_text_in_order(
        text in texts(),
        labels in prop::sample::select(LABELS),
        scores in scores(),
    ) {
        let tokens = TokenizedText::new(tokenizer(), &text).unwrap();
        for aggregation in Aggregation::ALL {
            let found = entities(aggregation, labels, (&text, &tokens), &scores);
            let mut end = 0;
            for entity in found.unwrap_or_default() {
                let name = entity.span.slice(&text).unwrap();
                prop_assert_eq!(name.trim(), name);
                prop_assert!(!entity.label.is_empty());
                prop_assert!(entity.score.is_some_and(|score| (0.0..=1.0).contains(&score)));
                if aggregation != Aggregation::None {
                    prop_assert!(entity.span.start() >= end, "{} {:?}", aggregation, entity);
                }
                end = entity.span.end();
            }
        }
    }

    #[test]
    fn ways_over_words_never_cut_one(
        text in texts(),
        labels in prop::sample::select(LABELS),
        scores in scores(),
    ) {
        let tokens = TokenizedText::new(tokenizer(), &text).unwrap();
        for aggregation in [Aggregation::First, Aggregation::Average, Aggregation::Max] {
            for entity in entities(aggregation, labels, (&text, &tokens), &scores).unwrap() {
                prop_assert!(tokens.words.iter().any(|word| word.start() == entity.span.start()));
                prop_assert!(tokens.words.iter().any(|word| word.end() == entity.span.end()));
            }
        }
    }

    #[test]
    fn ways_agree_where_all_tokens_of_a_word_say_the_same(text in texts(), scores in scores()) {
        let tokens = TokenizedText::new(tokenizer(), &text).unwrap();
        let labels = LabelSet::new(LABELS[0].iter().copied()).unwrap();
        let scores: Vec<f32> = scores.into_iter().map(|score| if score.is_nan() { -1.0 } else { score }).collect();
        let row = |word: &Option<u32>| {
            let start = word.map_or(0, |word| word as usize * labels.len());
            scores.iter().copied().cycle().skip(start % scores.len()).take(labels.len()).collect::<Vec<f32>>()
        };
        let rows: Vec<f32> = tokens.token_word.iter().flat_map(row).collect();
        let answer = |aggregation| {
            let aggregator = Aggregator::new(aggregation, &labels).unwrap();
            let entities = aggregator.entities(&text, &tokens, &rows).into_iter();
            let key = |entity: Entity| (entity.span, entity.label, (entity.score.unwrap() * 1e5).round());
            entities.map(key).collect::<Vec<_>>()
        };
        prop_assert_eq!(answer(Aggregation::First), answer(Aggregation::Average));
        prop_assert_eq!(answer(Aggregation::First), answer(Aggregation::Max));
    }
}

#[test]
fn texts_without_tokens_have_no_entities() {
    for text in ["", "   ", "\n\t\u{A0}\u{200B}"] {
        let tokens = TokenizedText::new(tokenizer(), text).unwrap();
        for labels in LABELS {
            for aggregation in Aggregation::ALL {
                let found = entities(aggregation, labels, (text, &tokens), &[-0.1]);
                assert_eq!(found.unwrap_or_default(), []);
            }
        }
    }
}
