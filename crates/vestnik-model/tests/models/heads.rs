//! Fresh heads on encoders that others pretrained, and models that are saved and loaded again.

use candle_core::{DType, Tensor};
use vestnik_core::LabelSet;
use vestnik_model::{
    Adaptation, Device, EncoderModel, Freeze, HeadKind, LoadReport, MaskedLm, Mode, Model,
    ModelDir, ProblemType, SequenceClassifier, TokenClassifier, Var,
    losses::{self, CrfTargets, TextPart},
};
use vestnik_text::{Batch, IGNORE};

use crate::support::{expected, norm, open, path};

/// Pretrained models, one of each architecture.
pub(crate) const PRETRAINED: [&str; 8] = [
    "bert_mlm",
    "roberta_mlm",
    "xlm_roberta_mlm",
    "camembert_mlm",
    "distilbert_mlm",
    "electra_mlm",
    "deberta_v2_mlm",
    "modernbert_mlm",
];

fn labels() -> LabelSet {
    LabelSet::new(["against", "neutral", "favour"]).unwrap()
}

fn batch(folder: &str) -> Batch {
    expected(folder).cases[0].batch()
}

/// The encoder comes from the checkpoint whole, the output layer does not come from it.
fn check_report(folder: &str, report: &LoadReport) {
    let encoder = open(folder).config().encoder.architecture.model_type();
    for name in &report.missing {
        let of_head = [
            "classifier.",
            "pre_classifier.",
            "pooler.",
            "bert.pooler.",
            "head.",
        ];
        assert!(
            of_head.iter().any(|prefix| name.starts_with(prefix)),
            "{encoder}: {name} is missing"
        );
    }
    let fresh = |name: &String| name.starts_with("classifier.");
    assert!(
        report.missing.iter().any(fresh),
        "{encoder}: no fresh output"
    );
}

fn saved<H>(model: &Model<H>, check: impl FnOnce(ModelDir)) {
    let dir = tempfile::tempdir().unwrap();
    model.save(dir.path(), DType::F32).unwrap();
    check(ModelDir::open(dir.path()).unwrap());
}

#[test]
fn every_encoder_takes_a_fresh_head_for_tokens() {
    for folder in PRETRAINED {
        let (model, report) =
            TokenClassifier::with_fresh_head(&open(folder), &labels(), 5, &Device::Cpu).unwrap();
        check_report(folder, &report);
        let batch = batch(folder);
        let logits = model.forward(&batch, Mode::Inference).unwrap();
        assert_eq!(logits.dims(), [batch.ids.len(), 3]);
        saved(&model, |dir| {
            assert_eq!(dir.config().head(), Some(HeadKind::TokenClassification));
            let (loaded, _) = TokenClassifier::load(&dir, &Device::Cpu).unwrap();
            assert_eq!(loaded.labels(), &labels());
            let again = loaded.forward(&batch, Mode::Inference).unwrap();
            assert_eq!(
                again.to_vec2::<f32>().unwrap(),
                logits.to_vec2::<f32>().unwrap()
            );
        });
    }
}

#[test]
fn every_encoder_takes_a_fresh_head_for_sequences() {
    for folder in PRETRAINED {
        let (model, report) =
            SequenceClassifier::with_fresh_head(&open(folder), &labels(), 5, &Device::Cpu).unwrap();
        check_report(folder, &report);
        assert_eq!(model.problem_type(), ProblemType::SingleLabel);
        let model = model.with_problem_type(ProblemType::MultiLabel);
        let batch = batch(folder);
        let logits = model.forward(&batch, Mode::Inference).unwrap();
        assert_eq!(logits.dims(), [batch.n_sequences(), 3]);
        saved(&model, |dir| {
            assert_eq!(dir.config().head(), Some(HeadKind::SequenceClassification));
            let (loaded, _) = SequenceClassifier::load(&dir, &Device::Cpu).unwrap();
            assert_eq!(loaded.problem_type(), ProblemType::MultiLabel);
            let again = loaded.forward(&batch, Mode::Inference).unwrap();
            assert_eq!(
                again.to_vec2::<f32>().unwrap(),
                logits.to_vec2::<f32>().unwrap()
            );
        });
    }
}

/// A text whose words are the tokens between the special ones, all tagged.
fn tagged(batch: &Batch) -> (Vec<i64>, Vec<TextPart>) {
    let mut labels = vec![IGNORE; batch.ids.len()];
    let parts = batch.sequences().map(|tokens| {
        let words = tokens.start + 1..tokens.end - 1;
        for (place, label) in labels[words].iter_mut().enumerate() {
            *label = [0, 1, 2, 0, 3][place % 5];
        }
        TextPart {
            tokens,
            begins: true,
            ends: true,
        }
    });
    let parts = parts.collect();
    (labels, parts)
}

fn field_loss(model: &TokenClassifier, batch: &Batch) -> Tensor {
    let logits = model.forward(batch, Mode::Inference).unwrap();
    let (labels, parts) = tagged(batch);
    let targets = CrfTargets {
        labels: &labels,
        allowed: &[],
        parts: &parts,
    };
    model.crf().unwrap().loss(&logits, targets).unwrap()
}

#[test]
fn a_random_field_trains_and_is_saved_with_its_encoder() {
    let labels = LabelSet::new(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]).unwrap();
    let open = open("bert_mlm");
    let (model, _) = TokenClassifier::with_fresh_head(&open, &labels, 5, &Device::Cpu).unwrap();
    let plain = model.parameters().len();
    let model = model.with_crf().unwrap();
    assert_eq!(model.parameters().len(), plain + 3);
    let batch = batch("bert_mlm");
    let gradients = field_loss(&model, &batch).backward().unwrap();
    for (name, var) in model.parameters().iter() {
        let gradient = gradients.get(var);
        let gradient = gradient.unwrap_or_else(|| panic!("{name} gets no gradient"));
        // Softmax does not see the bias of the keys.
        assert!(
            norm(gradient) > 1e-7 || name.ends_with("key.bias"),
            "{name}"
        );
    }
    let between = model.parameters().get("crf.transitions").unwrap();
    let noise = (gradients.get(between).unwrap() * 7.0).unwrap();
    between.set(&noise).unwrap();

    saved(&model, |dir| {
        let (loaded, report) = TokenClassifier::load(&dir, &Device::Cpu).unwrap();
        assert_eq!((report.missing.len(), report.unused.len()), (0, 0));
        let transitions = |model: &TokenClassifier| model.crf().unwrap().transitions().unwrap();
        assert_eq!(transitions(&loaded), transitions(&model));
        assert_ne!(transitions(&loaded).between(0, 1), 0.0);
        // Another run on other labels leaves it aside; one that wants none takes it away.
        let (other, _) =
            TokenClassifier::with_fresh_head(&dir, &self::labels(), 5, &Device::Cpu).unwrap();
        assert!(other.crf().is_none());
        assert_eq!(loaded.without_crf().parameters().len(), plain);
        // It is a part of the head, which learns on a frozen encoder.
        let (loaded, _) = TokenClassifier::load(&dir, &Device::Cpu).unwrap();
        let freeze = Freeze {
            encoder: true,
            ..Freeze::default()
        };
        let adaptation = Adaptation {
            freeze,
            ..Adaptation::default()
        };
        let adapted = loaded.adapted(&adaptation, 1).unwrap();
        assert_eq!(transitions(&adapted), transitions(&model));
        let of_field = |(name, _): &(&str, &Var)| name.starts_with("crf.");
        assert_eq!(adapted.parameters().trainable().filter(of_field).count(), 3);
        let gradients = field_loss(&adapted, &batch).backward().unwrap();
        let learnt = adapted.parameters().get("crf.transitions").unwrap();
        assert!(norm(gradients.get(learnt).unwrap()) > 1e-7);
    });
}

#[test]
fn a_random_field_needs_tags() {
    let (model, _) =
        TokenClassifier::with_fresh_head(&open("bert_mlm"), &labels(), 5, &Device::Cpu).unwrap();
    let message = model.with_crf().unwrap_err().to_string();
    assert!(message.contains("a CRF needs tags"), "{message}");
}

#[test]
fn a_random_field_of_another_size_is_refused() {
    let path = path("bert");
    let load = |tensors: &[(&str, &[usize])]| {
        let dir = tempfile::tempdir().unwrap();
        let mut all =
            candle_core::safetensors::load(path.join("model.safetensors"), &Device::Cpu).unwrap();
        for (name, shape) in tensors {
            let zeros = Tensor::zeros(*shape, DType::F32, &Device::Cpu).unwrap();
            all.insert((*name).to_owned(), zeros);
        }
        candle_core::safetensors::save(&all, dir.path().join("model.safetensors")).unwrap();
        std::fs::copy(path.join("config.json"), dir.path().join("config.json")).unwrap();
        let dir = ModelDir::open(dir.path()).unwrap();
        TokenClassifier::load(&dir, &Device::Cpu).map(|(model, _)| model)
    };
    let n = TokenClassifier::load(&open("bert"), &Device::Cpu)
        .unwrap()
        .0
        .labels()
        .len();
    let edges: [(&str, &[usize]); 2] = [
        ("crf.start_transitions", &[n]),
        ("crf.end_transitions", &[n]),
    ];
    let with =
        |transitions: &[usize]| load(&[edges[0], edges[1], ("crf.transitions", transitions)]);
    assert!(with(&[n, n]).unwrap().crf().is_some());
    let message = with(&[n + 2, n + 2]).unwrap_err().to_string();
    assert!(
        message.contains("tensor crf.transitions has shape"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
    let message = load(&edges).unwrap_err().to_string();
    assert!(
        message.ends_with("1 of the model's tensors are missing, the first: crf.transitions"),
        "{message}"
    );
}

#[test]
fn a_classifier_of_one_label_is_for_several_texts_of_it() {
    let one = LabelSet::new(["sport"]).unwrap();
    let (model, _) =
        SequenceClassifier::with_fresh_head(&open("bert_mlm"), &one, 5, &Device::Cpu).unwrap();
    saved(&model, |dir| {
        SequenceClassifier::load(&dir, &Device::Cpu).unwrap();
    });
}

#[test]
fn a_tagger_can_be_pretrained_further_and_an_encoder_taken_out() {
    for folder in PRETRAINED {
        let tagger = folder.trim_end_matches("_mlm");
        let (_, report) = MaskedLm::load(&open(tagger), 3, &Device::Cpu).unwrap();
        let prefix = encoder_prefix(tagger);
        assert!(report.missing.iter().all(|name| !name.starts_with(&prefix)));
        let (encoder, report) = EncoderModel::load_frozen(&open(tagger), &Device::Cpu).unwrap();
        assert!(report.unused.iter().all(|name| !name.starts_with(&prefix)));
        let batch = batch(tagger);
        let states = encoder.forward(&batch).unwrap();
        assert_eq!(states.dim(0).unwrap(), batch.ids.len());
        assert!(!states.track_op());
    }
}

/// How the names of an encoder's tensors begin.
fn encoder_prefix(folder: &str) -> String {
    let (model, _) = EncoderModel::load_frozen(&open(folder), &Device::Cpu).unwrap();
    let name = model.parameters().iter().next().unwrap().0.to_owned();
    name.split_inclusive('.').next().unwrap().to_owned()
}

#[test]
fn weights_in_half_precision_say_so() {
    let (model, _) = TokenClassifier::load(&open("bert"), &Device::Cpu).unwrap();
    for (dtype, name, weights) in [
        (DType::F16, "float16", "f16"),
        (DType::BF16, "bfloat16", "bf16"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path(), dtype).unwrap();
        let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["dtype"], name);
        assert_eq!(ModelDir::open(dir.path()).unwrap().weights_dtype(), weights);
    }
}

#[test]
fn the_loss_of_several_labels_is_the_composed_one() {
    let (model, _) = SequenceClassifier::load(&open("bert_seq_multi"), &Device::Cpu).unwrap();
    let batch = batch("bert_seq_multi");
    let logits = model.forward(&batch, Mode::Inference).unwrap();
    let n = logits.elem_count();
    let targets: Vec<f32> = (0..n).map(|i| (i % 3) as f32 / 2.0).collect();
    let fused = losses::binary_cross_entropy(&logits, &targets).unwrap();
    let composed = losses::binary_cross_entropy_composed(&logits, &targets).unwrap();
    let difference = (&fused - &composed).unwrap().abs().unwrap();
    assert!(difference.to_scalar::<f32>().unwrap() < 1e-6);
    let classifier = model.parameters().get("classifier.weight").unwrap();
    let [fused, composed] = [fused, composed].map(|loss| {
        let gradients = loss.backward().unwrap();
        gradients
            .get(classifier)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()
            .concat()
    });
    for (fused, composed) in fused.iter().zip(&composed) {
        assert!((fused - composed).abs() < 1e-6, "{fused} {composed}");
    }
    assert!(losses::binary_cross_entropy(&logits, &targets[1..]).is_err());
    assert!(losses::binary_cross_entropy(&logits, &vec![1.5; n]).is_err());
    let extreme = candle_core::Tensor::new(&[[1e4f32, -1e4]], &Device::Cpu).unwrap();
    let loss = losses::binary_cross_entropy(&extreme, &[1.0, 0.0]).unwrap();
    assert_eq!(loss.to_scalar::<f32>().unwrap(), 0.0);
}

#[test]
fn unknown_labels_count_nowhere_and_weights_scale_the_others() {
    let values = [[0.3_f32, -2.0, 1.5], [-0.7, 0.1, 4.0]];
    let targets = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let weights = [1.0, 0.0, 2.5, 1.0, 0.0, 0.5];
    let logits = || candle_core::Var::new(&values, &Device::Cpu).unwrap();
    let gradient = |loss: &candle_core::Tensor, logits: &candle_core::Var| {
        let gradients = loss.backward().unwrap();
        gradients
            .get(logits)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap()
            .concat()
    };
    let fused = logits();
    let loss = losses::weighted_binary_cross_entropy(&fused, &targets, &weights).unwrap();
    let own = logits();
    let reference =
        losses::weighted_binary_cross_entropy_composed(&own, &targets, &weights).unwrap();
    // log(1 + exp(x)) - t x, by hand.
    let by_hand: f64 = values
        .concat()
        .iter()
        .zip(targets.iter().zip(&weights))
        .map(|(&x, (&t, &w))| f64::from(w) * (f64::from(x).exp().ln_1p() - f64::from(t * x)))
        .sum::<f64>()
        / 5.0;
    for loss in [&loss, &reference] {
        let loss = f64::from(loss.to_scalar::<f32>().unwrap());
        assert!((loss - by_hand).abs() < 1e-6, "{loss} {by_hand}");
    }
    let (a, b) = (gradient(&loss, &fused), gradient(&reference, &own));
    for (place, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
        assert_eq!(*a == 0.0, weights[place] == 0.0);
    }
    // All alike it is the plain loss; nothing known is no loss.
    let even = losses::weighted_binary_cross_entropy(&fused, &targets, &[3.0; 6]).unwrap();
    let plain = losses::binary_cross_entropy(&fused, &targets).unwrap();
    let difference = even.to_scalar::<f32>().unwrap() - plain.to_scalar::<f32>().unwrap();
    assert!(difference.abs() < 1e-6);
    let none = losses::weighted_binary_cross_entropy(&fused, &targets, &[0.0; 6]).unwrap();
    assert_eq!(none.to_scalar::<f32>().unwrap(), 0.0);
    for wrong in [&weights[1..], &[-1.0; 6], &[f32::NAN; 6]] {
        assert!(losses::weighted_binary_cross_entropy(&fused, &targets, wrong).is_err());
    }
}

#[test]
fn a_head_of_another_kind_is_refused() {
    let error = TokenClassifier::load(&open("bert_seq"), &Device::Cpu).unwrap_err();
    let message = error.to_string();
    assert!(
        message.ends_with(
            "the model is a BertForSequenceClassification, expected one for token classification"
        ),
        "{message}"
    );
    assert!(SequenceClassifier::load(&open("bert"), &Device::Cpu).is_err());
    assert!(TokenClassifier::load_frozen(&open("bert_mlm"), &Device::Cpu).is_err());
}
