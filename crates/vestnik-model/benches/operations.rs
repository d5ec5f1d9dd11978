//! The fused CPU operations beside their twins composed of candle's own, at the shapes of the default model.
//!
//! Compare within one run: `cargo bench -p vestnik-model`.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

use candle_core::backprop::GradStore;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vestnik_model::Precision::{Bf16, F32};
use vestnik_model::ops::{self, AttentionOptions, PositionTables, RelativePositions};
use vestnik_model::{Device, Mode, Tensor, Var};

const TOKENS: usize = 2048;
const HIDDEN: usize = 384;
const INNER: usize = 1536;

fn var(shape: (usize, usize)) -> Var {
    Var::randn(0f32, 1.0, shape, &Device::Cpu).unwrap()
}

/// Forward and backward of a computation.
fn train(output: &Tensor) -> GradStore {
    output.sum_all().unwrap().backward().unwrap()
}

fn linear(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("linear, forward and backward");
    for (inputs, outputs) in [(HIDDEN, HIDDEN), (HIDDEN, INNER), (INNER, HIDDEN)] {
        let (x, weight) = (var((TOKENS, inputs)), var((outputs, inputs)));
        let bias = Var::zeros(outputs, vestnik_model::DType::F32, &Device::Cpu).unwrap();
        group.throughput(Throughput::Elements((6 * TOKENS * inputs * outputs) as u64));
        let shape = format!("{inputs}x{outputs}");
        group.bench_function(BenchmarkId::new("fused", &shape), |bencher| {
            bencher.iter(|| train(&ops::linear(&x, &weight, &bias, F32).unwrap()));
        });
        group.bench_function(BenchmarkId::new("fused, bf16", &shape), |bencher| {
            bencher.iter(|| train(&ops::linear(&x, &weight, &bias, Bf16).unwrap()));
        });
        group.bench_function(BenchmarkId::new("composed", &shape), |bencher| {
            bencher.iter(|| train(&ops::linear_composed(&x, &weight, &bias, F32).unwrap()));
        });
    }
}

fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention, forward and backward");
    let [q, k, v] = [(); 3].map(|()| var((TOKENS, HIDDEN)));
    for length in [64, 256] {
        let cumulative_lengths: Vec<usize> = (0..=TOKENS).step_by(length).collect();
        let options = AttentionOptions {
            cumulative_lengths: &cumulative_lengths,
            n_heads: 12,
            dropout: 0.0,
            window: None,
        };
        group.throughput(Throughput::Elements(TOKENS as u64));
        group.bench_function(BenchmarkId::new("fused", length), |bencher| {
            bencher.iter(|| train(&ops::attention(&q, &k, &v, options, Mode::Inference).unwrap()));
        });
        group.bench_function(BenchmarkId::new("composed", length), |bencher| {
            bencher.iter(|| {
                train(&ops::attention_composed(&q, &k, &v, options, Mode::Inference).unwrap())
            });
        });
    }
}

fn disentangled_attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("disentangled attention, forward and backward");
    let [q, k, v] = [(); 3].map(|()| var((TOKENS, HIDDEN)));
    let [keys, queries] = [(); 2].map(|()| var((512, HIDDEN)));
    let tables = PositionTables {
        keys: Some(&keys),
        queries: Some(&queries),
        positions: RelativePositions::LogBuckets {
            span: 256,
            max_distance: 512,
        },
        first_row: 0,
    };
    for length in [64, 256] {
        let cumulative_lengths: Vec<usize> = (0..=TOKENS).step_by(length).collect();
        let options = AttentionOptions {
            cumulative_lengths: &cumulative_lengths,
            n_heads: 12,
            dropout: 0.0,
            window: None,
        };
        group.throughput(Throughput::Elements(TOKENS as u64));
        for (name, attend) in [
            ("fused", ops::disentangled_attention as fn(_, _, _, _) -> _),
            ("composed", ops::disentangled_attention_composed),
        ] {
            group.bench_function(BenchmarkId::new(name, length), |bencher| {
                bencher.iter(|| {
                    train(&attend([&q, &k, &v], tables, options, Mode::Inference).unwrap())
                });
            });
        }
    }
}

fn elementwise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("elementwise, forward and backward");
    let (x, inner) = (var((TOKENS, HIDDEN)), var((TOKENS, INNER)));
    let [weight, bias] =
        [(); 2].map(|()| Var::ones(HIDDEN, vestnik_model::DType::F32, &Device::Cpu).unwrap());
    group.bench_function("layer_norm fused", |bencher| {
        bencher.iter(|| train(&ops::layer_norm(&x, &weight, &bias, 1e-12).unwrap()));
    });
    group.bench_function("layer_norm composed", |bencher| {
        bencher.iter(|| train(&ops::layer_norm_composed(&x, &weight, &bias, 1e-12).unwrap()));
    });
    group.bench_function("gelu fused", |bencher| {
        bencher.iter(|| train(&ops::gelu(&inner).unwrap()));
    });
    group.bench_function("gelu composed", |bencher| {
        bencher.iter(|| train(&inner.gelu_erf().unwrap()));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = linear, attention, disentangled_attention, elementwise
}
criterion_main!(benches);
