//! What stands around the encoder: from an article to tokens and windows, and from scores back to entities.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vestnik_core::LabelSet;
use vestnik_text::{
    Aggregation, Aggregator, TokenizedText, Tokenizer, WindowOptions, sentences, windows, words,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// An article that is longer than a window, in Cyrillic and Latin.
fn article() -> String {
    let names = ["bg-treti-most.txt", "en-harbour-strike.txt"];
    let read = |name| std::fs::read_to_string(format!("{ROOT}/examples/articles/{name}")).unwrap();
    names.map(read).join("\n\n").repeat(2)
}

fn tokenizer() -> Tokenizer {
    let path = format!("{ROOT}/models/vestnik-news/tokenizer.json");
    Tokenizer::from_bytes(&std::fs::read(path).unwrap()).unwrap()
}

fn encode(criterion: &mut Criterion) {
    let (text, tokenizer) = (article(), tokenizer());
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("words", |bencher| bencher.iter(|| black_box(words(&text))));
    group.bench_function("sentences", |bencher| {
        bencher.iter(|| black_box(sentences(&text)));
    });
    group.bench_function("tokens", |bencher| {
        bencher.iter(|| black_box(TokenizedText::new(&tokenizer, &text).unwrap()));
    });
    let tokens = TokenizedText::new(&tokenizer, &text).unwrap();
    let options = WindowOptions {
        max_tokens: 190,
        context: 16,
    };
    group.bench_function("windows", |bencher| {
        bencher.iter(|| black_box(windows(&tokens, &options)));
    });
}

fn decode(criterion: &mut Criterion) {
    let (text, tokenizer) = (article(), tokenizer());
    let tokens = TokenizedText::new(&tokenizer, &text).unwrap();
    let types = ["PER", "ORG", "LOC", "EVT", "PRO"];
    let tags = types
        .iter()
        .flat_map(|name| [format!("B-{name}"), format!("I-{name}")]);
    let labels = LabelSet::new(std::iter::once("O".to_owned()).chain(tags)).unwrap();
    let score = |i: usize| -((i * 7919 % 101) as f32) / 10.0;
    let scores: Vec<f32> = (0..tokens.tokens.len() * labels.len()).map(score).collect();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(tokens.tokens.len() as u64));
    for aggregation in [Aggregation::Viterbi, Aggregation::Average] {
        let aggregator = Aggregator::new(aggregation, &labels).unwrap();
        group.bench_function(format!("{aggregation:?}"), |bencher| {
            bencher.iter(|| black_box(aggregator.entities(&text, &tokens, &scores)));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = encode, decode
}
criterion_main!(benches);
