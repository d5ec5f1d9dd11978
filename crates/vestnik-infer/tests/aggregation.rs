//! Agreement with the token-classification pipeline of `transformers`: the answers that `scripts/record_aggregation.py`
//! recorded.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vestnik_core::{Entity, LabelSet, OffsetMap, OffsetUnit};
use vestnik_infer::{Aggregation, DeviceChoice, Options, Vestnik};
use vestnik_text::{Aggregator, TokenizedText, Tokenizer, words};

/// Start and end in code points, label, score.
type Answer = (usize, usize, String, f32);

#[derive(Deserialize)]
struct Fixture {
    /// What `docs/aggregation.md` shows.
    example: Case,
    cases: Vec<Case>,
    models: Vec<ModelAnswers>,
}

/// Answers to made-up logits.
#[derive(Deserialize)]
struct Case {
    model: String,
    text: String,
    labels: Vec<String>,
    /// The words that the pipeline sees.
    words: Vec<(usize, usize)>,
    logits: Vec<Vec<f32>>,
    answers: BTreeMap<String, Vec<Answer>>,
}

/// Answers of a model of its own logits.
#[derive(Deserialize)]
struct ModelAnswers {
    model: String,
    text: String,
    answers: BTreeMap<String, Vec<Answer>>,
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures")
}

fn fixture() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/aggregation.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A range of code points without white space at its edges; `None` when nothing is left.
fn trimmed(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let mut visible = (start..end).filter(|&at| !chars[at].is_whitespace());
    let first = visible.next()?;
    Some((first, visible.next_back().unwrap_or(first) + 1))
}

/// What the pipeline answers, by our contract: no white space at the edges, nothing empty.
fn expected(text: &str, answers: &[Answer]) -> Vec<Answer> {
    let answer = |(start, end, label, score): &Answer| {
        let (start, end) = trimmed(text, *start, *end)?;
        Some((start, end, label.clone(), *score))
    };
    answers.iter().filter_map(answer).collect()
}

fn found(text: &str, entities: &[Entity]) -> Vec<Answer> {
    let map = OffsetMap::new(text, OffsetUnit::Char);
    let answer = |entity: &Entity| {
        let range = map.from_span(entity.span);
        let score = entity.score.unwrap();
        (range.start, range.end, entity.label.clone(), score)
    };
    entities.iter().map(answer).collect()
}

#[track_caller]
fn assert_same(context: &str, found: &[Answer], expected: &[Answer]) {
    let place = |(start, end, label, _): &Answer| (*start, *end, label.clone());
    assert!(
        found.iter().map(place).eq(expected.iter().map(place)),
        "{context}\nfound    {found:?}\nexpected {expected:?}"
    );
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found.3 - expected.3).abs() < 1e-5,
            "{context} {found:?} {expected:?}"
        );
    }
}

fn needs_words(aggregation: Aggregation) -> bool {
    !matches!(aggregation, Aggregation::None | Aggregation::Simple)
}

/// Whether the pipeline sees the words that we see.
fn words_agree(case: &Case) -> bool {
    let map = OffsetMap::new(&case.text, OffsetUnit::Char);
    let ours = words(&case.text).into_iter().map(|word| {
        let range = map.from_span(word);
        Some((range.start, range.end))
    });
    let theirs = case
        .words
        .iter()
        .map(|&(start, end)| trimmed(&case.text, start, end));
    ours.eq(theirs)
}

fn tokens(case: &Case) -> TokenizedText {
    let tokenizer = models().join(&case.model).join("tokenizer.json");
    let tokenizer = Tokenizer::from_file(&tokenizer).unwrap();
    TokenizedText::new(&tokenizer, &case.text).unwrap()
}

/// Our entities for the logits of a case.
fn answer(case: &Case, aggregation: Aggregation) -> Vec<Answer> {
    let labels = LabelSet::new(case.labels.clone()).unwrap();
    let log_softmax = |row: &Vec<f32>| {
        let sum: f32 = row.iter().map(|logit| logit.exp()).sum();
        row.iter()
            .map(move |logit| logit - sum.ln())
            .collect::<Vec<_>>()
    };
    let scores: Vec<f32> = case.logits.iter().flat_map(log_softmax).collect();
    let aggregator = Aggregator::new(aggregation, &labels).unwrap();
    found(
        &case.text,
        &aggregator.entities(&case.text, &tokens(case), &scores),
    )
}

#[test]
fn answers_are_those_of_the_pipeline_where_words_agree() {
    let (mut compared, mut apart) = (0, 0);
    for case in fixture().cases {
        let agree = words_agree(&case);
        for (name, answers) in &case.answers {
            let aggregation: Aggregation = name.parse().unwrap();
            if needs_words(aggregation) && !agree {
                apart += 1;
                continue;
            }
            let context = format!("{name} {:?} {}", case.labels, case.text);
            assert_same(
                &context,
                &answer(&case, aggregation),
                &expected(&case.text, answers),
            );
            compared += 1;
        }
    }
    // Of 36 cases in five ways, three of each over words.
    assert_eq!((compared, apart), (126, 54));
}

#[test]
fn words_are_our_own_where_the_pipeline_glues_punctuation() {
    let case = fixture().example;
    let slice = |start: usize, end: usize| -> String {
        case.text.chars().skip(start).take(end - start).collect()
    };
    let theirs: Vec<String> = case
        .words
        .iter()
        .map(|word| slice(word.0, word.1))
        .collect();
    assert_eq!(
        theirs,
        ["сказал", " ", "«москва»", " ", "(киев),", " London."]
    );
    let ours = words(&case.text);
    let ours: Vec<&str> = ours.iter().map(|word| &case.text[word.range()]).collect();
    assert_eq!(
        ours,
        [
            "сказал",
            "«",
            "москва",
            "»",
            "(",
            "киев",
            ")",
            ",",
            "London",
            "."
        ]
    );
    let shown =
        |(start, end, label, score): &Answer| format!("{} {label} {score:.2}", slice(*start, *end));
    for (way, theirs, ours) in EXAMPLE {
        let answers: Vec<String> = case.answers[way].iter().map(shown).collect();
        assert_eq!(&answers, theirs, "{way}");
        let found = answer(&case, way.parse().unwrap());
        let found: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(&found, ours, "{way}");
    }
}

/// A way, what the pipeline answers, what we answer.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// The table of `docs/aggregation.md`.
const EXAMPLE: [Row; 4] = [
    (
        "simple",
        &["москва LOC 0.82", "киев LOC 0.83", " London LOC 0.90"],
        &["москва LOC 0.82", "киев LOC 0.83", "London LOC 0.90"],
    ),
    (
        "first",
        &[" London. LOC 0.90"],
        &["москва LOC 0.90", "киев LOC 0.90", "London LOC 0.90"],
    ),
    (
        "average",
        &["«москва» LOC 0.49", " London. LOC 0.49"],
        &["москва LOC 0.65", "киев LOC 0.61", "London LOC 0.90"],
    ),
    (
        "max",
        &["«москва» LOC 0.90", "(киев), LOC 0.90", " London. LOC 0.90"],
        &["москва LOC 0.90", "киев LOC 0.90", "London LOC 0.90"],
    ),
];

#[test]
fn models_answer_as_in_the_pipeline() {
    for recorded in fixture().models {
        for aggregation in [Aggregation::None, Aggregation::Simple] {
            let options = Options::default()
                .with_device(DeviceChoice::Cpu)
                .with_aggregation(aggregation);
            let vestnik = Vestnik::from_dir_with(models().join(&recorded.model), &options).unwrap();
            let entities = vestnik.analyze(&recorded.text).unwrap().entities;
            let answers = expected(&recorded.text, &recorded.answers[aggregation.as_str()]);
            let context = format!("{aggregation} {}", recorded.text);
            assert_same(&context, &found(&recorded.text, &entities), &answers);
        }
    }
}
