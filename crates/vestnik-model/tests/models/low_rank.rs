//! Low-rank updates in every architecture: how they begin, their gradients, and how they are saved.

use candle_core::Tensor;
use vestnik_model::{
    Adaptation, Device, Lora, LoraTarget, Mode, ModelDir, Parameters, TrainingPass,
};

use crate::gradients::{check_differences, loss};
use crate::support::{Model, norm, training_case};

/// Updates of rank 2 everywhere, with dropout on their inputs.
fn everywhere() -> Adaptation {
    Adaptation {
        lora: Some(Lora {
            rank: 2,
            alpha: 3.0,
            dropout: 0.1,
            targets: LoraTarget::ALL.to_vec(),
            ..Lora::default()
        }),
        ..Adaptation::default()
    }
}

/// The model with updates that are not zero, as after some steps.
pub(crate) fn after_some_steps(folder: &str) -> Model {
    let model = Model::load(folder).0.adapted(&everywhere());
    for (number, (name, var)) in model.parameters().trainable().enumerate() {
        if name.ends_with("lora_B.weight") {
            let values = (0..var.elem_count()).map(|i| 0.05 * ((i + 7 * number) as f32).sin());
            let values: Vec<f32> = values.collect();
            let b = Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap();
            var.set(&b).unwrap();
        }
    }
    model
}

/// Names of the factors of updates.
fn factors(parameters: &Parameters) -> Vec<&str> {
    let names = parameters.trainable().map(|(name, _)| name);
    names.filter(|name| name.contains("lora_")).collect()
}

/// Fresh updates change no output; the factors are drawn as in PEFT.
pub(crate) fn check_start(folder: &str) {
    let (model, _) = Model::load(folder);
    let adapted = model.adapted(&everywhere());
    let batch = training_case(folder).batch();
    let logits = |model: &Model| values(&model.logits(&batch, Mode::Inference));
    assert_eq!(logits(&model), logits(&adapted));

    let n_layers = model.config().encoder.num_hidden_layers;
    assert_eq!(factors(adapted.parameters()).len(), n_layers * 6 * 2);
    for (name, var) in adapted.parameters().trainable() {
        if name.ends_with("lora_A.weight") {
            let bound = 1.0 / (var.dim(1).unwrap() as f32).sqrt();
            let most = largest(values(var).into_iter());
            assert!(most <= bound && most > bound / 2.0, "{name}");
        }
        if name.ends_with("lora_B.weight") {
            assert_eq!(norm(var), 0.0, "{name}");
        }
    }
}

/// At the first step `B` learns and `A` cannot; then every factor has a gradient, and nothing else of the encoder.
pub(crate) fn check_coverage(folder: &str) {
    let case = training_case(folder);
    let fresh = Model::load(folder).0.adapted(&everywhere());
    for (model, is_fresh) in [(fresh, true), (after_some_steps(folder), false)] {
        let gradients = loss(&model, &case).backward().unwrap();
        for (name, var) in model.parameters().trainable() {
            let is_zero = norm(gradients.get(var).unwrap()) < 1e-9;
            let expected = is_fresh && name.ends_with("lora_A.weight");
            assert_eq!(is_zero, expected, "{name}");
        }
        for (name, var) in model.parameters().frozen() {
            assert!(gradients.get(var).is_none(), "{name}");
        }
        let computed = gradients.get_ids().count();
        assert!(computed <= model.parameters().trainable().count() + 1);
    }
}

/// Heads that learn whole are tested with the whole model: taggers of every architecture do here.
pub(crate) fn check_finite_differences(folder: &str) {
    let model = after_some_steps(folder);
    if let Model::Token(_) = model {
        check_differences(&model, folder);
    }
}

/// The saved model is a plain one with the same outputs.
pub(crate) fn check_merging(folder: &str) {
    let adapted = after_some_steps(folder);
    let saved = tempfile::tempdir().unwrap();
    adapted.save(saved.path());
    let (plain, report) = Model::load_dir(&ModelDir::open(saved.path()).unwrap());
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    assert!(factors(plain.parameters()).is_empty());
    let batch = training_case(folder).batch();
    let logits = |model: &Model| values(&model.logits(&batch, Mode::Inference));
    let (merged, unmerged) = (logits(&plain), logits(&adapted));
    let size = largest(unmerged.iter().copied());
    let error = difference(&merged, &unmerged);
    assert!(error < 1e-5 * size.max(1.0), "{error} of {size}");

    let change = difference(&logits(&Model::load(folder).0), &unmerged);
    assert!(change > 1e-4, "the updates change nothing: {change}");
}

fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |most, value| most.max(value.abs()))
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    largest(a.iter().zip(b).map(|(a, b)| a - b))
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Only the targets that are asked for, above the frozen layers, beside embeddings and norms.
#[test]
fn what_learns_beside_the_updates_is_chosen() {
    let (model, _) = Model::load("bert");
    let mut adaptation = everywhere();
    adaptation.freeze.layers = 1;
    adaptation.lora = Some(Lora {
        targets: vec![LoraTarget::Output],
        norms: true,
        ..Lora::default()
    });
    let adapted = model.adapted(&adaptation);
    for (name, _) in adapted.parameters().trainable() {
        let is_expected = name.contains("lora_") && name.contains("attention.output.dense")
            || name.contains("LayerNorm")
            || name.starts_with("classifier");
        let is_frozen = name.contains("embeddings") || name.contains(".layer.0.");
        assert!(is_expected && !is_frozen, "{name}");
    }
    let tables = Lora {
        embeddings: true,
        ..Lora::default()
    };
    let adapted = model.adapted(&Adaptation {
        lora: Some(tables),
        ..Adaptation::default()
    });
    let names: Vec<&str> = adapted
        .parameters()
        .trainable()
        .map(|(name, _)| name)
        .collect();
    assert!(names.contains(&"bert.embeddings.word_embeddings.weight"));
    assert!(!names.contains(&"bert.encoder.layer.0.output.LayerNorm.weight"));
}

/// The same seed draws the same factors, another one others.
#[test]
fn factors_follow_from_the_seed() {
    let (model, _) = Model::load("modernbert");
    let Model::Token(model) = model else { panic!() };
    let first = |seed| {
        let adapted = model.clone().adapted(&everywhere(), seed).unwrap();
        let (name, var) = adapted
            .parameters()
            .trainable()
            .find(|(name, _)| name.contains("lora_A"))
            .unwrap();
        (name.to_owned(), values(var))
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1).1, first(2).1);
    assert_eq!(first(1).0, "model.layers.0.attn.Wo.lora_A.weight");
    let pass = TrainingPass::new(0, 0);
    let batch = training_case("modernbert").batch();
    let adapted = model.adapted(&everywhere(), 1).unwrap();
    assert!(
        adapted
            .forward(&batch, Mode::Training(&pass))
            .unwrap()
            .track_op()
    );
}
