//! Runs with heads for texts and spans, what is measured of them, and each foreseeable mistake.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const TINY: &str = "--set model.base=../tiny --set windows.max_tokens=30 --set windows.context=4 \
    --device cpu --progress none";

fn run_file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/runs");
    std::fs::read_to_string(path.join(name)).unwrap()
}

/// A sandbox with the run of `docs/runs/multi-task.toml` and its data.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    for name in [
        "multi-task.toml",
        "news.jsonl",
        "topics.jsonl",
        "stance.jsonl",
    ] {
        sandbox.write(&format!("runs/{name}"), run_file(name));
    }
    sandbox
}

fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!("train runs/multi-task.toml {TINY} {args}"))
}

fn evaluate(sandbox: &Sandbox, args: &str) -> Value {
    let ran = sandbox.run(&format!(
        "evaluate --model runs/multi-task/model --json --progress none --device cpu {args}"
    ));
    assert_eq!(ran.code, 0, "{ran}");
    ran.records()[0].clone()
}

#[test]
fn one_file_trains_entities_topics_and_stance() {
    let sandbox = sandbox();
    let ran = train(&sandbox, "--set epochs=3 --set calibrate=true");
    assert_eq!(ran.code, 0, "{ran}");
    let record = sandbox.records_of("runs/multi-task/model/run.json");
    let scores = &record["best"]["measures"]["scores"];
    assert_eq!(record["best"]["measures"]["task"], "multi_task");
    let parts = [
        &scores["ner"]["f1"],
        &scores["heads"]["topic"]["score"],
        &scores["heads"]["stance"]["score"],
    ];
    let mean = parts.iter().map(|part| part.as_f64().unwrap()).sum::<f64>() / 3.0;
    assert!((scores["score"].as_f64().unwrap() - mean).abs() < 1e-12);
    let corpora = record["sampling"]["corpora"].as_array().unwrap();
    let names: Vec<&str> = corpora
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["news.jsonl", "topics.jsonl", "stance.jsonl"]);

    let settings = sandbox.records_of("runs/multi-task/model/vestnik.json");
    let heads = settings["heads"].as_array().unwrap();
    assert_eq!(heads[0]["task"], "topic");
    assert_eq!(heads[0]["problem_type"], "multi_label_classification");
    assert_eq!(heads[1]["labels"], json!(["against", "neutral", "favour"]));
    assert!(
        heads[1]["calibration"]["temperature"].is_number(),
        "{settings}"
    );

    // What is measured afterwards is what the run measured; thresholds apart, of which so few texts give none.
    let [topic, stance] = [
        "topic --data runs/topics.jsonl",
        "stance --data runs/stance.jsonl",
    ]
    .map(|data| evaluate(&sandbox, &format!("--fold 1/4 --task {data}")));
    for (task, found) in [("topic", &topic), ("stance", &stance)] {
        let expected = &scores["heads"][task];
        for name in ["accuracy", "macro_f1", "micro_f1", "examples"] {
            assert_eq!(found[name], expected[name], "{task} {name}");
        }
        assert_eq!(found["task"], task);
    }
    assert_eq!(
        stance["macro_f1_without_neutral"],
        scores["heads"]["stance"]["macro_f1_without_neutral"]
    );
    let langs: Vec<&String> = stance["per_lang"].as_object().unwrap().keys().collect();
    assert_eq!(langs, ["ru", "uk"]);
    let ner = evaluate(&sandbox, "--data runs/news.jsonl");
    let f1 = |value: &Value| value.as_f64().unwrap();
    assert!((f1(&ner["micro_f1"]) - f1(&scores["ner"]["f1"])).abs() < 1e-9);

    let log = sandbox.records("runs/multi-task/log.jsonl");
    let steps = log.iter().filter(|event| event["event"] == "step");
    let tasks: std::collections::BTreeSet<String> = steps
        .flat_map(|step| step["task_losses"].as_object().unwrap().keys().cloned())
        .collect();
    assert_eq!(
        tasks.into_iter().collect::<Vec<_>>(),
        ["ner", "stance", "topic"]
    );
    let info = sandbox.run("model info runs/multi-task/model");
    assert!(info.stdout.contains("unused        none"), "{info}");
}

/// The share of texts or targets to which `tag` gives what the file says.
fn share_of_right_tags(sandbox: &Sandbox, task: &str, file: &str) -> f64 {
    let ran = sandbox.run(&format!(
        "tag runs/{file} --model runs/multi-task/model --tasks {task} --device cpu --progress none"
    ));
    assert_eq!(ran.code, 0, "{ran}");
    let mut right = Vec::new();
    for record in ran.records() {
        if task == "topic" {
            let names =
                |list: &Value, name: fn(&Value) -> &Value| -> std::collections::BTreeSet<String> {
                    let names = list.as_array().unwrap().iter().map(name);
                    let names = names.map(|label| label.as_str().unwrap().to_owned());
                    names.filter(|label| label != "other").collect()
                };
            right
                .push(names(&record["topics"], |t| &t["label"]) == names(&record["labels"], |l| l));
        } else {
            let targets = record["targets"].as_array().unwrap().iter();
            right.extend(targets.map(|target| target["stance"]["label"] == target["label"]));
        }
    }
    right.iter().filter(|&&right| right).count() as f64 / right.len() as f64
}

#[test]
fn articles_are_tagged_with_what_was_measured() {
    let sandbox = sandbox();
    let settings = "--set epochs=6 --set optimizer.learning_rate=1e-2 --set train.1.weight=3";
    assert_eq!(train(&sandbox, settings).code, 0);
    for (task, file) in [("topic", "topics.jsonl"), ("stance", "stance.jsonl")] {
        let measured = evaluate(&sandbox, &format!("--task {task} --data runs/{file}"));
        let tagged = share_of_right_tags(&sandbox, task, file);
        assert_eq!(measured["accuracy"].as_f64().unwrap(), tagged, "{task}");
        assert!(tagged > 0.0, "{task}");
    }
}

#[test]
fn a_model_is_trained_further_with_its_heads() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "--set max_steps=3").code, 0);
    let ran = train(
        &sandbox,
        "-o further --set model.base=multi-task/model --set max_steps=1 --set optimizer.learning_rate=1e-9",
    );
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        ran.stderr
            .contains("goes on from the heads of the base model: topic, stance"),
        "{ran}"
    );
    let before = evaluate(&sandbox, "--task stance --data runs/stance.jsonl");
    let after = sandbox.run(
        "evaluate --model further/model --task stance --data runs/stance.jsonl --json --progress none --device cpu",
    );
    assert_eq!(after.records()[0]["per_label"], before["per_label"]);
}

#[test]
fn texts_alone_are_learnt_without_entities() {
    let sandbox = sandbox();
    let run = r#"
        epochs = 2
        [model]
        base = "../tiny/"
        [[model.heads]]
        task = "mood"
        reads = "text"
        labels = ["calm", "busy", "none"]
        score = "accuracy"
        [[train]]
        path = "topics.jsonl"
        task = "mood"
        map = "mood.toml"
        [[dev]]
        path = "topics.jsonl"
        task = "mood"
        map = { culture = "calm", sport = "busy" }
    "#;
    sandbox.write(
        "runs/mood.toml",
        "[map]\nculture = \"calm\"\nsport = \"busy\"\n",
    );
    sandbox.write("runs/texts.toml", run);
    // The base is an encoder without labels.
    let config: Value = sandbox.records_of("tiny/config.json");
    let mut config = config.as_object().unwrap().clone();
    config.insert("architectures".to_owned(), json!(["BertModel"]));
    config.remove("id2label");
    sandbox.write("tiny/config.json", serde_json::to_vec(&config).unwrap());
    let args = "train runs/texts.toml --device cpu --progress none --set windows.max_tokens=30 \
        --set windows.context=4";
    let ran = sandbox.run(args);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        ran.stderr
            .contains("labels that are not in the map are left out"),
        "{ran}"
    );
    let data = "--task mood --data runs/topics.jsonl --map runs/mood.toml --model runs/texts/model";
    let ran = sandbox.run(&format!(
        "evaluate {data} --json --progress none --device cpu"
    ));
    assert_eq!(ran.code, 0, "{ran}");
    let record = sandbox.records_of("runs/texts/model/run.json");
    let best = &record["best"]["measures"]["scores"];
    assert_eq!(ran.records()[0]["accuracy"], best["score"]);
    assert_eq!(best.get("ner"), None);
    let data = data.strip_prefix("--task mood ").unwrap();
    let ran = sandbox.run(&format!("evaluate {data} --progress none --device cpu"));
    assert!(
        ran.stdout.contains("macro F1"),
        "its only head is found: {ran}"
    );
}

#[test]
fn parts_of_the_data_are_measured_apart() {
    let sandbox = sandbox();
    let ran = train(&sandbox, "--set epochs=1");
    assert_eq!(ran.code, 0, "{ran}");
    let examples = |part: &str| {
        let measured = evaluate(
            &sandbox,
            &format!("--task stance --data runs/stance.jsonl {part}"),
        );
        measured["examples"].as_u64().unwrap()
    };
    let all = examples("");
    let parts = ["--fold 1/2", "--fold 2/2"].map(examples);
    assert!(parts.iter().all(|&part| part > 0), "{parts:?}");
    assert_eq!(parts.iter().sum::<u64>(), all);
    assert_eq!(examples("--without-fold 1/2"), parts[1]);
    let documents = |part: &str| {
        let measured = evaluate(&sandbox, &format!("--data runs/news.jsonl {part}"));
        measured["documents"].as_u64().unwrap()
    };
    assert_eq!(
        documents("--fold 1/2") + documents("--fold 2/2"),
        documents("")
    );
    let model = "evaluate --model runs/multi-task/model --device cpu --progress none";
    for (args, expected) in [
        (
            "--data runs/news.jsonl --fold 3/2",
            "\"3/2\" is no part of several, such as \"1/5\"",
        ),
        (
            "--data runs/news.jsonl --fold 1/2 --without-fold 1/2",
            "runs/news.jsonl: no document in the part that is asked for",
        ),
        (
            "--task stance --data runs/stance.jsonl --fold 1/2 --without-fold 1/2",
            "runs/stance.jsonl: no document in the part that is asked for",
        ),
    ] {
        let ran = sandbox.run(&format!("{model} {args}"));
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains(expected), "{ran}");
    }
}

/// Tiny data for every corpus of a run file in `folder`: of its labels, or of those that its map knows.
fn lay_out_corpora(sandbox: &Sandbox, folder: &str, config: &toml::Table) {
    let labels_of_head: Vec<&str> = config["model"]["heads"][0]["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label.as_str().unwrap())
        .collect();
    for part in ["train", "dev"] {
        for corpus in config[part].as_array().unwrap() {
            let path = format!("{folder}/{}", corpus["path"].as_str().unwrap());
            let task = corpus
                .get("task")
                .map_or("ner", |task| task.as_str().unwrap());
            let map = corpus.get("map").map(|map| {
                let file = sandbox.read(&format!("{folder}/{}", map.as_str().unwrap()));
                let file: toml::Table = String::from_utf8(file).unwrap().parse().unwrap();
                let map = file["map"].as_table().unwrap();
                map.keys().cloned().collect::<Vec<String>>()
            });
            let labels =
                map.unwrap_or_else(|| labels_of_head.iter().map(|l| (*l).to_owned()).collect());
            let record = |place: usize| {
                let label = &labels[place % labels.len()];
                let lang = ["bg", "ru", "uk", "en"][place % 4];
                let text = format!("Anna met Boris near the river, part {place} of {path}.");
                json!({"id": place, "lang": lang, "text": text, "labels": [label]}).to_string()
            };
            let lines: Vec<String> = match task {
                "ner" => vec![run_file("news.jsonl")],
                "stance" => vec![run_file("stance.jsonl")],
                _ => (0..120).map(record).collect(),
            };
            sandbox.write(&path, lines.join("\n"));
        }
    }
}

#[test]
fn the_run_file_of_the_benchmark_trains() {
    let sandbox = Sandbox::with_model();
    let text = run_file("sib200.toml");
    sandbox.write("sib/sib200.toml", &text);
    lay_out_corpora(&sandbox, "sib", &text.parse().unwrap());
    let ran = sandbox.run(
        "train sib/sib200.toml --set model.base=../tiny --set model.labels=['PER'] --set max_steps=1 \
         --set windows.max_tokens=30 --set windows.context=4 --device cpu --progress none",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let record = sandbox.records_of("sib/sib200/model/run.json");
    let measured = &record["best"]["measures"]["scores"]["heads"]["topic"];
    assert_eq!(measured["score"], measured["accuracy"]);
    assert_eq!(measured["examples"], 480);
}

/// The maps of labels fit the head, and cover no label that it does not have.
#[test]
fn the_run_file_of_the_default_model_reads() {
    let sandbox = Sandbox::with_model();
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/vestnik-news");
    let text = std::fs::read_to_string(models.join("train.toml")).unwrap();
    sandbox.write("models/vestnik-news/train.toml", &text);
    for map in ["allsides", "telegram", "onetv", "sib200"] {
        let name = format!("topics/{map}.toml");
        let map = std::fs::read(models.join(&name)).unwrap();
        sandbox.write(&format!("models/vestnik-news/{name}"), map);
    }
    lay_out_corpora(&sandbox, "models/vestnik-news", &text.parse().unwrap());
    let ran = sandbox.run(
        "train models/vestnik-news/train.toml --set model.base=../../tiny --set max_steps=1 \
         --set train.limit=30 --set windows.max_tokens=30 --set windows.context=0 --set calibrate=false --device cpu --progress none",
    );
    assert_eq!(ran.code, 0, "{ran}");
}

/// The error of a run, without the word `error`.
fn mistake(sandbox: &Sandbox, args: &str) -> String {
    let ran = train(sandbox, &format!("{args} -o other"));
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    ran.stderr
}

#[test]
fn mistakes_of_heads_are_named() {
    let sandbox = sandbox();
    for (set, expected) in [
        ("train.1.task=topics", "\"topics\""),
        ("train.1.task=stance", "targets"),
        ("train.2.task=topic", "labels"),
        ("model.heads.0.task=ner", "ner"),
        ("model.heads.0.task=Topic", "lower-case"),
        ("model.heads.1.task=topic", "each task once"),
        ("model.heads.0.labels=[]", "label"),
        ("model.heads.0.labels=['a','a']", "twice"),
        ("model.heads.0.reads=page", "page"),
        ("model.heads.0.score=macro_f1_without_neutral", "neutral"),
        ("model.heads.0.label_smoothing=0.1", "label_smoothing"),
        ("model.heads.1.class_weights.favor=2", "favor"),
        ("train.1.map={sports='sport'}", "no text has a label"),
        ("train.1.map={sport='sports'}", "\"sports\""),
        ("train.1.map=missing.toml", "missing.toml"),
        ("train.1.known=['sports']", "\"sports\""),
        ("train.2.known=['favour']", "one label holds"),
        ("train.0.map={a='b'}", "entities"),
        ("train.1.fold=5/4", "1/5"),
        ("train.1.fold=half", "half"),
        ("dev.1.max_windows=1", "whole"),
        ("train.1.max_windows=0", "at least 1"),
        ("best_by=['topics']", "topics"),
        ("train.1.format=conll", "format"),
        (
            "model.heads.0.labels=['sport','politics']",
            "no label of the head topic",
        ),
    ] {
        let message = mistake(&sandbox, &format!("--set {set}"));
        assert!(message.contains(expected), "{set}: {message}");
    }
}

#[test]
fn mistakes_of_measuring_heads_are_named() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "--set max_steps=1").code, 0);
    for (args, expected) in [
        (
            "--task colour --data runs/topics.jsonl",
            "no head for the task \"colour\"",
        ),
        ("--task topic --data runs/stance.jsonl", "labels"),
        ("--task stance --data missing.jsonl", "missing.jsonl"),
        (
            "--task topic --data runs/topics.jsonl --predictions x.jsonl",
            "--predictions",
        ),
        (
            "--task topic --data runs/topics.jsonl --map missing.toml",
            "missing.toml",
        ),
        ("--data runs/news.jsonl --map runs/topics.jsonl", "--map"),
    ] {
        let ran = sandbox.run(&format!(
            "evaluate --model runs/multi-task/model --device cpu --progress none {args}"
        ));
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains(expected), "{args}: {ran}");
    }
    let ran =
        sandbox.run("evaluate --model tiny --task topic --data runs/topics.jsonl --device cpu");
    assert!(ran.stderr.contains("it has: ner"), "{ran}");
}
