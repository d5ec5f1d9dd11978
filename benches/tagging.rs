//! The default model on the example articles: documents and bytes a second, alone and in a batch.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vestnik::Vestnik;

fn articles() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/articles");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn tagging(criterion: &mut Criterion) {
    let vestnik = Vestnik::embedded().unwrap();
    let articles = articles();
    let texts: Vec<&str> = articles.iter().map(String::as_str).collect();
    let mut group = criterion.benchmark_group("tagging");
    group.throughput(Throughput::Bytes(articles[0].len() as u64));
    group.bench_function("one article", |bencher| {
        bencher.iter(|| vestnik.analyze(texts[0]).unwrap());
    });
    group.throughput(Throughput::Bytes(
        articles.iter().map(String::len).sum::<usize>() as u64,
    ));
    group.bench_function("all articles", |bencher| {
        bencher.iter(|| vestnik.analyze_batch(&texts).unwrap());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = tagging
}
criterion_main!(benches);
