//! The engine on the default model: one article, a batch of articles, and loading; products and attention alone, beside what
//! one thread can do at most with numbers in registers. `f32` and `int8`; products, attention and the most on one thread.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
#[cfg(target_arch = "x86_64")]
use vestnik_engine::parts::Peak;
use vestnik_engine::parts::{Attention, Product};
use vestnik_engine::{Engine, EngineDtype, EngineOptions, Kernels};
use vestnik_model::{Device, EncoderModel, ModelDir};
use vestnik_text::Batch;

fn model() -> EncoderModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/vestnik-news");
    let dir = ModelDir::open(&path).expect("the default model");
    let (model, _) = EncoderModel::load_frozen(&dir, &Device::Cpu).expect("its weights");
    model
}

fn engine(model: &EncoderModel, dtype: EngineDtype) -> Engine {
    let options = EngineOptions::default().with_dtype(dtype);
    let engine = Engine::new(&model.config().encoder, model.parameters(), &options);
    engine.expect("its tensors")
}

fn batch(lengths: &[usize]) -> Batch {
    let mut batch = Batch {
        cumulative_lengths: vec![0],
        ..Batch::default()
    };
    for (index, length) in lengths.iter().enumerate() {
        let start = batch.ids.len();
        batch
            .ids
            .extend((start..start + length).map(|i| 5 + (i * 7919 % 20_000) as u32));
        batch.position_ids.extend(0..*length as u32);
        batch.type_ids.resize(batch.ids.len(), 0);
        batch.cumulative_lengths.push(batch.ids.len());
        batch.origins.push((index, 0));
    }
    batch
}

fn forward(criterion: &mut Criterion) {
    let model = model();
    let shapes = [
        ("sentence", vec![24]),
        ("article", vec![500]),
        ("batch", (0..24).map(|i| 40 + 17 * i).collect()),
    ];
    for dtype in DTYPES {
        let engine = engine(&model, dtype);
        let mut group = criterion.benchmark_group(format!("forward {dtype} {}", engine.kernels()));
        for (name, lengths) in &shapes {
            let batch = batch(lengths);
            group.throughput(Throughput::Elements(batch.ids.len() as u64));
            group.bench_function(*name, |bencher| {
                bencher.iter(|| black_box(engine.states(&batch).expect("states")));
            });
        }
        group.finish();
    }
}

fn load(criterion: &mut Criterion) {
    let model = model();
    for dtype in [EngineDtype::F32, EngineDtype::Int8] {
        criterion.bench_function(&format!("pack {dtype}"), |bencher| {
            bencher.iter(|| black_box(engine(&model, dtype)));
        });
    }
}

const DTYPES: [EngineDtype; 2] = [EngineDtype::F32, EngineDtype::Int8];
#[cfg(target_arch = "x86_64")]
const ROUNDS: u64 = 100_000;

#[cfg(not(target_arch = "x86_64"))]
fn peak(_: &mut Criterion) {}

/// Multiplications and additions that one thread does with numbers in registers.
#[cfg(target_arch = "x86_64")]
fn peak(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("peak");
    for dtype in DTYPES {
        let Some(peak) = Peak::new(dtype) else {
            continue;
        };
        group.throughput(Throughput::Elements(ROUNDS * peak.operations()));
        group.bench_function(dtype.to_string(), |bencher| {
            bencher.iter(|| peak.compute(ROUNDS));
        });
    }
    group.finish();
}

/// Products of 256 rows, `outputs x inputs`: those of the default model's layers, and of XLM-RoBERTa-base.
fn products(criterion: &mut Criterion) {
    let shapes = [
        [1152, 384],
        [384, 384],
        [1536, 384],
        [384, 1536],
        [2304, 768],
        [3072, 768],
        [768, 3072],
    ];
    for (dtype, kernels) in with_kernels() {
        let options = EngineOptions::default()
            .with_dtype(dtype)
            .with_kernels(kernels);
        let mut group = criterion.benchmark_group(format!("product {dtype} {kernels:?}"));
        for [outputs, inputs] in shapes {
            let mut product = Product::new(&options, [256, outputs, inputs]);
            group.throughput(Throughput::Elements(2 * 256 * (outputs * inputs) as u64));
            group.bench_function(format!("{outputs} x {inputs}"), |bencher| {
                on_one_thread(|| bencher.iter(|| black_box(product.compute())));
            });
        }
        group.finish();
    }
}

/// One head over one sequence, `tokens x width`.
fn attention(criterion: &mut Criterion) {
    for (dtype, kernels) in with_kernels() {
        let options = EngineOptions::default()
            .with_dtype(dtype)
            .with_kernels(kernels);
        let mut group = criterion.benchmark_group(format!("attention {dtype} {kernels:?}"));
        for [length, width] in [[128, 32], [512, 64]] {
            let mut attention = Attention::new(&options, length, width);
            group.throughput(Throughput::Elements((4 * length * length * width) as u64));
            group.bench_function(format!("{length} x {width}"), |bencher| {
                on_one_thread(|| bencher.iter(|| black_box(attention.compute())));
            });
        }
        group.finish();
    }
}

/// The portable kernels would take more.
fn on_one_thread(work: impl FnOnce() + Send) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread").install(work);
}

fn with_kernels() -> impl Iterator<Item = (EngineDtype, Kernels)> {
    let kernels = [Kernels::Fastest, Kernels::Portable];
    DTYPES
        .into_iter()
        .flat_map(move |dtype| kernels.map(|kernels| (dtype, kernels)))
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = forward, load, peak, products, attention
}
criterion_main!(benches);
