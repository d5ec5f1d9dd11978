//! The likelihood of a conditional random field.

use proptest::prelude::*;
use vestnik_core::{LabelSet, TagScheme, TagSet};
use vestnik_model::losses::{CrfScores, CrfTargets, TextPart, crf, crf_composed};
use vestnik_model::{Device, Result, Tensor, Var};
use vestnik_text::IGNORE;

use crate::reference::{answers, assert_close, matrix};
use crate::twins::{check_finite_differences, check_twins, var};

fn tags() -> TagSet {
    TagSet::new(TagScheme::Bio, &LabelSet::new(["PER", "LOC"]).unwrap())
}

/// `[logits, transitions, start, end]`.
fn loss_of(
    inputs: &[Var],
    tags: &TagSet,
    targets: CrfTargets<'_>,
    composed: bool,
) -> Result<Tensor> {
    let scores = CrfScores {
        transitions: &inputs[1],
        start: &inputs[2],
        end: &inputs[3],
    };
    let compute = if composed { crf_composed } else { crf };
    compute(&inputs[0], scores, tags, targets)
}

fn inputs(n_tokens: usize, n_tags: usize, seed: u64) -> Vec<Var> {
    vec![
        var(&[n_tokens, n_tags], seed),
        var(&[n_tags, n_tags], seed + 1),
        var(&[n_tags], seed + 2),
        var(&[n_tags], seed + 3),
    ]
}

fn whole(tokens: std::ops::Range<usize>) -> TextPart {
    TextPart {
        tokens,
        begins: true,
        ends: true,
    }
}

#[test]
fn has_the_loss_and_the_gradients_of_all_paths() {
    let answers = answers();
    let tags = TagSet::from_labels(&LabelSet::new(answers.tags).unwrap()).unwrap();
    for case in answers.crf {
        let vector = |values: &[f32]| Var::new(values, &Device::Cpu).unwrap();
        let inputs = [
            matrix(&case.logits),
            matrix(&case.transitions),
            vector(&case.start_transitions),
            vector(&case.end_transitions),
        ];
        let parts = case.parts();
        let targets = CrfTargets {
            labels: &case.labels,
            allowed: &case.allowed,
            parts: &parts,
        };
        for composed in [false, true] {
            let loss = loss_of(&inputs, &tags, targets, composed).unwrap();
            assert_close(&case.name, &loss, &[case.loss]);
            let gradients = loss.backward().unwrap();
            let expected = case.gradients.in_order();
            for (input, expected) in inputs.iter().zip(expected) {
                assert_close(&case.name, gradients.get(input).unwrap(), &expected);
            }
        }
    }
}

#[test]
fn twins_agree_and_have_the_gradients_of_differences() {
    let bioes = TagSet::new(TagScheme::Bioes, &LabelSet::new(["PER"]).unwrap());
    let part = TextPart {
        tokens: 5..8,
        begins: false,
        ends: false,
    };
    let targets = CrfTargets {
        labels: &[IGNORE, 1, 3, 0, IGNORE, 2, 0, 4],
        allowed: &[0, 0, 0, 0b11111, 0, 0, 0, 0b11111],
        parts: &[whole(0..5), part],
    };
    let targets_fit = loss_of(&inputs(8, 5, 1), &bioes, targets, false);
    assert!(targets_fit.is_err(), "2 is inside an entity that must end");
    let targets = CrfTargets {
        labels: &[IGNORE, 1, 3, 0, IGNORE, 2, 3, 4],
        ..targets
    };
    let compute = |composed| {
        let bioes = &bioes;
        move |v: &[Var]| loss_of(v, bioes, targets, composed).map_err(candle_core::Error::wrap)
    };
    check_twins(&inputs(8, 5, 1), 2e-6, compute(false), compute(true));
    check_finite_differences(&inputs(8, 5, 1), 1e-2, compute(false));
}

#[test]
fn parts_without_words_have_no_loss() {
    let targets = CrfTargets {
        labels: &[IGNORE; 3],
        allowed: &[],
        parts: &[whole(0..3)],
    };
    let inputs = inputs(3, 5, 1);
    let loss = loss_of(&inputs, &tags(), targets, false).unwrap();
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
    assert!(loss.backward().unwrap().get(&inputs[0]).is_some());
}

#[test]
fn what_does_not_fit_is_refused() {
    let inputs = inputs(2, 5, 1);
    let message = |labels: &[i64], parts: &[TextPart]| {
        let targets = CrfTargets {
            labels,
            allowed: &[],
            parts,
        };
        let refused = loss_of(&inputs, &tags(), targets, false).unwrap_err();
        refused.to_string()
    };
    // I-PER at the start of a text.
    let forbidden = message(&[2, 0], &[whole(0..2)]);
    assert!(
        forbidden.contains("the tag scheme forbids the labels"),
        "{forbidden}"
    );
    assert_eq!(
        message(&[0, 0], &[whole(0..3)]),
        "part of a text: expected within 2 tokens, got one up to 3"
    );
    let one = TagSet::new(TagScheme::Bio, &LabelSet::new(["PER"]).unwrap());
    let targets = CrfTargets {
        labels: &[0, 0],
        allowed: &[],
        parts: &[],
    };
    let refused = loss_of(&inputs, &one, targets, false).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "logits of a token: expected 3, one for each tag, got 5"
    );
}

#[test]
fn undefined_logits_give_an_undefined_loss() {
    let mut inputs = inputs(2, 5, 1);
    inputs[0] = Var::new(&[[f32::NAN; 5]; 2], &Device::Cpu).unwrap();
    let targets = CrfTargets {
        labels: &[0, 0],
        allowed: &[],
        parts: &[whole(0..2)],
    };
    let loss = loss_of(&inputs, &tags(), targets, false).unwrap();
    assert!(loss.to_scalar::<f32>().unwrap().is_nan());
}

/// Labels of a text of words: `O`, or an entity of one or two words.
fn labels() -> impl Strategy<Value = Vec<i64>> {
    let chunk = prop_oneof![
        Just(vec![0]),
        Just(vec![1]),
        Just(vec![1, IGNORE, 2]),
        Just(vec![3, 4]),
        Just(vec![IGNORE]),
    ];
    prop::collection::vec(chunk, 1..5).prop_map(|chunks| chunks.concat())
}

proptest! {
    #[test]
    fn texts_of_a_batch_do_not_see_each_other(
        texts in prop::collection::vec(labels(), 1..5),
        seed in 0..u64::MAX - 9,
    ) {
        let all = texts.concat();
        let n_words = |labels: &[i64]| labels.iter().filter(|label| **label >= 0).count() as f32;
        let ends: Vec<usize> = texts.iter().scan(0, |end, text| { *end += text.len(); Some(*end) }).collect();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let parts: Vec<TextPart> = starts.zip(&ends).map(|(start, end)| whole(start..*end)).collect();
        let inputs = inputs(all.len(), 5, seed);
        let loss = |labels: &[i64], parts: &[TextPart], inputs: &[Var]| {
            let targets = CrfTargets { labels, allowed: &[], parts };
            loss_of(inputs, &tags(), targets, false).unwrap()
        };
        let together = loss(&all, &parts, &inputs);
        let gradients = together.backward().unwrap();
        let gradient = gradients.get(&inputs[0]).unwrap();
        let mut sum = 0.0;
        for (labels, part) in texts.iter().zip(&parts) {
            let rows = inputs[0].narrow(0, part.tokens.start, labels.len()).unwrap();
            let mut alone = inputs.clone();
            alone[0] = Var::from_tensor(&rows.contiguous().unwrap()).unwrap();
            let single = loss(labels, &[whole(0..labels.len())], &alone);
            let weight = n_words(labels) / n_words(&all).max(1.0);
            sum += weight * single.to_scalar::<f32>().unwrap();
            let of_single = single.backward().unwrap();
            let of_single = (of_single.get(&alone[0]).unwrap() * f64::from(weight)).unwrap();
            let among = gradient.narrow(0, part.tokens.start, labels.len()).unwrap();
            let difference = crate::twins::largest_difference(&of_single, &among);
            prop_assert!(difference < 1e-6, "{difference}");
        }
        prop_assert!((sum - together.to_scalar::<f32>().unwrap()).abs() < 1e-5);
    }

    #[test]
    fn what_the_annotation_leaves_open_costs_less(labels in labels(), seed in 0..u64::MAX - 9) {
        let inputs = inputs(labels.len(), 5, seed);
        let loss = |set: u64| {
            let open = |label: &i64| if *label == 0 { set } else { 0 };
            let allowed: Vec<u64> = labels.iter().map(open).collect();
            let targets = CrfTargets { labels: &labels, allowed: &allowed, parts: &[whole(0..labels.len())] };
            loss_of(&inputs, &tags(), targets, false).unwrap().to_scalar::<f32>().unwrap()
        };
        let (known, partly, open) = (loss(0), loss(0b11001), loss(0b11111));
        prop_assert!(known >= partly - 1e-6 && partly >= open - 1e-6 && open >= -1e-6);
    }
}
