//! Models with a head for tokens, one for texts and one for spans.

use candle_core::{DType, Tensor};
use vestnik_core::LabelSet;
use vestnik_model::{
    Device, Error, HeadOptions, Mode, ModelDir, MultiTaskModel, ProblemType, Reads, SpanPlace,
    TokenClassifier, TrainingPass, losses,
};
use vestnik_text::Batch;

use crate::heads::PRETRAINED;
use crate::support::{expected, norm, open};

fn labels<const N: usize>(labels: [&str; N]) -> LabelSet {
    LabelSet::new(labels).unwrap()
}

fn heads() -> [HeadOptions; 2] {
    let head = |task: &str, reads, labels| HeadOptions {
        task: task.to_owned(),
        reads,
        labels,
        problem_type: ProblemType::SingleLabel,
    };
    [
        head("topic", Reads::Sequence, labels(["sport", "politics"])),
        head(
            "stance",
            Reads::Span,
            labels(["against", "neutral", "favour"]),
        ),
    ]
}

fn fresh(folder: &str) -> MultiTaskModel {
    let tags = labels(["O", "B-PER", "I-PER"]);
    let model = MultiTaskModel::with_fresh_heads(&open(folder), &tags, &heads(), 7, &Device::Cpu);
    model.unwrap().0
}

/// A span of two tokens in each sequence, in a sentence of the sequence without its ends.
fn places(batch: &Batch) -> Vec<SpanPlace> {
    let place = |sequence: std::ops::Range<usize>| SpanPlace {
        span: sequence.start + 1..(sequence.start + 3).min(sequence.end),
        sentence: sequence.start + 1..sequence.end.max(sequence.start + 3) - 1,
        sequence,
    };
    batch
        .sequences()
        .filter(|tokens| tokens.len() > 3)
        .map(place)
        .collect()
}

struct Logits {
    tokens: Tensor,
    topics: Tensor,
    stances: Tensor,
}

fn logits(model: &MultiTaskModel, batch: &Batch, mode: Mode<'_>) -> Logits {
    let states = model.hidden_states(batch, mode).unwrap();
    Logits {
        tokens: model.token_logits(&states, mode).unwrap(),
        topics: model
            .sequence_logits("topic", &states, batch, mode)
            .unwrap(),
        stances: model
            .span_logits("stance", &states, &places(batch), mode)
            .unwrap(),
    }
}

fn values(logits: &Tensor) -> Vec<Vec<f32>> {
    logits.to_vec2().unwrap()
}

fn a_batch(folder: &str) -> Batch {
    expected(folder)
        .cases
        .iter()
        .map(|case| case.batch())
        .max_by_key(Batch::n_sequences)
        .unwrap()
}

#[test]
fn all_heads_teach_the_encoder() {
    for folder in PRETRAINED {
        let (model, batch) = (fresh(folder), a_batch(folder));
        let pass = TrainingPass::new(1, 0);
        let logits = logits(&model, &batch, Mode::Training(&pass));
        let loss = |logits: &Tensor| {
            let n = logits.dim(0).unwrap();
            losses::cross_entropy(logits, &vec![1; n]).unwrap()
        };
        let parts = [
            loss(&logits.tokens),
            loss(&logits.topics),
            loss(&logits.stances),
        ];
        for part in &parts {
            let gradients = part.backward().unwrap();
            let encoder = model.parameters().iter().find(|(name, _)| {
                name.contains("word_embeddings") || name.contains("tok_embeddings")
            });
            let (_, words) = encoder.unwrap();
            assert!(norm(gradients.get(words).unwrap()) > 1e-7, "{folder}");
        }
        let sum = ((&parts[0] + &parts[1]).unwrap() + &parts[2]).unwrap();
        let gradients = sum.backward().unwrap();
        for (name, var) in model.parameters().iter() {
            assert!(
                gradients.get(var).is_some(),
                "{folder}: {name} gets no gradient"
            );
            let of_head = name.starts_with("heads.") || name.starts_with("classifier.");
            assert!(
                !of_head || norm(gradients.get(var).unwrap()) > 1e-7,
                "{folder}: {name}"
            );
        }
    }
}

#[test]
fn a_saved_model_says_the_same_and_is_a_tagger_to_others() {
    for folder in PRETRAINED {
        let (model, batch) = (fresh(folder), a_batch(folder));
        let before = logits(&model, &batch, Mode::Inference);
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path(), DType::F32).unwrap();
        let dir = ModelDir::open(dir.path()).unwrap();
        let (loaded, report) = MultiTaskModel::load_frozen(&dir, &heads(), &Device::Cpu).unwrap();
        assert!(
            report.missing.is_empty() && report.unused.is_empty(),
            "{report:?}"
        );
        assert_eq!(loaded.pooled_heads().cloned().collect::<Vec<_>>(), heads());
        let after = logits(&loaded, &batch, Mode::Inference);
        assert_eq!(values(&after.tokens), values(&before.tokens));
        assert_eq!(values(&after.topics), values(&before.topics));
        assert_eq!(values(&after.stances), values(&before.stances));
        let (tagger, report) = TokenClassifier::load(&dir, &Device::Cpu).unwrap();
        assert!(report.unused.iter().all(|name| name.starts_with("heads.")));
        let tags = tagger.forward(&batch, Mode::Inference).unwrap();
        assert_eq!(values(&tags), values(&before.tokens));
    }
}

#[test]
fn texts_and_spans_do_not_depend_on_the_batch() {
    for folder in PRETRAINED {
        let model = fresh(folder);
        let cases = expected(folder).cases;
        let case = cases
            .iter()
            .max_by_key(|case| case.input_ids.len())
            .unwrap();
        let together = logits(&model, &case.batch(), Mode::Inference);
        let (mut topics, mut stances) = (vec![], vec![]);
        for single in case.singles().iter().filter(|single| single.ids.len() > 3) {
            let alone = logits(&model, single, Mode::Inference);
            topics.extend(values(&alone.topics));
            stances.extend(values(&alone.stances));
        }
        let long = case
            .batch()
            .sequences()
            .map(|tokens| tokens.len() > 3)
            .collect::<Vec<_>>();
        let mut of_long = long.iter();
        let mut expected = values(&together.topics);
        expected.retain(|_| *of_long.next().unwrap());
        assert_eq!(topics, expected, "{folder}");
        assert_eq!(stances, values(&together.stances), "{folder}");
    }
}

#[test]
fn what_is_no_head_is_refused() {
    let dir = open("bert_mlm");
    let build = |heads: &[HeadOptions]| {
        MultiTaskModel::with_fresh_heads(&dir, &labels(["O"]), heads, 7, &Device::Cpu)
    };
    let message = |heads: &[HeadOptions]| build(heads).unwrap_err().to_string();
    let [topic, stance] = heads();
    assert!(message(&[topic.clone(), stance, topic.clone()]).contains("\"topic\" twice"));
    for task in ["", "Topic", "a.b", "a b"] {
        let head = HeadOptions {
            task: task.to_owned(),
            ..topic.clone()
        };
        assert!(message(&[head]).contains(&format!("{task:?}")));
    }
    let (model, _) = build(&heads()).unwrap();
    let batch = a_batch("bert_mlm");
    let states = model.hidden_states(&batch, Mode::Inference).unwrap();
    let refused = [
        model.sequence_logits("colour", &states, &batch, Mode::Inference),
        model.sequence_logits("stance", &states, &batch, Mode::Inference),
        model.span_logits("topic", &states, &places(&batch), Mode::Inference),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::Argument { .. })));
    }
    let beyond = [SpanPlace {
        span: 0..1,
        sentence: 0..1,
        sequence: 0..batch.ids.len() + 1,
    }];
    assert!(
        model
            .span_logits("stance", &states, &beyond, Mode::Inference)
            .is_err()
    );
    assert!(
        model
            .span_logits("stance", &states, &[], Mode::Inference)
            .is_err()
    );
}
