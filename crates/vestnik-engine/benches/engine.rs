//! The engine on the default model: one article, a batch of articles, and loading; `f32` and `int8`.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vestnik_engine::{Engine, EngineDtype, EngineOptions};
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
    let engine = Engine::new(
        &model.config().encoder,
        model.parameters().clone(),
        &options,
    );
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
    for dtype in [EngineDtype::F32, EngineDtype::Int8] {
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

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = forward, load
}
criterion_main!(benches);
