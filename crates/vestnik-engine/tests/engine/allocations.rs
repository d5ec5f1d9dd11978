//! A forward pass uses the memory of the one before.

use vestnik_engine::EngineDtype;

use crate::batches::{KERNELS, batch, engine, scattered};
use crate::random_models::{Shape, VOCABULARY, bert};

/// What may be allocated beside the states that are returned: the bounds of sequences, a row of a table.
const BYTES: u64 = 16 << 10;

#[test]
fn a_pass_allocates_little_beside_its_result() {
    let shape = Shape {
        heads: 4,
        head_width: 32,
        inner: 512,
        layers: 3,
    };
    let model = bert(shape, 1.0, 5);
    let lengths = [120, 7, 64, 250, 33];
    let batch = batch(&lengths, scattered(VOCABULARY));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread();
    let pool = pool.build().unwrap();
    for (dtype, kernels) in [EngineDtype::F32, EngineDtype::Int8]
        .iter()
        .flat_map(|dtype| KERNELS.map(|kernels| (*dtype, kernels)))
    {
        let engine = engine(&model, dtype, kernels);
        let mut result = 0;
        let mut pass = || {
            allocation_counter::measure(|| {
                let states = pool.install(|| engine.states(&batch).unwrap());
                result = (states.len() * size_of::<f32>()) as u64;
            })
        };
        let first = pass().bytes_total;
        pass();
        let third = pass().bytes_total;
        assert!(
            third < result + BYTES && third < first,
            "{dtype} {kernels:?}: {third} bytes beside a result of {result}, {first} at first"
        );
    }
}
