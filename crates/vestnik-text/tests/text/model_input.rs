//! What a model reads, against what the reference's tokenizers answered for the fixtures of the model crate.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use vestnik_text::{ModelInput, PairTemplate, Tokenizer};

use crate::support::texts;

const FIXTURES: [&str; 9] = [
    "bert",
    "roberta",
    "xlm_roberta",
    "camembert",
    "deberta_v2",
    "modernbert",
    "bert_seq",
    "roberta_seq",
    "deberta_v2_seq",
];

fn fixture(name: &str) -> PathBuf {
    let fixtures = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../vestnik-model/tests/fixtures"
    );
    PathBuf::from(fixtures).join(name)
}

fn tokenizer(name: &str) -> Tokenizer {
    Tokenizer::from_file(&fixture(name).join("tokenizer.json")).expect("a tokenizer")
}

fn answers(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture(name).join("expected.json")).expect("answers");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    expected["texts"].as_array().expect("texts").clone()
}

/// The span in code points without white space at its edges, in bytes.
fn in_bytes(text: &str, span: &Value) -> (usize, usize) {
    let byte = |offset: &Value| {
        let offset = offset.as_u64().expect("a number") as usize;
        let place = text.char_indices().map(|(byte, _)| byte).nth(offset);
        place.unwrap_or(text.len())
    };
    let (start, end) = (byte(&span[0]), byte(&span[1]));
    let start_inside = end - text[start..end].trim_start().len();
    (start_inside, start_inside + text[start..end].trim().len())
}

fn check(name: &str, answer: &Value) {
    let text = answer["text"].as_str().expect("a text");
    let pair = answer["pair"].as_str();
    let tokenizer = tokenizer(name);
    let input = tokenizer.encode_for_model(text, pair).expect("tokens");
    let ids: Vec<u32> = serde_json::from_value(answer["ids"].clone()).expect("ids");
    assert_eq!(input.ids, ids, "{name}: {answer}");
    if let Some(types) = answer["type_ids"].as_array() {
        assert!(types.iter().eq(&input.type_ids), "{name}: {answer}");
    }
    let both = [text, pair.unwrap_or_default()];
    for token in 0..input.len() {
        let expected = input.texts[token].map_or((0, 0), |index| {
            in_bytes(both[index], &answer["offsets"][token])
        });
        assert_eq!(
            input.offsets[token], expected,
            "{name}: {token} of {answer}"
        );
    }
}

#[test]
fn the_reference_reads_the_same() {
    for name in FIXTURES {
        let answers = answers(name);
        assert!(answers.len() >= 5);
        answers.iter().for_each(|answer| check(name, answer));
    }
}

/// The tokens of one of the texts.
fn of_text(input: &ModelInput, index: usize) -> (Vec<u32>, Vec<(usize, usize)>) {
    let tokens = (0..input.len()).filter(|&token| input.texts[token] == Some(index));
    tokens
        .map(|token| (input.ids[token], input.offsets[token]))
        .unzip()
}

proptest! {
    #[test]
    fn the_texts_of_a_pair_have_the_tokens_that_they_have_alone(first in texts(), second in texts()) {
        for name in ["bert", "roberta", "deberta_v2"] {
            let tokenizer = tokenizer(name);
            let input = tokenizer.encode_for_model(&first, Some(&second)).unwrap();
            for (index, text) in [&first, &second].into_iter().enumerate() {
                let alone = tokenizer.encode(text).unwrap();
                prop_assert_eq!(of_text(&input, index), (alone.ids, alone.offsets));
            }
            prop_assert!(input.texts.first().unwrap().is_none());
            prop_assert!(input.texts.last().unwrap().is_none());
        }
    }
}

#[test]
fn words_grow_together_over_control_characters_that_bert_deletes() {
    let tokenizer = tokenizer("bert");
    for text in ["а\u{b}б", "а\u{c}б в", "\u{85}а\u{85}", "а\tб\nв\rг"] {
        let input = tokenizer.encode_for_model(text, None).unwrap();
        let alone = tokenizer.encode(text).unwrap();
        assert_eq!(of_text(&input, 0), (alone.ids, alone.offsets), "{text:?}");
    }
}

#[test]
fn a_pair_of_tokenised_texts_is_what_the_tokenizer_makes_of_them() {
    for name in FIXTURES {
        let tokenizer = tokenizer(name);
        let template = PairTemplate::new(&tokenizer).expect("a template");
        let texts = ["Kyiv waits.", "Абу-Даби 👩", "a"];
        for (text, pair) in texts
            .iter()
            .flat_map(|text| texts.map(|pair| (*text, pair)))
        {
            let ids = [text, pair].map(|text| tokenizer.encode(text).expect("tokens").ids);
            let batch = template.batch([[&ids[0][..], &ids[1][..]]; 2]);
            let expected = tokenizer
                .encode_for_model(text, Some(pair))
                .expect("tokens");
            let sequences: Vec<_> = batch.sequences().collect();
            assert_eq!(
                sequences,
                [0..expected.len(), expected.len()..2 * expected.len()]
            );
            for sequence in sequences {
                assert_eq!(batch.ids[sequence.clone()], expected.ids, "{name}: {text}");
                assert_eq!(
                    batch.type_ids[sequence.clone()],
                    expected.type_ids,
                    "{name}"
                );
                assert!(
                    (0..expected.len() as u32).eq(batch.position_ids[sequence].iter().copied())
                );
            }
            assert_eq!(
                template.n_special() + ids[0].len() + ids[1].len(),
                expected.len()
            );
        }
    }
}
