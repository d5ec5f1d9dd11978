//! Everything but the model: JSON lines in, a stub in place of a model (`--dry-run`), JSON lines out; articles a second of
//! processor time, and by the clock.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Articles of the dump.
const ARTICLES: u64 = 50_000;

const WORDS: [&str; 24] = [
    "президент",
    "правителството",
    "бюджет",
    "министър",
    "заяви",
    "следващата",
    "година",
    "столицата",
    "the",
    "government",
    "said",
    "budget",
    "Wednesday",
    "London",
    "minister",
    "party",
    "уряд",
    "розгляне",
    "наступного",
    "року",
    "premier",
    "powiedział",
    "Warszawa",
    "przyszły",
];

/// Articles of 40 to 240 words, 1.8 kB on average.
fn dump() -> String {
    let mut state = 1_u64;
    let mut random = move |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % n
    };
    let mut dump = String::new();
    for id in 0..ARTICLES {
        let words = (0..40 + random(200)).map(|_| WORDS[random(WORDS.len() as u64) as usize]);
        let text = words.collect::<Vec<_>>().join(" ");
        writeln!(
            dump,
            "{{\"id\": {id}, \"url\": \"https://news.example/{id}\", \"views\": 1.50, \"title\": \"№ {id}\", \"text\": \"{text}.\"}}"
        )
        .unwrap();
    }
    dump
}

fn tag(folder: &Path) {
    let args = "tag --dry-run --no-lang dump.jsonl -o out.jsonl --force --progress none";
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestnik"));
    let ended = command.args(args.split(' ')).current_dir(folder).status();
    assert!(ended.unwrap().success());
}

/// Processor time of processes that were waited for, user and system; counted in hundredths of a second.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which may have blanks, the state is the third field.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[13..15]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn plumbing(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dump.jsonl"), dump()).unwrap();
    let mut group = criterion.benchmark_group("plumbing");
    group.throughput(Throughput::Elements(ARTICLES));
    group.sampling_mode(SamplingMode::Flat);
    #[cfg(target_os = "linux")]
    group.bench_function("articles, processor time", |bencher| {
        bencher.iter_custom(|n_times| {
            let before = processor_time();
            (0..n_times).for_each(|_| tag(folder.path()));
            processor_time() - before
        });
    });
    group.bench_function("articles, by the clock", |bencher| {
        bencher.iter(|| tag(folder.path()));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(15));
    targets = plumbing
}
criterion_main!(benches);
