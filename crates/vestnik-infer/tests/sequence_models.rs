//! Plain sequence classifiers of the Hugging Face layout as models of topics and of stance.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vestnik_core::{Span, StanceLabel};
use vestnik_infer::{DeviceChoice, Error, Options, Request, Task, Vestnik};
use vestnik_model::{Device, Mode, ModelDir, ProblemType, SequenceClassifier};
use vestnik_text::Batch;

const TEXTS: [&str; 4] = [
    "Москва сказал Maria Smith of the Bank in London.",
    "",
    "Киев, София; Иван Петров сказал: «Мария в London!»",
    "the Bank said the",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name)
}

fn options() -> Options {
    Options::default().with_device(DeviceChoice::Cpu)
}

/// The fixture `bert_seq` with other names of its three outputs.
fn renamed(labels: [&str; 3]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in ["tokenizer.json", "model.safetensors"] {
        fs::copy(fixture("bert_seq").join(file), folder.path().join(file)).unwrap();
    }
    let mut config = fs::read_to_string(fixture("bert_seq").join("config.json")).unwrap();
    for (old, new) in ["politics", "sport", "weather"].iter().zip(labels) {
        config = config.replace(old, new);
    }
    fs::write(folder.path().join("config.json"), config).unwrap();
    folder
}

/// What the model itself says of a text, or a pair, that fits into one sequence.
fn logits(dir: &Path, text: &str, other: Option<&str>) -> Vec<f32> {
    let dir = ModelDir::open(dir).unwrap();
    let (model, _) = SequenceClassifier::load_frozen(&dir, &Device::Cpu).unwrap();
    let input = dir
        .tokenizer()
        .unwrap()
        .encode_for_model(text, other)
        .unwrap();
    let n = input.len();
    let batch = Batch {
        ids: input.ids,
        position_ids: (0..n as u32).collect(),
        type_ids: input.type_ids,
        cumulative_lengths: vec![0, n],
        origins: vec![(0, 0)],
        ..Batch::default()
    };
    let logits = model.forward(&batch, Mode::Inference).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let exps: Vec<f32> = logits.iter().map(|x| x.exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|x| x / sum).collect()
}

#[test]
fn a_classifier_tells_topics() {
    for name in [
        "bert_seq",
        "roberta_seq",
        "distilbert_seq",
        "xlm_roberta_seq",
        "electra_seq",
    ] {
        let vestnik = Vestnik::from_dir_with(fixture(name), &options()).unwrap();
        assert_eq!(vestnik.tasks(), [Task::Topic]);
        let labels = vestnik.topics().unwrap().clone();
        for text in ["Bank in Москва.", TEXTS[3]] {
            let expected = softmax(&logits(&fixture(name), text, None));
            let topic = &vestnik.analyze(text).unwrap().topics[0];
            let output = labels.id(&topic.label).unwrap();
            assert!(
                (topic.score - expected[output]).abs() < 1e-5,
                "{name} {topic:?}"
            );
            assert!(expected.iter().all(|other| *other <= expected[output]));
        }
        assert!(vestnik.analyze("").unwrap().topics.is_empty());
    }
}

#[test]
fn any_number_of_labels_can_hold() {
    let name = "bert_seq_multi";
    let dir = ModelDir::open(&fixture(name)).unwrap();
    let (model, _) = SequenceClassifier::load_frozen(&dir, &Device::Cpu).unwrap();
    assert_eq!(model.problem_type(), ProblemType::MultiLabel);
    let options = options().with_min_topic_score(0.0);
    let vestnik = Vestnik::from_dir_with(fixture(name), &options).unwrap();
    let topics = vestnik.analyze(TEXTS[0]).unwrap().topics;
    assert_eq!(topics.len(), model.labels().len());
    assert!(topics.is_sorted_by(|a, b| a.score >= b.score));
    let logits = logits(&fixture(name), TEXTS[0], None);
    for topic in topics {
        let logit = logits[model.labels().id(&topic.label).unwrap()];
        assert!((topic.score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-5);
    }
}

#[test]
fn windows_of_a_long_text_count_by_their_tokens() {
    let name = "bert_seq";
    let vestnik = Vestnik::from_dir_with(fixture(name), &options()).unwrap();
    // 38 tokens fit: two sentences of 30 tokens and one of 6, each a window of its own.
    let sentences = [
        format!("{}.", "London the Bank of Maria ".repeat(6).trim()),
        format!("{}.", "Москва сказал ".repeat(15).trim()),
        "Киев of the Bank in.".to_owned(),
    ];
    let text = sentences.join(" ");
    let analysis = vestnik.analyze(&text).unwrap();
    assert_eq!((analysis.windows, analysis.tokens), (2, 31 + 31 + 6));
    let parts = [sentences[0].clone(), sentences[1..].join(" ")];
    let sums = parts
        .iter()
        .zip([31.0, 37.0])
        .fold([0.0; 3], |sums: [f32; 3], (part, weight)| {
            let logits = logits(&fixture(name), part, None);
            [0, 1, 2].map(|label| sums[label] + weight * logits[label])
        });
    let expected = softmax(&sums.map(|sum| sum / 68.0));
    let topic = &analysis.topics[0];
    let most = expected.iter().copied().fold(0.0, f32::max);
    assert!((topic.score - most).abs() < 1e-5, "{topic:?} {expected:?}");
}

#[test]
fn a_classifier_of_stances_reads_pairs() {
    let folder = renamed(["Negative", "neutral", "POSITIVE"]);
    let vestnik = Vestnik::from_dir_with(folder.path(), &options()).unwrap();
    assert_eq!(vestnik.tasks(), [Task::Stance]);
    let text = TEXTS[0];
    let targets = ["Maria Smith", "London", "Москва"].map(|name| {
        let start = text.find(name).unwrap();
        Span::new(start, start + name.len()).unwrap()
    });
    let analysis = vestnik
        .analyze_requests(&[Request::new(text, &targets)])
        .unwrap();
    assert!(analysis[0].entities.is_empty() && analysis[0].windows == 1);
    for target in &analysis[0].targets {
        let name = target.span.slice(text).unwrap();
        let expected = softmax(&logits(folder.path(), text, Some(name)));
        let stance = target.stance.unwrap();
        let output = StanceLabel::ALL
            .iter()
            .position(|label| *label == stance.label);
        assert!(
            (stance.score - expected[output.unwrap()]).abs() < 1e-5,
            "{name}"
        );
        assert!(
            (stance.polarity - (expected[2] - expected[0])).abs() < 1e-5,
            "{name}"
        );
    }
}

#[test]
fn a_long_text_is_read_around_the_target() {
    let folder = renamed(["against", "neutral", "favour"]);
    let vestnik = Vestnik::from_dir_with(folder.path(), &options()).unwrap();
    let text = "the Bank of London said in Москва. ".repeat(40);
    let at = |start: usize| Span::new(start, start + "Bank".len()).unwrap();
    let n_bytes = text.len() / 40;
    let targets: Vec<Span> = (0..40).map(|n| at(n * n_bytes + 4)).collect();
    let analysis = vestnik
        .analyze_requests(&[Request::new(&text, &targets)])
        .unwrap();
    assert!(
        analysis[0]
            .targets
            .iter()
            .all(|target| target.stance.is_some())
    );
    assert!(analysis[0].windows > 5, "{}", analysis[0].windows);
    // A target as long as the text leaves room for some of it.
    let all = [Span::new(0, text.trim_end().len()).unwrap()];
    let analysis = vestnik
        .analyze_requests(&[Request::new(&text, &all)])
        .unwrap();
    assert!(analysis[0].targets[0].stance.is_some());
}

#[test]
fn pairs_of_many_texts_share_batches() {
    let folder = renamed(["against", "neutral", "favour"]);
    let open = |options| Vestnik::from_dir_with(folder.path(), &options).unwrap();
    let (large, small) = (open(options()), open(options().with_batch_tokens(1)));
    let targets: Vec<Vec<Span>> = TEXTS.iter().map(|text| vestnik_text::words(text)).collect();
    let requests: Vec<Request<'_>> = TEXTS
        .iter()
        .zip(&targets)
        .map(|(text, targets)| Request::new(text, targets))
        .collect();
    let together = large.analyze_requests(&requests).unwrap();
    for (analysis, request) in together.iter().zip(&requests) {
        let alone = &small.analyze_requests(&[*request]).unwrap()[0];
        for (a, b) in analysis.targets.iter().zip(&alone.targets) {
            let (a, b) = (a.stance.unwrap(), b.stance.unwrap());
            assert!((a.polarity - b.polarity).abs() < 1e-6, "{a:?} {b:?}");
        }
    }
}

#[test]
fn what_is_asked_must_fit_the_labels() {
    let open = |tasks: &[Task]| {
        let options = options().with_tasks(tasks.iter().copied());
        Vestnik::from_dir_with(fixture("bert_seq"), &options)
    };
    let error = open(&[Task::Ner]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::MissingTask {
                task: Task::Ner,
                ..
            }
        ),
        "{error}"
    );
    let error = open(&[Task::Stance]).unwrap_err().to_string();
    assert!(
        error.starts_with("the model's labels are politics, sport, weather"),
        "{error}"
    );
    let folder = renamed(["against", "neutral", "favour"]);
    let topics = options().with_tasks([Task::Topic]);
    let vestnik = Vestnik::from_dir_with(folder.path(), &topics).unwrap();
    assert_eq!(vestnik.analyze(TEXTS[0]).unwrap().topics.len(), 1);
}
