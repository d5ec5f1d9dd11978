//! Recorded answers of seqeval 1.2.2; `scripts/record_seqeval.py` made them.

use std::collections::BTreeMap;

use serde::Deserialize;
use vestnik_core::metrics::{Averages, Counts, SeqevalScores, seqeval_scores};
use vestnik_core::{LabelSet, TagScheme, TagSet, TypedRange};

const TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Record {
    seqeval: String,
    cases: Vec<Case>,
    chunks_bio: Vec<Chunks>,
    chunks_bioes: Vec<Chunks>,
}

/// Tags of sentences, with spaces between them, and precision, recall, F1 (and support) of them.
#[derive(Deserialize)]
struct Case {
    name: String,
    gold: Vec<String>,
    predicted: Vec<String>,
    micro: Option<[f64; 3]>,
    r#macro: Option<[f64; 3]>,
    weighted: Option<[f64; 3]>,
    per_type: BTreeMap<String, [f64; 4]>,
}

/// Tags of a sentence, and type, start, end of the chunks in it.
#[derive(Deserialize)]
struct Chunks {
    tags: String,
    lenient: Vec<(String, usize, usize)>,
    strict: Vec<(String, usize, usize)>,
}

fn record() -> Record {
    let record: Record = serde_json::from_str(include_str!("../fixtures/seqeval.json")).unwrap();
    assert_eq!(record.seqeval, "1.2.2");
    record
}

fn split(sentences: &[String]) -> Vec<Vec<&str>> {
    sentences
        .iter()
        .map(|tags| tags.split_whitespace().collect())
        .collect()
}

fn assert_close(found: [f64; 3], recorded: [f64; 3], what: &str) {
    for (found, recorded) in found.into_iter().zip(recorded) {
        assert!(
            (found - recorded).abs() <= TOLERANCE,
            "{what}: {found}, recorded {recorded}"
        );
    }
}

fn of_counts(counts: Counts) -> [f64; 3] {
    [counts.precision(), counts.recall(), counts.f1()]
}

fn of_averages(averages: Averages) -> [f64; 3] {
    [averages.precision, averages.recall, averages.f1]
}

fn check(case: &Case, scores: &SeqevalScores) {
    let averages = [
        ("micro", of_counts(scores.micro), case.micro),
        ("macro", of_averages(scores.macro_average), case.r#macro),
        (
            "weighted",
            of_averages(scores.weighted_average),
            case.weighted,
        ),
    ];
    for (what, found, recorded) in averages {
        // Without any chunk seqeval has no average; ours are 0.
        assert_close(
            found,
            recorded.unwrap_or_default(),
            &format!("{} of {}", what, case.name),
        );
    }
    assert!(
        scores.per_type.keys().eq(case.per_type.keys()),
        "types of {}",
        case.name
    );
    for (kind, &[precision, recall, f1, support]) in &case.per_type {
        let counts = scores.per_type[kind];
        assert_close(
            of_counts(counts),
            [precision, recall, f1],
            &format!("{kind} of {}", case.name),
        );
        assert_eq!(
            counts.gold() as f64,
            support,
            "support of {kind} in {}",
            case.name
        );
    }
}

#[test]
fn scores_equal_those_of_seqeval() {
    let cases = record().cases;
    assert!(cases.len() > 70);
    for case in &cases {
        let scores = seqeval_scores(&split(&case.gold), &split(&case.predicted)).unwrap();
        check(case, &scores);
    }
}

fn named(tags: &TagSet, ranges: &[TypedRange]) -> Vec<(String, usize, usize)> {
    let name = |range: &TypedRange| tags.types().label(range.type_id).unwrap().to_owned();
    ranges
        .iter()
        .map(|range| (name(range), range.start, range.end))
        .collect()
}

#[test]
fn decoding_equals_the_strict_and_the_default_mode() {
    let record = record();
    let types = LabelSet::new(["PER", "ORG", "LOC"]).unwrap();
    for (scheme, sequences) in [
        (TagScheme::Bio, record.chunks_bio),
        (TagScheme::Bioes, record.chunks_bioes),
    ] {
        assert!(sequences.len() >= 60);
        let tags = TagSet::new(scheme, &types);
        for sequence in sequences {
            let id = |label| tags.label_set().id(label).unwrap();
            let ids: Vec<usize> = sequence.tags.split_whitespace().map(id).collect();
            assert_eq!(
                named(&tags, &tags.decode(&ids)),
                sequence.strict,
                "{}",
                sequence.tags
            );
            assert_eq!(
                named(&tags, &tags.decode_lenient(&ids)),
                sequence.lenient,
                "{}",
                sequence.tags
            );
        }
    }
}
