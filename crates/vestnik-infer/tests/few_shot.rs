//! Labels from a handful of examples, on features of a tiny encoder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use vestnik_infer::{DeviceChoice, Error, FewShot, Options, TextFeatures};

const EXAMPLES: [(&str, &str); 8] = [
    ("London, London and the Bank.", "банк"),
    ("Москва и Киев.", "город"),
    ("the Bank of London", "банк"),
    ("София, Киев, Москва", "город"),
    ("Bank said the", "банк"),
    ("Киев и София", "город"),
    ("in the Bank", "банк"),
    ("Москва, Москва!", "город"),
];

fn features(name: &str) -> TextFeatures {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name);
    let options = Options::default().with_device(DeviceChoice::Cpu);
    TextFeatures::from_dir(path, &options).unwrap()
}

#[test]
fn labels_are_learnt_from_examples_with_any_encoder() {
    for name in ["bert", "bert_seq", "xlm_roberta"] {
        let features = features(name);
        let examples = EXAMPLES.repeat(4);
        let few_shot = FewShot::fit(&features, &examples).unwrap();
        assert_eq!(few_shot.examples(), 32);
        assert!(few_shot.labels().iter().eq(["банк", "город"]));
        let texts: Vec<&str> = EXAMPLES.iter().map(|(text, _)| *text).collect();
        let answers = few_shot.classify_batch(&features, &texts).unwrap();
        for (answer, (text, label)) in answers.iter().zip(EXAMPLES) {
            assert_eq!(answer.best().unwrap().0, label, "{name}: {text}");
            let sum: f32 = answer.labels.iter().map(|(_, score)| score).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
        assert_eq!(FewShot::fit(&features, &examples).unwrap(), few_shot);
        let blank = &few_shot.classify_batch(&features, &["", "Bank"]).unwrap()[0];
        assert!(blank.labels.is_empty() && blank.tokens == 0);
    }
}

#[test]
fn what_was_learnt_is_kept_in_a_file() {
    let features = features("bert");
    let few_shot = FewShot::fit(&features, &EXAMPLES).unwrap();
    let json = few_shot.to_json().unwrap();
    let read = FewShot::from_json(json.as_bytes(), &features).unwrap();
    let texts = ["London и Киев", "сказал"];
    let before = few_shot.classify_batch(&features, &texts).unwrap();
    let after = read.classify_batch(&features, &texts).unwrap();
    for (before, after) in before.iter().zip(&after) {
        for ((label, score), (same, other)) in before.labels.iter().zip(&after.labels) {
            assert_eq!(label, same);
            assert!((score - other).abs() < 1e-6);
        }
    }
    for other in ["bert_gelu_new", "bert_relu", "bert_seq", "xlm_roberta"] {
        let error = FewShot::from_json(json.as_bytes(), &self::features(other)).unwrap_err();
        assert!(
            matches!(error, Error::HeadEncoder { .. }),
            "{other}: {error}"
        );
    }
}

#[test]
fn damaged_files_are_refused() {
    let features = features("bert");
    let json = FewShot::fit(&features, &EXAMPLES)
        .unwrap()
        .to_json()
        .unwrap();
    let refused = |json: &str| FewShot::from_json(json.as_bytes(), &features).unwrap_err();
    assert!(matches!(refused("{}"), Error::Head { .. }));
    assert!(matches!(
        refused(&json[..json.len() / 2]),
        Error::Head { .. }
    ));
    let later = json.replace("\"format_version\":1", "\"format_version\":2");
    assert!(matches!(
        refused(&later),
        Error::HeadVersion { found: 2, .. }
    ));
    let fewer = json.replacen("\"deviation\":[", "\"deviation\":[1.0,", 1);
    assert!(matches!(refused(&fewer), Error::HeadEncoder { .. }));
    let ragged = json.replacen("\"regression\":[[", "\"regression\":[[1.0,", 1);
    assert!(matches!(refused(&ragged), Error::Head { .. }));
}

#[test]
fn examples_have_at_least_two_labels() {
    let features = features("bert");
    for examples in [&EXAMPLES[..1], &[]] {
        let error = FewShot::fit(&features, examples).unwrap_err();
        assert_eq!(
            error.to_string(),
            "examples: those of at least two labels are needed"
        );
    }
    let error = FewShot::fit(&features, &[("a", "x"), ("b", "")]).unwrap_err();
    assert!(matches!(error, Error::Core(_)), "{error}");
}
