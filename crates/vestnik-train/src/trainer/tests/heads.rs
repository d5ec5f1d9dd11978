//! Runs of models with heads for texts and spans beside the one for entities.

use std::collections::BTreeMap;

use vestnik_core::Span;
use vestnik_model::{HeadOptions, ModelDir, MultiTaskModel};

use super::*;
use crate::config::HeadConfig;
use crate::event::MultiTaskMeasures;
use crate::labelled::{LabelledCorpus, LabelledItem, LabelledText, evaluate_head, held};
use crate::run::Task;

/// A fourth head has a name that nothing knows.
const HEADS: &str = r#"
    [[model.heads]]
    task = "topic"
    reads = "text"
    labels = ["water", "talk"]
    problem_type = "multi_label_classification"
    [[model.heads]]
    task = "stance"
    reads = "span"
    labels = ["against", "neutral", "favour"]
    class_weights = "balanced"
    [[model.heads]]
    task = "length"
    reads = "text"
    labels = ["short", "long"]
    score = "accuracy"
    loss_weight = 0.5
"#;

fn head_config(overrides: &[&str]) -> RunConfig {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    RunConfig::parse(&format!("{RUN}\n{HEADS}"), &overrides).unwrap()
}

fn heads(config: &RunConfig) -> Vec<HeadOptions> {
    config.model.heads.iter().map(HeadConfig::options).collect()
}

fn model(dropout: f64, config: &RunConfig) -> MultiTaskModel {
    let tagger = tagger(dropout, config);
    tagger.with_heads(&heads(config), 3).unwrap()
}

fn text(seed: u64, items: impl Fn(&str) -> Vec<LabelledItem>) -> LabelledText {
    let text = testing::sentence(seed);
    LabelledText {
        id: format!("t{seed}"),
        lang: Some(if seed.is_multiple_of(2) { "en" } else { "cs" }.to_owned()),
        items: items(&text),
        text,
    }
}

fn whole(labels: Vec<&str>) -> Vec<LabelledItem> {
    let labels = labels.into_iter().map(str::to_owned).collect();
    vec![LabelledItem {
        labels,
        ..LabelledItem::default()
    }]
}

/// Texts about water hold "river", talks hold "met" or "saw".
fn topics(text: &str) -> Vec<LabelledItem> {
    let has = |word| text.split(' ').any(|other| other == word);
    let water = has("river").then_some("water");
    let talk = (has("met") || has("saw")).then_some("talk");
    whole(water.into_iter().chain(talk).collect())
}

fn lengths(text: &str) -> Vec<LabelledItem> {
    let is_long = text.split(' ').count() > 7;
    whole(vec![if is_long { "long" } else { "short" }])
}

/// Every name is a target, and what is said of it is who it is.
fn stances(text: &str) -> Vec<LabelledItem> {
    let (mut start, mut items) = (0, Vec::new());
    for word in text.split(' ') {
        let label = match word {
            "Anna" | "Sofia" => Some("favour"),
            "Boris" | "Prague" => Some("against"),
            "Vera" | "Kyiv" => Some("neutral"),
            _ => None,
        };
        items.extend(label.map(|label| LabelledItem {
            span: Some(Span::new(start, start + word.len()).unwrap()),
            labels: vec![label.to_owned()],
            ..LabelledItem::default()
        }));
        start += word.len() + 1;
    }
    items
}

fn corpus(
    task: &str,
    seeds: std::ops::Range<u64>,
    items: impl Fn(&str) -> Vec<LabelledItem>,
) -> LabelledCorpus {
    LabelledCorpus {
        task: task.to_owned(),
        texts: seeds.map(|seed| text(seed, &items)).collect(),
        weight: 1.0,
        ..LabelledCorpus::default()
    }
}

fn corpora(seeds: std::ops::Range<u64>) -> Vec<LabelledCorpus> {
    vec![
        corpus("topic", seeds.clone(), topics),
        corpus("stance", seeds.clone(), stances),
        corpus("length", seeds, lengths),
    ]
}

fn all_data(train: std::ops::Range<u64>, dev: std::ops::Range<u64>) -> TrainingData {
    TrainingData {
        texts: corpora(train.clone()),
        dev_texts: corpora(dev.clone()),
        ..data(train, dev)
    }
}

fn head_trainer(dropout: f64, data: TrainingData, config: &RunConfig, out: &Path) -> Trainer {
    let model = model(dropout, config);
    Trainer::new(model, testing::tokenizer(), data, config, out).unwrap()
}

fn multi_task(measures: Measures) -> MultiTaskMeasures {
    match measures {
        Measures::MultiTask(measures) => measures,
        other => panic!("{other:?}"),
    }
}

const BY_HEART: [&str; 5] = [
    "epochs=60",
    "evaluate_every=10000",
    "batch.max_tokens=120",
    "schedule.decay=constant",
    "optimizer.weight_decay=0",
];

#[test]
fn all_tasks_are_learnt_by_heart_in_one_run() {
    for more in [&[][..], &["model.head=crf"], &["batch.accumulate=3"]] {
        let out = tempfile::tempdir().unwrap();
        let config = head_config(&[&BY_HEART[..], more].concat());
        let mut trainer = head_trainer(0.0, all_data(0..12, 0..12), &config, out.path());
        let (record, events) = run(&mut trainer);
        let measures = multi_task(record.best.unwrap().measures);
        assert_eq!(measures.score, 1.0, "{more:?}: {measures:?}");
        assert_eq!(measures.ner.unwrap().f1, 1.0);
        let tasks: Vec<&String> = measures.heads.keys().collect();
        assert_eq!(tasks, ["length", "stance", "topic"]);
        let stance = &measures.heads["stance"];
        assert_eq!(stance.macro_f1_without_neutral, Some(1.0));
        assert_eq!(stance.per_lang.keys().collect::<Vec<_>>(), ["cs", "en"]);
        let mut last: BTreeMap<String, f64> = BTreeMap::new();
        for step in steps(&events) {
            last.extend(step.task_losses.clone());
        }
        assert_eq!(last.len(), 4, "{last:?}");
        assert!(last.values().all(|&loss| loss < 0.1), "{last:?}");
    }
}

#[test]
fn a_batch_holds_one_task() {
    let out = tempfile::tempdir().unwrap();
    let config = head_config(&["batch.max_tokens=60"]);
    let trainer = head_trainer(0.0, all_data(0..20, 0..4), &config, out.path());
    let task = &trainer.run.task;
    let batches = sampler(task, &config).batches(0);
    let mut seen = vec![0; 4];
    for batch in &batches {
        let made = task.batch(batch, 0);
        seen[task.task(&made)] += 1;
        assert!(task.n_tokens(&made) <= 60);
        assert!(task.n_labelled(&made) > 0);
    }
    assert!(seen.iter().all(|&n| n > 1), "{seen:?}");
    let order: Vec<usize> = batches
        .iter()
        .map(|batch| task.task(&task.batch(batch, 0)))
        .collect();
    assert!(!order.is_sorted(), "{order:?}");
}

/// The gradient of an update of several batches is that of the losses of its tasks, each the mean over its own labels.
#[test]
fn a_loss_weight_scales_its_task_alone() {
    let losses = |weight: &str| {
        let out = tempfile::tempdir().unwrap();
        let weight = format!("model.heads.1.loss_weight={weight}");
        let config = head_config(&["max_steps=1", "batch.accumulate=100", &weight]);
        let mut trainer = head_trainer(0.0, all_data(0..8, 0..0), &config, out.path());
        let (_, events) = run(&mut trainer);
        steps(&events)[0].clone()
    };
    let (one, five) = (losses("1"), losses("5"));
    assert_eq!(one.task_losses, five.task_losses);
    let out = tempfile::tempdir().unwrap();
    let config = head_config(&["batch.accumulate=100"]);
    let trainer = head_trainer(0.0, all_data(0..8, 0..0), &config, out.path());
    let batches = sampler(&trainer.run.task, &config).batches(0);
    let task = &trainer.run.task;
    let of_stance = batches
        .iter()
        .filter(|batch| task.task(&task.batch(batch, 0)) == 2)
        .count();
    let share = of_stance as f64 / batches.len() as f64;
    let expected = one.loss + 4.0 * share * one.task_losses["stance"];
    assert!((five.loss - expected).abs() < 1e-5, "{one:?} {five:?}");
}

#[test]
fn a_run_goes_on_bit_for_bit() {
    let config = head_config(&[
        "epochs=3",
        "checkpoint_every=4",
        "evaluate_every=5",
        "batch.accumulate=2",
    ]);
    let whole = tempfile::tempdir().unwrap();
    let mut unbroken = head_trainer(0.1, all_data(0..20, 20..26), &config, whole.path());
    let (record, events) = run(&mut unbroken);
    for last in [1, 6, 9] {
        let out = tempfile::tempdir().unwrap();
        stop_after(
            &mut head_trainer(0.1, all_data(0..20, 20..26), &config, out.path()),
            last,
        );
        let mut resumed = head_trainer(0.1, all_data(0..20, 20..26), &config, out.path());
        resumed.resume().unwrap();
        let (again, more) = run(&mut resumed);
        assert_eq!(
            testing::weights(resumed.model().parameters()),
            testing::weights(unbroken.model().parameters())
        );
        assert_eq!(again.evaluations, record.evaluations);
        let (rest, all) = (steps(&more), steps(&events));
        for (a, b) in rest.iter().rev().zip(all.iter().rev()) {
            assert_eq!(
                (a.step, a.loss, &a.task_losses),
                (b.step, b.loss, &b.task_losses)
            );
        }
    }
}

#[test]
fn changed_labels_are_noticed_on_resumption() {
    let config = head_config(&["checkpoint_every=2"]);
    let out = tempfile::tempdir().unwrap();
    let mut trainer = head_trainer(0.0, all_data(0..10, 0..4), &config, out.path());
    stop_after(&mut trainer, 3);
    let mut flipped = all_data(0..10, 0..4);
    let stances = &mut flipped.texts[1].texts;
    let target = stances.iter_mut().flat_map(|text| &mut text.items).next();
    target.unwrap().labels = vec!["favour".to_owned()];
    let mut masked = all_data(0..10, 0..4);
    masked.texts[0].known = Some(vec!["water".to_owned()]);
    let mut other_dev = all_data(0..10, 0..4);
    other_dev.dev_texts[2].texts.pop();
    for changed in [flipped, masked, other_dev] {
        let mut trainer = head_trainer(0.0, changed, &config, out.path());
        let error = trainer.resume().unwrap_err();
        assert!(matches!(error, Error::DataChanged { .. }), "{error}");
    }
}

/// Heads without data change nothing of what a tagger learns.
#[test]
fn a_tagger_learns_the_same_beside_heads_that_do_not() {
    let out = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let settings = ["epochs=2", "batch.accumulate=2"];
    let mut alone = trainer(0.1, data(0..20, 20..26), &config(&settings), out[0].path());
    let with_heads = head_config(&settings);
    let mut beside = head_trainer(0.1, data(0..20, 20..26), &with_heads, out[1].path());
    let (record, events) = run(&mut alone);
    let (other, others) = run(&mut beside);
    for (a, b) in steps(&events).iter().zip(steps(&others)) {
        assert_eq!((a.loss, a.grad_norm, a.lr), (b.loss, b.grad_norm, b.lr));
    }
    let weights = testing::weights(beside.model().parameters());
    let weights: Vec<_> = weights
        .into_iter()
        .filter(|(name, _)| !name.starts_with("heads."))
        .collect();
    assert_eq!(weights, testing::weights(alone.model().parameters()));
    let Measures::Ner(measures) = record.best.unwrap().measures else {
        panic!()
    };
    let found = multi_task(other.best.unwrap().measures);
    assert_eq!((found.score, found.ner), (measures.f1, Some(measures)));
}

#[test]
fn texts_alone_can_be_learnt_and_the_model_is_read_again() {
    let out = tempfile::tempdir().unwrap();
    let config = head_config(&BY_HEART);
    let (dir, _folder) = testing::encoder(0.0);
    let made = MultiTaskModel::with_fresh_heads(
        &dir,
        None,
        &heads(&config),
        1,
        &vestnik_model::Device::Cpu,
    );
    let data = TrainingData {
        train: Vec::new(),
        dev: Vec::new(),
        ..all_data(0..12, 0..12)
    };
    let tokenizer = testing::tokenizer();
    let mut trainer = Trainer::new(made.unwrap().0, tokenizer, data, &config, out.path()).unwrap();
    let (record, _) = run(&mut trainer);
    let measures = multi_task(record.best.unwrap().measures);
    assert_eq!((measures.score, measures.ner), (1.0, None));
    let dir = ModelDir::open(&out.path().join("model")).unwrap();
    let (model, report) =
        MultiTaskModel::load(&dir, &heads(&config), &vestnik_model::Device::Cpu).unwrap();
    assert!(report.unused.is_empty() && model.labels().is_none());
    let options = EvaluationOptions::new(config.windows.options());
    let found = evaluate_head(
        &model,
        &testing::tokenizer(),
        &corpora(0..12),
        "stance",
        &options,
    )
    .unwrap();
    assert_eq!(found.scores.macro_f1, measures.heads["stance"].macro_f1);
}

/// What is measured does not depend on how windows are packed, nor on the other texts.
#[test]
fn labels_do_not_depend_on_the_batch() {
    let config = head_config(&[]);
    let model = model(0.0, &config);
    let mut long = corpora(0..9);
    for corpus in &mut long {
        // Two windows and more.
        let text = format!("{} {}", testing::sentence(50), testing::sentence(51)).repeat(2);
        corpus.texts.insert(4, self::text(0, |_| Vec::new()));
        let items = corpus.texts[0].items.clone();
        corpus.texts[4] = LabelledText {
            text,
            items,
            ..corpus.texts[4].clone()
        };
    }
    for task in ["topic", "stance", "length"] {
        let evaluated = |batch_tokens| {
            let options = EvaluationOptions {
                batch_tokens,
                ..EvaluationOptions::new(config.windows.options())
            };
            evaluate_head(&model, &testing::tokenizer(), &long, task, &options).unwrap()
        };
        let together = evaluated(4096);
        for batch_tokens in [1, 17, 60] {
            let apart = evaluated(batch_tokens);
            assert_eq!(apart.items.len(), together.items.len());
            for (a, b) in apart.items.iter().zip(&together.items) {
                let same = a.logits.iter().zip(&b.logits);
                assert!(
                    same.into_iter().all(|(a, b)| (a - b).abs() < 1e-5),
                    "{task}"
                );
            }
        }
    }
}

/// F1 of "water" where two of three corpora are silent about it.
fn f1_of_water(silent: impl Fn(&mut LabelledCorpus)) -> f64 {
    let out = tempfile::tempdir().unwrap();
    let config = head_config(&BY_HEART);
    let mut other = corpus("topic", 0..12, topics);
    for item in other.texts.iter_mut().flat_map(|text| &mut text.items) {
        item.labels.retain(|label| label != "water");
    }
    silent(&mut other);
    let data = TrainingData {
        texts: vec![corpus("topic", 0..12, topics), other.clone(), other],
        dev_texts: vec![corpus("topic", 0..12, topics)],
        ..TrainingData::default()
    };
    let mut trainer = head_trainer(0.0, data, &config, out.path());
    let (record, _) = run(&mut trainer);
    multi_task(record.best.unwrap().measures).heads["topic"].per_label["water"]
}

#[test]
fn labels_that_a_corpus_says_nothing_of_are_not_learnt() {
    let known = f1_of_water(|corpus| corpus.known = Some(vec!["talk".to_owned()]));
    let unknown = f1_of_water(|corpus| {
        let items = corpus.texts.iter_mut().flat_map(|text| &mut text.items);
        items.for_each(|item| item.unknown.push("water".to_owned()));
    });
    assert_eq!(known, unknown);
    // Taken at their word, two corpora outvote one.
    let outvoted = f1_of_water(|_| ());
    assert!(known > outvoted, "{known} {outvoted}");
}

#[test]
fn heads_learn_on_a_frozen_encoder_and_beside_low_rank_updates() {
    for setting in ["freeze.encoder=true", "lora.rank=2"] {
        let out = tempfile::tempdir().unwrap();
        let config = head_config(&["epochs=2", "optimizer.weight_decay=0", setting]);
        let before: BTreeMap<String, Vec<f32>> = testing::weights(model(0.0, &config).parameters())
            .into_iter()
            .collect();
        let mut trainer = head_trainer(0.0, all_data(0..20, 0..8), &config, out.path());
        run(&mut trainer);
        let after = testing::weights(trainer.model().parameters());
        for (name, values) in &after {
            let is_head = name.starts_with("heads.") || name.starts_with("classifier.");
            if setting.starts_with("freeze") || is_head {
                assert_eq!(*values != before[name], is_head, "{setting}: {name}");
            }
        }
        let dir = ModelDir::open(&out.path().join("model")).unwrap();
        let loaded = MultiTaskModel::load(&dir, &heads(&config), &vestnik_model::Device::Cpu);
        assert!(loaded.unwrap().1.unused.is_empty(), "{setting}");
    }
}

#[test]
fn several_targets_of_a_text_are_read_once() {
    let out = tempfile::tempdir().unwrap();
    let config = head_config(&["windows.max_tokens=40"]);
    let two = |_: &str| stances("Anna met Boris in Prague .");
    let mut corpus = corpus("stance", 0..1, two);
    corpus.texts[0].text = "Anna met Boris in Prague .".to_owned();
    let data = TrainingData {
        texts: vec![corpus],
        ..data(0..2, 0..0)
    };
    let trainer = head_trainer(0.0, data, &config, out.path());
    let task = &trainer.run.task;
    let last = task.ranges()[2].clone();
    assert_eq!(last.len(), 1);
    let batch = task.batch(&[last.start], 0);
    assert_eq!((task.n_labelled(&batch), task.n_tokens(&batch)), (3, 8));
}

#[test]
fn what_does_not_fit_the_heads_is_refused() {
    let config = head_config(&[]);
    let failure = |data: TrainingData| {
        let out = tempfile::tempdir().unwrap();
        let model = model(0.0, &config);
        let made = Trainer::new(model, testing::tokenizer(), data, &config, out.path());
        made.unwrap_err().to_string()
    };
    let changed = |change: fn(&mut Vec<LabelledCorpus>)| {
        let mut data = all_data(0..4, 0..4);
        change(&mut data.texts);
        failure(data)
    };
    let unknown = changed(|texts| texts[0].texts[0].items = whole(vec!["sport"]));
    assert!(
        unknown.contains("\"sport\"") && unknown.contains("water"),
        "{unknown}"
    );
    let two = changed(|texts| texts[2].texts[0].items = whole(vec!["short", "long"]));
    assert!(two.contains("exactly one"), "{two}");
    let none = changed(|texts| texts[2].texts[0].items = whole(vec![]));
    assert!(none.contains("exactly one"), "{none}");
    let other = changed(|texts| texts[0].task = "mood".to_owned());
    assert!(other.contains("\"mood\""), "{other}");
    let known = changed(|texts| texts[0].known = Some(vec!["fire".to_owned()]));
    assert!(known.contains("\"fire\""), "{known}");
    // A tagger alone has none of the heads that the run file names.
    let out = tempfile::tempdir().unwrap();
    let plain = testing::tagger(0.0);
    let made = Trainer::new(
        plain,
        testing::tokenizer(),
        data(0..4, 0..0),
        &config,
        out.path(),
    );
    assert!(matches!(made.unwrap_err(), Error::NoHead { .. }));
}

#[test]
fn weights_of_unknown_labels_are_refused() {
    let weights = "model.heads.0.class_weights={water = 2, fire = 3}".to_owned();
    let error = RunConfig::parse(&format!("{RUN}\n{HEADS}"), &[weights]).unwrap_err();
    let expected = r#"setting `model.heads.class_weights` is for "fire", expected labels of the head: water, talk"#;
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_highest_logit_holds_or_all_that_are_likely() {
    use vestnik_model::ProblemType::{MultiLabel, SingleLabel};
    assert_eq!(held(SingleLabel, &[0.5, 2.0, 2.0]), [1]);
    assert_eq!(held(MultiLabel, &[0.5, -0.1, 0.0]), [0, 2]);
    assert_eq!(held(SingleLabel, &[]), [0; 0]);
    assert_eq!(held(MultiLabel, &[]), [0; 0]);
}
