//! Tests on hand-made tokens: one letter a label, spaces between words, `|` between tokens of a word.

use vestnik_core::{Entity, LabelSet, Span};

use super::*;
use crate::{Encoding, TokenizedText, words};

const BIO: &[&str] = &["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];

/// A text with tokens where `|` and spaces divide the pattern.
fn tokenized(pattern: &str) -> (String, TokenizedText) {
    let text = pattern.replace('|', "");
    let mut tokens = Encoding::default();
    let mut start = 0;
    for word in pattern.split(' ') {
        for piece in word.split('|') {
            tokens.ids.push(7);
            tokens.offsets.push((start, start + piece.len()));
            start += piece.len();
        }
        start += 1;
    }
    let tokenized = with_words(&text, tokens);
    (text, tokenized)
}

/// Tokens with the words of their text; all words that have tokens have them in order.
fn with_words(text: &str, tokens: Encoding) -> TokenizedText {
    let words = words(text);
    let shared = |word: &Span, &(start, end): &(usize, usize)| {
        word.end().min(end).saturating_sub(word.start().max(start))
    };
    let word_of = |token: &(usize, usize)| {
        let most = words.iter().map(|word| shared(word, token)).max()?;
        let word = words.iter().position(|word| shared(word, token) == most);
        word.filter(|_| most > 0).map(|word| word as u32)
    };
    let token_word: Vec<Option<u32>> = tokens.offsets.iter().map(word_of).collect();
    let first = |word| token_word.iter().position(|found| *found == Some(word));
    TokenizedText {
        word_first_token: (0..words.len() as u32)
            .map(|word| first(word).map(|token| token as u32))
            .collect(),
        words,
        tokens,
        token_word,
        sentence_starts: Vec::new(),
    }
}

/// Rows with these labels and probabilities; the rest goes to the other labels in equal parts.
fn rows(labels: &LabelSet, best: &[(&str, f32)]) -> Vec<f32> {
    let row = |&(label, probability): &(&str, f32)| {
        let rest = (1.0 - probability) / (labels.len() - 1) as f32;
        let mut row = vec![rest.ln(); labels.len()];
        row[labels.id(label).unwrap()] = probability.ln();
        row
    };
    best.iter().flat_map(row).collect()
}

fn shown(text: &str, entities: &[Entity]) -> Vec<String> {
    let show = |entity: &Entity| {
        let score = entity.score.unwrap();
        let name = entity.span.slice(text).unwrap();
        format!("{name} {} {score:.3}", entity.label)
    };
    entities.iter().map(show).collect()
}

#[track_caller]
fn check(
    aggregation: Aggregation,
    labels: &[&str],
    (pattern, best): (&str, &[(&str, f32)]),
    expected: &[&str],
) {
    let labels = LabelSet::new(labels.iter().copied()).unwrap();
    let (text, tokens) = tokenized(pattern);
    let scores = rows(&labels, best);
    let aggregator = Aggregator::new(aggregation, &labels).unwrap();
    let entities = aggregator.entities(&text, &tokens, &scores);
    assert_eq!(shown(&text, &entities), expected, "{aggregation}");
}

/// The example of the pipeline's own documentation, with its scores.
const MICROSOFT: (&str, &[(&str, f32)]) = (
    "micro|soft com|pany",
    &[
        ("B-LOC", 0.7),
        ("I-PER", 0.9),
        ("I-LOC", 0.6),
        ("I-LOC", 0.8),
    ],
);

#[test]
fn each_way_decides_in_its_own_way() {
    use Aggregation::{Average, First, Max, None, Simple, Viterbi};
    let raw = [
        "micro B-LOC 0.700",
        "soft I-PER 0.900",
        "com I-LOC 0.600",
        "pany I-LOC 0.800",
    ];
    check(None, BIO, MICROSOFT, &raw);
    let cut = ["micro LOC 0.700", "soft PER 0.900", "company LOC 0.700"];
    check(Simple, BIO, MICROSOFT, &cut);
    check(First, BIO, MICROSOFT, &["microsoft company LOC 0.650"]);
    check(Viterbi, BIO, MICROSOFT, &["microsoft company LOC 0.650"]);
    check(
        Max,
        BIO,
        MICROSOFT,
        &["microsoft PER 0.900", "company LOC 0.800"],
    );
    // 0.9 and a fourth of 0.3, against 0.7 and a fourth of 0.1.
    check(
        Average,
        BIO,
        MICROSOFT,
        &["microsoft PER 0.487", "company LOC 0.700"],
    );
}

#[test]
fn only_b_parts_neighbours_of_one_type() {
    let best = &[
        ("B-PER", 0.9),
        ("I-PER", 0.7),
        ("B-PER", 0.5),
        ("O", 0.9),
        ("I-PER", 0.6),
        ("I-LOC", 0.8),
    ];
    check(
        Aggregation::Simple,
        BIO,
        ("a b c d e f", best),
        &["a b PER 0.800", "c PER 0.500", "e PER 0.600", "f LOC 0.800"],
    );
}

#[test]
fn labels_without_prefix_continue() {
    let best = &[
        ("PER", 0.9),
        ("PER", 0.7),
        ("I-PER", 0.8),
        ("B-PER", 0.6),
        ("PER", 0.6),
        ("LOC", 0.5),
    ];
    check(
        Aggregation::First,
        &["PER", "O", "I-PER", "B-PER", "LOC"],
        ("a b c d e f", best),
        &["a b c PER 0.800", "d e PER 0.600", "f LOC 0.500"],
    );
}

#[test]
fn bioes_ends_are_groups_of_their_own() {
    let best = &[
        ("B-PER", 0.9),
        ("I-PER", 0.7),
        ("E-PER", 0.8),
        ("S-PER", 0.6),
    ];
    check(
        Aggregation::Simple,
        &["O", "B-PER", "I-PER", "E-PER", "S-PER"],
        ("a b c d", best),
        &["a b PER 0.800", "c PER 0.800", "d PER 0.600"],
    );
}

#[test]
fn a_group_is_named_behind_the_first_hyphen() {
    let best = &[
        ("DATE-TIME", 0.9),
        ("I-DATE-TIME", 0.7),
        ("O", 0.9),
        ("B-", 0.8),
        ("I-O", 0.9),
    ];
    let labels = &["O", "DATE-TIME", "I-DATE-TIME", "B-", "I-O"];
    check(
        Aggregation::Simple,
        labels,
        ("a b c d e", best),
        &["a b TIME 0.800", "d B- 0.800"],
    );
    let names = |aggregation| {
        let labels = LabelSet::new(labels.iter().copied()).unwrap();
        let aggregator = Aggregator::new(aggregation, &labels).unwrap();
        aggregator
            .types()
            .iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(Aggregation::Max), ["TIME", "DATE-TIME", "B-"]);
    assert_eq!(
        names(Aggregation::None),
        ["DATE-TIME", "I-DATE-TIME", "B-", "I-O"]
    );
}

#[test]
fn labels_that_make_no_scheme_serve_all_ways_but_viterbi() {
    for labels in [&["LABEL_0", "LABEL_1"][..], &["O"], &["O", "PER", "I-PER"]] {
        let labels = LabelSet::new(labels.iter().copied()).unwrap();
        for aggregation in Aggregation::ALL {
            let made = Aggregator::new(aggregation, &labels);
            assert_eq!(
                made.is_ok(),
                aggregation != Aggregation::Viterbi,
                "{aggregation}"
            );
        }
    }
    let best = &[("LABEL_0", 0.9), ("LABEL_0", 0.7), ("LABEL_1", 0.8)];
    let both = ["a b LABEL_0 0.800", "c LABEL_1 0.800"];
    check(
        Aggregation::Average,
        &["LABEL_0", "LABEL_1"],
        ("a b c", best),
        &both,
    );
    check(Aggregation::Simple, &["O"], ("a", &[("O", 1.0)]), &[]);
}

#[test]
fn punctuation_is_no_part_of_a_word() {
    // One token holds the name and its bracket: it labels the word that it shares most with.
    let best = &[("B-LOC", 0.9), ("I-LOC", 0.6), ("B-LOC", 0.8)];
    check(
        Aggregation::First,
        BIO,
        ("(Sofia Grad Kyiv)", best),
        &["Sofia Grad LOC 0.750", "Kyiv LOC 0.800"],
    );
    check(
        Aggregation::Simple,
        BIO,
        ("(Sofia Grad Kyiv)", best),
        &["(Sofia Grad LOC 0.750", "Kyiv) LOC 0.800"],
    );
    let best = &[
        ("B-LOC", 0.9),
        ("O", 0.9),
        ("O", 0.9),
        ("I-LOC", 0.6),
        ("O", 0.9),
    ];
    check(
        Aggregation::First,
        BIO,
        ("Sofia|) «|Grad|»", best),
        &["Sofia LOC 0.900", "Grad LOC 0.600"],
    );
}

#[test]
fn tokens_of_nothing_visible_count_and_are_not_shown() {
    // A lone space mark, as Unigram tokenizers give it, and a character that two tokens spell.
    let mut tokens = Encoding {
        ids: vec![7; 5],
        offsets: vec![(0, 1), (1, 1), (2, 2), (2, 6), (2, 6)],
    };
    let text = "a 🙂";
    let labels = LabelSet::new(BIO.iter().copied()).unwrap();
    let best = [
        ("B-PER", 0.9),
        ("I-PER", 0.7),
        ("B-LOC", 0.9),
        ("B-PER", 0.8),
        ("B-LOC", 0.6),
    ];
    let answer = |aggregation, tokens: &Encoding| {
        let tokens = with_words(text, tokens.clone());
        let aggregator = Aggregator::new(aggregation, &labels).unwrap();
        shown(
            text,
            &aggregator.entities(text, &tokens, &rows(&labels, &best)),
        )
    };
    assert_eq!(
        answer(Aggregation::Simple, &tokens),
        ["a PER 0.800", "🙂 PER 0.800"]
    );
    assert_eq!(
        answer(Aggregation::None, &tokens),
        ["a B-PER 0.900", "🙂 B-PER 0.800", "🙂 B-LOC 0.600"]
    );
    assert_eq!(
        answer(Aggregation::Max, &tokens),
        ["a PER 0.900", "🙂 PER 0.800"]
    );
    // What is left of a shared stretch begins at the next visible character.
    tokens.offsets = vec![(0, 1), (0, 1), (0, 1), (0, 1), (0, 6)];
    assert_eq!(
        answer(Aggregation::Simple, &tokens),
        ["a PER 0.800", "🙂 LOC 0.600"]
    );
}

#[test]
fn scores_that_are_no_numbers_decide_nothing() {
    let labels = LabelSet::new(BIO.iter().copied()).unwrap();
    let (text, tokens) = tokenized("a|b c");
    let mut scores = vec![f32::NAN; 15];
    scores[5 + 3] = -0.1;
    scores[10] = f32::INFINITY;
    for (aggregation, expected) in [
        (Aggregation::Simple, vec!["b LOC 0.905"]),
        (Aggregation::First, vec![]),
        (Aggregation::Average, vec!["ab LOC 0.905"]),
        (Aggregation::Max, vec!["ab LOC 0.905"]),
    ] {
        let aggregator = Aggregator::new(aggregation, &labels).unwrap();
        let entities = aggregator.entities(&text, &tokens, &scores);
        assert_eq!(shown(&text, &entities), expected, "{aggregation}");
    }
}

#[test]
fn ways_have_names() {
    for aggregation in Aggregation::ALL {
        assert_eq!(
            aggregation.to_string().parse::<Aggregation>().unwrap(),
            aggregation
        );
    }
    assert_eq!(Aggregation::default(), Aggregation::Viterbi);
    assert_eq!(
        "median".parse::<Aggregation>().unwrap_err().to_string(),
        "`median` is no aggregation: expected viterbi, none, simple, first, average or max"
    );
}
