//! Logits, losses and gradients equal those of transformers; packed sequences do not see each other.

use candle_core::Tensor;
use vestnik_model::{Device, Mode, Precision, TokenClassifier};
use vestnik_text::Batch;

use crate::support::{Case, Model, expected, norm, open, own_name, training_case};

/// The largest difference between `got [rows, width]` and the reference's rows.
fn largest_difference(got: &Tensor, expected: &[Vec<f32>]) -> f32 {
    let got = got.to_vec2::<f32>().unwrap();
    assert_eq!(got.len(), expected.len());
    let pairs = got.iter().flatten().zip(expected.iter().flatten());
    pairs
        .map(|(got, expected)| (got - expected).abs())
        .fold(0.0, f32::max)
}

/// Every case of a folder: hidden states and logits as the reference, and a sequence alone as among others.
pub(crate) fn check_outputs(folder: &str) {
    let (model, report) = Model::load(folder);
    assert_eq!(report.missing, Vec::<String>::new());
    for case in &expected(folder).cases {
        let hidden_states = model.hidden_states(&case.batch());
        let difference = largest_difference(&hidden_states, &case.hidden_states());
        assert!(
            difference <= 1e-4,
            "{}: states differ by {difference}",
            case.name
        );
        check_logits(case, |batch| model.logits(batch, Mode::Inference));
    }
}

fn check_logits(case: &Case, forward: impl Fn(&Batch) -> Tensor) {
    let logits = forward(&case.batch());
    let difference = largest_difference(&logits, &case.logits());
    assert!(
        difference <= 1e-4,
        "{}: logits differ by {difference}",
        case.name
    );
    let singles: Vec<Tensor> = case.singles().iter().map(&forward).collect();
    let alone = Tensor::cat(&singles, 0).unwrap().to_vec2().unwrap();
    let difference = largest_difference(&logits, &alone);
    assert_eq!(
        difference, 0.0,
        "{}: a sequence depends on its batch mates",
        case.name
    );
}

/// The loss and the Euclidean norms of all gradients as the reference has them.
pub(crate) fn check_gradients(folder: &str) {
    let (model, _) = Model::load(folder);
    let case = training_case(folder);
    let loss = model.loss(&case, Mode::Inference);
    let (got, expected) = (loss.to_scalar::<f32>().unwrap(), case.loss.unwrap());
    assert!(
        (got - expected).abs() < 1e-4,
        "loss {got}, reference {expected}"
    );
    let gradients = loss.backward().unwrap();
    assert!(!case.gradient_norms.is_empty());
    for (name, expected) in &case.gradient_norms {
        let name = own_name(model.parameters(), name);
        let gradient = gradients.get(model.parameters().get(&name).unwrap());
        let norm = norm(gradient.unwrap_or_else(|| panic!("{name} has no gradient")));
        let tolerance = 1e-4 * (1.0 + expected);
        assert!(
            (norm - expected).abs() < tolerance,
            "{name} has gradient norm {norm}, reference {expected}"
        );
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
fn rounded_factors_give_nearly_the_same_states() {
    for name in ["bert", "xlm_roberta", "modernbert", "deberta_v2"] {
        let (model, _) = TokenClassifier::load_frozen(&open(name), &Device::Cpu).unwrap();
        let batch = expected(name).cases[0].batch();
        let [exact, rounded] = [Precision::F32, Precision::Bf16].map(|precision| {
            let states = model
                .encoder()
                .forward(&batch, Mode::InferenceIn(precision));
            states
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        });
        assert_ne!(exact, rounded, "{name}");
        let square = |x: f32| f64::from(x) * f64::from(x);
        let difference: f64 = exact.iter().zip(&rounded).map(|(x, y)| square(x - y)).sum();
        let all: f64 = exact.iter().copied().map(square).sum();
        let error = (difference / all).sqrt();
        assert!(error < 0.03, "{name}: {error}");
    }
}
