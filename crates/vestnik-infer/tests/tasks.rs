//! Entities, topics and stances from one pass, on a tiny model with three heads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/heads.rs"]
mod heads;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vestnik_core::{Entity, LabelSet, Span, Stance};
use vestnik_infer::{
    Analysis, DeviceChoice, Error, Metadata, OTHER_TOPIC, Options, Request, Task, Vestnik,
};
use vestnik_model::{Device, Mode, ModelDir, MultiTaskModel, Tensor};
use vestnik_text::{Collator, Example, SpanPlace, TokenizedText, Window, WindowOptions, windows};

const TEXTS: [&str; 5] = [
    "Kyiv waits; the “Rada” met 👩‍👩‍👧 in the U.S. with O'Neill.",
    "",
    "Абу-Даби, ЛНР/ДНР, (ООН), 24 Канал: «Газпром», „Рада“.",
    " \n\u{0} ",
    "नमस्ते दिल्ली, שלום ירושלים, 東京 и Нью\u{ad}Йорк. Президент Румен Радев прибыл в Софию и остался там на три дня, \
     потому что самолёт не мог взлететь из-за тумана над городом; в Киеве его ждали до вечера.",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name)
}

/// A folder with the model of three heads.
fn model() -> TempDir {
    let folder = TempDir::new().unwrap();
    heads::write_model(&fixture("bert"), folder.path(), 24);
    folder
}

fn options() -> Options {
    Options::default().with_device(DeviceChoice::Cpu)
}

fn open(folder: &TempDir, options: &Options) -> Vestnik {
    Vestnik::from_dir_with(folder.path(), options).unwrap()
}

/// Every word of a text as a target, and a target that spans several.
fn targets(text: &str) -> Vec<Span> {
    let mut spans = vestnik_text::words(text);
    if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
        spans.push(Span::new(first.start(), last.end()).unwrap());
    }
    spans
}

fn without_stance(analysis: &Analysis) -> Vec<Entity> {
    let entities = analysis.entities.iter().cloned();
    entities
        .map(|entity| Entity {
            stance: None,
            ..entity
        })
        .collect()
}

#[test]
fn all_tasks_of_the_model_are_done_unless_told() {
    let folder = model();
    let all = open(&folder, &options());
    assert_eq!(all.tasks(), Task::ALL);
    assert!(all.topics().unwrap().iter().eq(heads::TOPICS));
    let analysis = all.analyze(TEXTS[4]).unwrap();
    assert!(!analysis.entities.is_empty() && analysis.windows > 1);
    assert!(
        analysis
            .entities
            .iter()
            .all(|entity| entity.stance.is_some())
    );
    assert_eq!(analysis.topics.len(), 1);

    let topic = open(&folder, &options().with_tasks([Task::Topic]));
    assert_eq!(topic.tasks(), [Task::Topic]);
    assert!(topic.ner().is_none() && topic.entity_types().is_none());
    let only_topic = topic.analyze(TEXTS[4]).unwrap();
    assert_eq!(only_topic.topics, analysis.topics);
    assert!(only_topic.entities.is_empty());

    let plain = open(&folder, &options().with_tasks([Task::Ner]));
    let entities = plain.analyze(TEXTS[4]).unwrap().entities;
    assert_eq!(entities, without_stance(&analysis));
}

#[test]
fn further_heads_change_no_entity() {
    let folder = model();
    let with_heads = open(&folder, &options());
    let settings = heads::SETTINGS.split(",\"heads\"").next().unwrap();
    std::fs::write(folder.path().join("vestnik.json"), format!("{settings}}}")).unwrap();
    let plain = open(&folder, &options());
    assert_eq!(plain.tasks(), [Task::Ner]);
    let all = with_heads.analyze_batch(&TEXTS).unwrap();
    for (plain, analysis) in plain.analyze_batch(&TEXTS).unwrap().iter().zip(&all) {
        assert_eq!(plain.entities, without_stance(analysis));
        assert!(plain.topics.is_empty());
    }
}

#[test]
fn a_result_does_not_depend_on_the_batch() {
    let folder = model();
    let targets: Vec<Vec<Span>> = TEXTS.iter().map(|text| targets(text)).collect();
    let requests: Vec<Request<'_>> = TEXTS
        .iter()
        .zip(&targets)
        .map(|(text, targets)| Request::new(text, targets))
        .collect();
    let large = open(&folder, &options());
    let small = open(&folder, &options().with_batch_tokens(1));
    let together = large.analyze_requests(&requests).unwrap();
    let reversed: Vec<Request<'_>> = requests.iter().rev().copied().collect();
    let mut reversed = large.analyze_requests(&reversed).unwrap();
    reversed.reverse();
    for (index, request) in requests.iter().enumerate() {
        let alone = small.analyze_requests(&[*request]).unwrap();
        assert_eq!(together[index], alone[0], "{}", request.text);
        assert_eq!(together[index], reversed[index], "{}", request.text);
    }
    let single = large.analyze_requests(&requests[..1]).unwrap();
    assert_eq!(single[0], together[0]);
}

/// The model itself, and a text as it reads it.
struct Reference {
    model: MultiTaskModel,
    text: TokenizedText,
    windows: Vec<Window>,
    states: Vec<Tensor>,
}

impl Reference {
    fn new(folder: &TempDir, text: &str) -> Self {
        let dir = ModelDir::open(folder.path()).unwrap();
        let metadata = Metadata::parse(dir.settings().unwrap()).unwrap();
        let heads = metadata.head_options();
        let (model, _) = MultiTaskModel::load_frozen(&dir, &heads, &Device::Cpu).unwrap();
        let tokenizer = dir.tokenizer().unwrap();
        let text = TokenizedText::new(&tokenizer, text).unwrap();
        let options = WindowOptions {
            max_tokens: 30,
            context: 4,
        };
        let windows = windows(&text, &options);
        let collator = Collator::new(tokenizer.special());
        let states = |window: &Window| {
            let ids = text.tokens.ids[window.tokens.clone()].to_vec();
            let batch = collator.batch(&[Example {
                ids,
                ..Example::default()
            }]);
            let states = model.states(&batch, Mode::Inference).unwrap();
            states.narrow(0, 1, window.tokens.len()).unwrap()
        };
        Self {
            states: windows.iter().map(states).collect(),
            model,
            windows,
            text,
        }
    }

    /// The probabilities of topics, from the states of all tokens of the article, each from the window that owns it.
    fn topics(&self) -> Vec<f32> {
        let owned: Vec<Tensor> = self
            .windows
            .iter()
            .zip(&self.states)
            .map(|(window, states)| {
                let start = window.core.start - window.tokens.start;
                states.narrow(0, start, window.core.len()).unwrap()
            })
            .collect();
        let all = Tensor::cat(&owned, 0).unwrap();
        assert_eq!(all.dim(0).unwrap(), self.text.tokens.len());
        let whole = 0..self.text.tokens.len();
        let logits = self
            .model
            .text_logits("topic", &all, &[whole], Mode::Inference);
        probabilities(&logits.unwrap())
    }

    /// The probabilities of stances towards a span, as training computes them: in the window that owns its first token.
    fn stance(&self, span: Span) -> Option<Vec<f32>> {
        let place = SpanPlace::new(&self.text, span)?;
        let owner = self
            .windows
            .iter()
            .position(|window| window.core.contains(&place.span.start))?;
        let place = place.within(&self.windows[owner].tokens)?;
        assert_eq!(place.text, 0..self.windows[owner].tokens.len());
        let states = &self.states[owner];
        let logits = self
            .model
            .span_logits("stance", states, &[place], Mode::Inference);
        Some(probabilities(&logits.unwrap()))
    }
}

fn probabilities(logits: &Tensor) -> Vec<f32> {
    let logits: Vec<f32> = logits.flatten_all().unwrap().to_vec1().unwrap();
    let exps: Vec<f32> = logits.iter().map(|x| x.exp()).collect();
    let sum: f32 = exps.iter().sum();
    exps.iter().map(|x| x / sum).collect()
}

#[track_caller]
fn check_stance(found: Option<Stance>, expected: Option<&[f32]>) {
    let Some((found, expected)) = found.zip(expected) else {
        assert!(found.is_none() && expected.is_none());
        return;
    };
    let output = heads::STANCES
        .iter()
        .position(|name| *name == found.label.as_str());
    let most = expected.iter().copied().fold(0.0, f32::max);
    assert!(
        (found.score - expected[output.unwrap()]).abs() < 1e-5,
        "{found:?} {expected:?}"
    );
    assert!((found.score - most).abs() < 1e-5, "{found:?} {expected:?}");
    assert!((found.polarity - (expected[2] - expected[0])).abs() < 1e-5);
}

#[test]
fn topics_are_of_the_mean_of_all_tokens() {
    let folder = model();
    let vestnik = open(&folder, &options());
    let long = TEXTS.join(" ").repeat(3);
    let mut found = Vec::new();
    for text in [TEXTS[0], TEXTS[2], TEXTS[4], long.as_str()] {
        let expected = Reference::new(&folder, text).topics();
        let topic = vestnik.analyze(text).unwrap().topics.swap_remove(0);
        let label = heads::TOPICS.iter().position(|name| *name == topic.label);
        let score = expected[label.unwrap()];
        assert!((topic.score - score).abs() < 1e-5, "{topic:?} {expected:?}");
        assert!(expected.iter().all(|other| *other <= score));
        found.push(topic.score);
    }
    found.dedup();
    assert_eq!(found.len(), 4, "texts differ");
}

#[test]
fn stances_are_those_of_the_window_that_owns_the_first_token() {
    let folder = model();
    let vestnik = open(&folder, &options());
    let text = TEXTS.join(" ").repeat(2);
    let reference = Reference::new(&folder, &text);
    assert!(reference.windows.len() > 5);
    // Words at every place of every window; pairs of words, some of which are parted by an edge.
    let words = vestnik_text::words(&text);
    let pairs = words.windows(2);
    let pairs = pairs.map(|pair| Span::new(pair[0].start(), pair[1].end()).unwrap());
    let spans: Vec<Span> = words.iter().copied().chain(pairs).collect();
    let analysis = vestnik
        .analyze_requests(&[Request::new(&text, &spans)])
        .unwrap();
    let analysis = &analysis[0];
    assert!(!analysis.entities.is_empty());
    for entity in &analysis.entities {
        check_stance(entity.stance, reference.stance(entity.span).as_deref());
    }
    for (target, span) in analysis.targets.iter().zip(&spans) {
        assert_eq!(target.span, *span);
        check_stance(target.stance, reference.stance(*span).as_deref());
    }
    let mut scores: Vec<u32> = analysis
        .targets
        .iter()
        .filter_map(|target| Some(target.stance?.score.to_bits()))
        .collect();
    scores.sort_unstable();
    scores.dedup();
    assert!(
        scores.len() > spans.len() / 2,
        "stances differ between places"
    );
}

#[test]
fn what_has_no_tokens_has_no_topic_and_no_stance() {
    let folder = model();
    let vestnik = open(&folder, &options());
    for text in ["", " \n "] {
        let analysis = vestnik.analyze(text).unwrap();
        assert_eq!(analysis, Analysis::default());
    }
    let blank = [Span::new(2, 4).unwrap()];
    let request = Request::new("Мост", &[]);
    assert_eq!(vestnik.analyze_requests(&[request]).unwrap()[0].targets, []);
    let request = Request::new("a  b", &blank[..]);
    let text = "a   b";
    let gap = [Span::new(1, 4).unwrap()];
    let analyses = vestnik
        .analyze_requests(&[request, Request::new(text, &gap)])
        .unwrap();
    assert!(analyses[0].targets[0].stance.is_some());
    assert_eq!(analyses[1].targets[0].stance, None);
}

#[test]
fn targets_are_parts_of_their_text() {
    let folder = model();
    let vestnik = open(&folder, &options());
    for (start, end) in [(0, 99), (1, 4)] {
        let targets = [Span::new(0, 2).unwrap(), Span::new(start, end).unwrap()];
        let request = Request::new("Мост", &targets);
        let error = vestnik.analyze_requests(&[request]).unwrap_err();
        assert!(matches!(error, Error::Target { index: 1, .. }), "{error}");
    }
}

#[test]
fn a_task_without_a_head_is_an_error() {
    let options = options().with_tasks([Task::Ner, Task::Stance]);
    let error = Vestnik::from_dir_with(fixture("bert"), &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model has no head for the task \"stance\"; it has: ner"
    );
}

#[test]
fn calibration_and_least_scores_decide_what_holds() {
    let folder = model();
    let sure = open(&folder, &options().with_min_topic_score(1.0));
    let raw = open(&folder, &options()).analyze(TEXTS[4]).unwrap();
    let topics = sure.analyze(TEXTS[4]).unwrap().topics;
    assert_eq!((topics.len(), topics[0].label.as_str()), (1, OTHER_TOPIC));
    assert!((topics[0].score - (1.0 - raw.topics[0].score)).abs() < 1e-6);

    let calibrated = heads::SETTINGS
        .replace("\"weather\"]", "\"weather\"],\"problem_type\":\"multi_label_classification\",\"calibration\":{\"thresholds\":{\"politics\":0.0,\"sport\":0.0,\"weather\":1.0}}")
        .replace("\"favour\"]", "\"favour\"],\"calibration\":{\"temperature\":1000.0}");
    std::fs::write(folder.path().join("vestnik.json"), calibrated).unwrap();
    let analysis = open(&folder, &options()).analyze(TEXTS[4]).unwrap();
    let mut labels: Vec<&str> = analysis.topics.iter().map(|t| t.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["politics", "sport"]);
    for entity in analysis.entities {
        assert!((entity.stance.unwrap().score - 1.0 / 3.0).abs() < 1e-2);
    }
}

#[test]
fn labels_of_a_stance_head_are_stances() {
    let folder = model();
    let settings = heads::SETTINGS.replace("neutral", "unclear");
    std::fs::write(folder.path().join("vestnik.json"), settings).unwrap();
    let error = Vestnik::from_dir_with(folder.path(), &options()).unwrap_err();
    let expected =
        "the model's labels are against, unclear, favour: expected against, neutral and favour";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(LabelSet::new(heads::STANCES).is_ok());
}
