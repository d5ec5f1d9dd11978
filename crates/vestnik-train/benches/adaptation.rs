//! One update of a tagger: whole, with frozen layers, with low-rank updates, with gradient checkpointing.
//!
//! Six layers of width 256 over 1024 tokens. Compare within one run: `cargo bench -p vestnik-train`.

#![expect(clippy::unwrap_used, reason = "a bench that fails should stop")]

#[path = "../examples/shape/mod.rs"]
mod shape;

use criterion::{Criterion, criterion_group, criterion_main};
use shape::{Shape, Step};
use vestnik_model::{Adaptation, Freeze, Lora};

const SHAPE: Shape = Shape {
    layers: 6,
    hidden: 256,
    vocabulary: 8000,
};

fn freeze(freeze: Freeze) -> Adaptation {
    Adaptation {
        freeze,
        ..Adaptation::default()
    }
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an update");
    group.sample_size(20);
    let four_layers = Freeze {
        layers: 4,
        ..Freeze::default()
    };
    let encoder = Freeze {
        encoder: true,
        ..Freeze::default()
    };
    let lora = Adaptation {
        lora: Some(Lora::default()),
        ..Adaptation::default()
    };
    let whole = Adaptation::default();
    for (name, adaptation, checkpointing) in [
        ("whole", &whole, false),
        ("4 of 6 layers frozen", &freeze(four_layers), false),
        ("encoder frozen", &freeze(encoder), false),
        ("LoRA", &lora, false),
        ("whole, checkpointed", &whole, true),
        ("LoRA, checkpointed", &lora, true),
    ] {
        let mut step = Step::new(SHAPE, adaptation, 1024, checkpointing);
        group.bench_function(name, |bencher| bencher.iter(|| step.run()));
    }
}

criterion_group!(benches, updates);
criterion_main!(benches);
