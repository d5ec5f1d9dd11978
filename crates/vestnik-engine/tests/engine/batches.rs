//! Packed batches, and comparisons of states.

use vestnik_engine::{Engine, EngineDtype, EngineOptions, Kernels};
use vestnik_model::{EncoderModel, Tensor};
use vestnik_text::Batch;

/// Sequences of these lengths, of ids that `id` gives for each token of the batch.
pub(crate) fn batch(lengths: &[usize], id: impl Fn(usize) -> u32) -> Batch {
    let mut batch = Batch {
        cumulative_lengths: vec![0],
        ..Batch::default()
    };
    for (index, length) in lengths.iter().enumerate() {
        let start = batch.ids.len();
        batch.ids.extend((start..start + length).map(&id));
        batch.position_ids.extend(0..*length as u32);
        batch.cumulative_lengths.push(start + length);
        batch.origins.push((index, 0));
    }
    batch.type_ids = vec![0; batch.ids.len()];
    batch
}

/// Ids below `limit` that look random, none of them special.
pub(crate) fn scattered(limit: usize) -> impl Fn(usize) -> u32 {
    move |place| 5 + (place.wrapping_mul(7919) ^ (place >> 3)) as u32 % (limit as u32 - 5)
}

/// One of its sequences as a batch.
pub(crate) fn single(batch: &Batch, sequence: usize) -> Batch {
    let tokens = batch.cumulative_lengths[sequence]..batch.cumulative_lengths[sequence + 1];
    Batch {
        ids: batch.ids[tokens.clone()].to_vec(),
        position_ids: batch.position_ids[tokens.clone()].to_vec(),
        type_ids: batch.type_ids[tokens.clone()].to_vec(),
        cumulative_lengths: vec![0, tokens.len()],
        origins: vec![(0, 0)],
        ..Batch::default()
    }
}

/// All kernels; on processors without some of them, others stand in.
pub(crate) const KERNELS: [Kernels; 5] = [
    Kernels::Fastest,
    Kernels::Avx512,
    Kernels::AvxVnni,
    Kernels::Avx2,
    Kernels::Portable,
];

pub(crate) fn engine(model: &EncoderModel, dtype: EngineDtype, kernels: Kernels) -> Engine {
    let options = EngineOptions::default()
        .with_dtype(dtype)
        .with_kernels(kernels);
    Engine::new(&model.config().encoder, model.parameters(), &options).unwrap()
}

pub(crate) fn composed(model: &EncoderModel, batch: &Batch) -> Vec<f32> {
    let states: Tensor = model.forward(batch).unwrap();
    states.flatten_all().unwrap().to_vec1().unwrap()
}

pub(crate) fn largest_difference(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let differences = x.iter().zip(y).map(|(x, y)| (x - y).abs());
    differences.fold(0.0, |max, x| if x.is_nan() { x } else { x.max(max) })
}

/// The mean square of the difference over that of `y`, rooted.
pub(crate) fn relative_error(x: &[f32], y: &[f32]) -> f32 {
    let sum = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| x * x).sum::<f32>();
    let difference = sum(&mut x.iter().zip(y).map(|(x, y)| x - y));
    (difference / sum(&mut y.iter().copied())).sqrt()
}

/// What an error of an engine may be in int8: twice as much where its kernels do without VNNI, and bytes have 7 bits.
pub(crate) fn byte_bound(engine: &Engine, bound: f32) -> f32 {
    let has_7_bits = match engine.kernels() {
        "avx2" => true,
        "portable" => rten_gemm::GemmExecutor::<u8, i8, i32>::new().may_saturate(),
        _ => false,
    };
    if has_7_bits { 2.0 * bound } else { bound }
}
