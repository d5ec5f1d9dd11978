//! Models with a head for tokens, one for texts and one for spans.

use std::ops::Range;

use candle_core::{DType, Tensor};
use vestnik_core::LabelSet;
use vestnik_model::{
    Device, Error, HeadOptions, Mode, ModelDir, MultiTaskModel, ProblemType, Reads,
    TokenClassifier, TrainingPass, losses,
};
use vestnik_text::{Batch, SpanPlace};

use crate::heads::PRETRAINED;
use crate::support::{Case, expected, norm, open};

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
        head("topic", Reads::Text, labels(["sport", "politics"])),
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

/// The tokens of each sequence without the special ones.
fn texts(batch: &Batch) -> Vec<Range<usize>> {
    let text = |tokens: Range<usize>| tokens.start + 1..tokens.end - 1;
    let long = batch.sequences().filter(|tokens| tokens.len() > 3);
    long.map(text).collect()
}

/// The first two tokens of each text, in a sentence of the text without its last token.
fn places(batch: &Batch) -> Vec<SpanPlace> {
    let place = |text: Range<usize>| SpanPlace {
        span: text.start..text.start + 2,
        sentence: text.start..(text.end - 1).max(text.start + 2),
        text,
    };
    texts(batch).into_iter().map(place).collect()
}

struct Logits {
    tokens: Tensor,
    topics: Tensor,
    stances: Tensor,
}

fn logits(model: &MultiTaskModel, batch: &Batch, mode: Mode<'_>) -> Logits {
    let states = model.states(batch, mode).unwrap();
    Logits {
        tokens: model.token_logits(&states, mode).unwrap(),
        topics: model
            .text_logits("topic", &states, &texts(batch), mode)
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
        .map(Case::batch)
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
        assert_eq!(topics, values(&together.topics), "{folder}");
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
    let states = model.states(&batch, Mode::Inference).unwrap();
    let whole = texts(&batch);
    let refused = [
        model.text_logits("colour", &states, &whole, Mode::Inference),
        model.text_logits("stance", &states, &whole, Mode::Inference),
        model.span_logits("topic", &states, &places(&batch), Mode::Inference),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::Argument { .. })));
    }
    for texts in [&[0..1, 5..5][..], &[0..1, 0..batch.ids.len() + 1], &[]] {
        let logits = model.text_logits("topic", &states, texts, Mode::Inference);
        assert!(matches!(logits, Err(Error::Tensor { .. })), "{logits:?}");
    }
}

#[test]
fn a_tagger_gets_heads_and_keeps_what_it_says() {
    for folder in PRETRAINED {
        let tags = labels(["O", "B-PER", "I-PER"]);
        let device = Device::Cpu;
        let (tagger, _) =
            TokenClassifier::with_fresh_head(&open(folder), &tags, 7, &device).unwrap();
        let batch = a_batch(folder);
        let before = tagger.forward(&batch, Mode::Inference).unwrap();
        let plain = MultiTaskModel::from(tagger.clone());
        assert_eq!(plain.pooled_heads().count(), 0);
        assert_eq!(plain.parameters().len(), tagger.parameters().len());
        let model = tagger.with_heads(&heads(), 7).unwrap();
        for model in [&plain, &model] {
            let states = model.states(&batch, Mode::Inference).unwrap();
            let after = model.token_logits(&states, Mode::Inference).unwrap();
            assert_eq!(values(&after), values(&before), "{folder}");
        }
        assert_eq!(model.pooled_heads().cloned().collect::<Vec<_>>(), heads());
    }
}

#[test]
fn heads_are_taken_from_a_checkpoint() {
    let trained = fresh("bert_mlm");
    let folder = tempfile::tempdir().unwrap();
    trained.save(folder.path(), DType::F32).unwrap();
    let dir = ModelDir::open(folder.path()).unwrap();
    let [topic, stance] = heads();
    let batch = a_batch("bert_mlm");
    let other = |seed| {
        let (tagger, _) = TokenClassifier::load(&dir, &Device::Cpu).unwrap();
        tagger
            .with_heads(&[stance.clone(), topic.clone()], seed)
            .unwrap()
    };
    let model = other(99);
    let fresh_topics = values(&logits(&model, &batch, Mode::Inference).topics);
    model.take_heads(&dir, &["stance"]).unwrap();
    let (found, expected) = (
        logits(&model, &batch, Mode::Inference),
        logits(&trained, &batch, Mode::Inference),
    );
    assert_eq!(values(&found.stances), values(&expected.stances));
    assert_eq!(values(&found.topics), fresh_topics);
    let error = model.take_heads(&dir, &["colour"]).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }));
    let error = model.take_heads(&open("bert_mlm"), &["topic"]).unwrap_err();
    assert!(matches!(error, Error::MissingTensors { .. }), "{error}");
}

#[test]
fn a_model_without_a_head_for_tokens_is_read_again() {
    for folder in PRETRAINED {
        let made = MultiTaskModel::with_fresh_heads(&open(folder), None, &heads(), 7, &Device::Cpu);
        let (model, batch) = (made.unwrap().0, a_batch(folder));
        assert_eq!((model.labels(), model.crf().is_none()), (None, true));
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path(), DType::F32).unwrap();
        let dir = ModelDir::open(dir.path()).unwrap();
        assert!(dir.config().head().is_none());
        let (loaded, report) = MultiTaskModel::load_frozen(&dir, &heads(), &Device::Cpu).unwrap();
        assert!(
            report.missing.is_empty() && report.unused.is_empty(),
            "{folder}: {report:?}"
        );
        let topics = |model: &MultiTaskModel| {
            let states = model.states(&batch, Mode::Inference).unwrap();
            let error = model.token_logits(&states, Mode::Inference).unwrap_err();
            assert!(error.to_string().contains("head for tokens"), "{error}");
            let logits = model.text_logits("topic", &states, &texts(&batch), Mode::Inference);
            values(&logits.unwrap())
        };
        assert_eq!(topics(&loaded), topics(&model));
    }
}
