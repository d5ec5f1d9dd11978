//! What topics and stances cost beside entities: the default model on the example articles, with one head and with three.
//!
//! A default model without these heads gets some of fixed numbers: their cost does not depend on what they have learnt.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

#[path = "../crates/vestnik-infer/tests/support/heads.rs"]
mod heads;

use std::fs;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use tempfile::TempDir;
use vestnik::{Options, Task, Vestnik};

/// Topics of a model that has none, as many as the top level of the IPTC Media Topics.
const N_TOPICS: usize = 17;

fn articles() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/articles");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    texts.collect()
}

/// The folder of the default model, or of a copy with further heads in `folder`.
fn model(folder: &TempDir) -> PathBuf {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vestnik-news");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(model.join(name)).unwrap()).unwrap()
    };
    let mut settings = read("vestnik.json");
    if settings.get("heads").is_some() {
        return model;
    }
    let hidden = read("config.json")["hidden_size"].as_u64().unwrap() as usize;
    let topics: Vec<String> = (0..N_TOPICS).map(|n| format!("topic {n}")).collect();
    settings["heads"] = json!([
        {"task": "topic", "reads": "text", "labels": topics},
        {"task": "stance", "reads": "span", "labels": heads::STANCES},
    ]);
    heads::write_heads(&model, folder.path(), hidden, N_TOPICS);
    fs::write(folder.path().join("vestnik.json"), settings.to_string()).unwrap();
    folder.path().to_owned()
}

fn tasks(criterion: &mut Criterion) {
    let folder = TempDir::new().unwrap();
    let model = model(&folder);
    let articles = articles();
    let texts: Vec<&str> = articles.iter().map(String::as_str).collect();
    let mut group = criterion.benchmark_group("heads");
    let bytes: usize = articles.iter().map(String::len).sum();
    group.throughput(Throughput::Bytes(bytes as u64));
    for (name, tasks) in [
        ("ner", &[Task::Ner][..]),
        ("ner and topic", &[Task::Ner, Task::Topic]),
        ("ner, topic and stance", &Task::ALL),
    ] {
        let options = Options::default().with_tasks(tasks.iter().copied());
        let vestnik = Vestnik::from_dir_with(&model, &options).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| vestnik.analyze_batch(&texts).unwrap());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = tasks
}
criterion_main!(benches);
