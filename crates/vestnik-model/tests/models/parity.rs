//! Logits, losses and gradients equal those of transformers; packed sequences do not see each other.

use crate::support::{Case, MASKED_LMS, TOKEN_CLASSIFIERS, expected, open};
use candle_core::Tensor;
use vestnik_model::{Device, MaskedLm, Mode, Parameters, TokenClassifier, losses};
use vestnik_text::Batch;

/// The largest difference between `got [tokens, classes]` and the reference's rows.
fn largest_difference(got: &Tensor, expected: &[Vec<f32>]) -> f32 {
    let got = got.to_vec2::<f32>().unwrap();
    assert_eq!(got.len(), expected.len());
    let pairs = got.iter().flatten().zip(expected.iter().flatten());
    pairs
        .map(|(got, expected)| (got - expected).abs())
        .fold(0.0, f32::max)
}

fn check_case(name: &str, case: &Case, forward: impl Fn(&Batch) -> Tensor) {
    let logits = forward(&case.batch());
    let difference = largest_difference(&logits, &case.packed_logits());
    assert!(
        difference <= 1e-4,
        "{name}, {}: logits differ by {difference}",
        case.name
    );
    let singles: Vec<Tensor> = case.singles().iter().map(&forward).collect();
    let alone = Tensor::cat(&singles, 0).unwrap();
    let difference = largest_difference(&logits, &alone.to_vec2().unwrap());
    assert_eq!(
        difference, 0.0,
        "{name}, {}: a sequence depends on its batch mates",
        case.name
    );
}

/// Euclidean norms of all gradients against the reference's, which names tied tensors once.
fn check_gradients(name: &str, case: &Case, loss: &Tensor, parameters: &Parameters) {
    let expected_loss = case.loss.unwrap();
    let got_loss = loss.to_scalar::<f32>().unwrap();
    assert!(
        (got_loss - expected_loss).abs() < 1e-4,
        "{name}: loss {got_loss}, reference {expected_loss}"
    );
    let gradients = loss.backward().unwrap();
    assert!(!case.gradient_norms.is_empty());
    for (tensor, expected) in &case.gradient_norms {
        let tensor = tied_name(tensor);
        let var = parameters
            .get(tensor)
            .unwrap_or_else(|| panic!("{name} has no {tensor}"));
        let gradient = gradients
            .get(var)
            .unwrap_or_else(|| panic!("{name}: {tensor} has no gradient"));
        let norm = gradient
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .sqrt()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        let tolerance = 1e-4 * (1.0 + expected);
        assert!(
            (norm - expected).abs() < tolerance,
            "{name}: {tensor} has gradient norm {norm}, reference {expected}"
        );
    }
}

/// The name under which we hold a tensor that the reference holds under several.
fn tied_name(name: &str) -> &str {
    match name {
        "lm_head.decoder.weight" => "roberta.embeddings.word_embeddings.weight",
        "lm_head.decoder.bias" => "lm_head.bias",
        "cls.predictions.decoder.weight" => "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias" => "cls.predictions.bias",
        name => name,
    }
}

#[test]
fn token_classifiers_give_the_reference_logits() {
    for name in TOKEN_CLASSIFIERS {
        let (model, report) = TokenClassifier::load(&open(name), &Device::Cpu).unwrap();
        assert_eq!(report, vestnik_model::LoadReport::default());
        for case in &expected(name).cases {
            check_case(name, case, |batch| {
                model.forward(batch, Mode::Inference).unwrap()
            });
        }
    }
}

#[test]
fn a_fresh_head_takes_nothing_from_the_head_in_the_checkpoint() {
    let labels = |names: &[&str]| vestnik_core::LabelSet::new(names.iter().copied()).unwrap();
    let same_number = labels(&["O", "B-EVT", "I-EVT", "B-PRO", "I-PRO"]);
    let fewer = labels(&["O", "B-ORG", "I-ORG"]);
    let (old, _) = TokenClassifier::load(&open("bert"), &Device::Cpu).unwrap();
    for labels in [same_number, fewer] {
        let (model, report) =
            TokenClassifier::with_fresh_head(&open("bert"), &labels, 7, &Device::Cpu).unwrap();
        assert_eq!(report.missing, ["classifier.weight", "classifier.bias"]);
        assert_eq!(model.config().labels().unwrap(), labels);
        let weight = |model: &TokenClassifier| {
            let weight = model.parameters().get("classifier.weight").unwrap();
            weight.to_vec2::<f32>().unwrap()
        };
        assert_eq!(weight(&model).len(), labels.len());
        assert_ne!(weight(&model)[0], weight(&old)[0]);
    }
}

#[test]
fn a_frozen_model_gives_the_same_logits_and_keeps_no_graph() {
    let (trainable, _) = TokenClassifier::load(&open("bert"), &Device::Cpu).unwrap();
    let (frozen, _) = TokenClassifier::load_frozen(&open("bert"), &Device::Cpu).unwrap();
    let batch = expected("bert").cases[0].batch();
    let [trained, inferred] =
        [&trainable, &frozen].map(|model| model.forward(&batch, Mode::Inference).unwrap());
    assert_eq!(
        largest_difference(&inferred, &trained.to_vec2().unwrap()),
        0.0
    );
    assert!(trained.track_op() && !inferred.track_op());
}

#[test]
fn token_classifiers_give_the_reference_gradients() {
    for name in TOKEN_CLASSIFIERS {
        let (model, _) = TokenClassifier::load(&open(name), &Device::Cpu).unwrap();
        for case in expected(name)
            .cases
            .iter()
            .filter(|case| case.loss.is_some())
        {
            let batch = case.batch();
            let logits = model.forward(&batch, Mode::Inference).unwrap();
            let loss = losses::cross_entropy(&logits, batch.labels.as_ref().unwrap()).unwrap();
            check_gradients(name, case, &loss, model.parameters());
        }
    }
}

fn every_position(batch: &Batch) -> Vec<u32> {
    (0..batch.ids.len() as u32).collect()
}

#[test]
fn masked_language_models_give_the_reference_logits_and_gradients() {
    for name in MASKED_LMS {
        let (model, report) = MaskedLm::load(&open(name), 0, &Device::Cpu).unwrap();
        assert_eq!(report.missing, Vec::<String>::new(), "{name}");
        for case in &expected(name).cases {
            let forward = |batch: &Batch| {
                model
                    .logits(batch, &every_position(batch), Mode::Inference)
                    .unwrap()
            };
            check_case(name, case, forward);
            let batch = case.batch();
            if let Some(labels) = &batch.labels {
                let loss = losses::cross_entropy(&forward(&batch), labels).unwrap();
                check_gradients(name, case, &loss, model.parameters());
            }
        }
    }
}
