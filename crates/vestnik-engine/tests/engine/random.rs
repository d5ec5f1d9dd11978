//! Models of random shapes, sequences of random lengths.

use proptest::prelude::*;
use vestnik_engine::{EngineDtype, Kernels};
use vestnik_model::EncoderModel;
use vestnik_text::Batch;

use crate::batches::{
    KERNELS, batch, byte_bound, composed, engine, largest_difference, relative_error, scattered,
    single,
};
use crate::random_models::{Distances, POSITIONS, Shape, VOCABULARY, bert, deberta, modernbert};

fn shapes() -> impl Strategy<Value = Shape> {
    (1..4usize, 1..40usize, 1..150usize, 1..4usize).prop_map(
        |(heads, head_width, inner, layers)| Shape {
            heads,
            head_width: 2 * head_width,
            inner,
            layers,
        },
    )
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..40usize, 1..=POSITIONS], 1..6)
}

fn distances() -> impl Strategy<Value = Distances> {
    let kinds = prop::sample::select(vec!["c2p", "p2c", "c2p|p2c", ""]);
    let convolution = prop::option::of(prop::sample::select(vec![[1, 1], [3, 1], [5, 2]]));
    let buckets = prop::option::of(2..40usize);
    (kinds, any::<bool>(), buckets, convolution).prop_map(
        |(kinds, shares_projections, buckets, convolution)| Distances {
            kinds,
            shares_projections,
            buckets,
            convolution,
        },
    )
}

fn difference(model: &EncoderModel, batch: &Batch, kernels: Kernels) -> f32 {
    let engine = engine(model, EngineDtype::F32, kernels);
    largest_difference(&engine.states(batch).unwrap(), &composed(model, batch))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn bert_equals_the_composed_encoder(shape in shapes(), lengths in lengths(), seed in any::<u64>()) {
        let model = bert(shape, 1.0, seed);
        let batch = batch(&lengths, scattered(VOCABULARY));
        for kernels in KERNELS {
            let difference = difference(&model, &batch, kernels);
            prop_assert!(difference < 1e-4, "{kernels:?}: {difference}");
        }
    }

    #[test]
    fn modernbert_equals_the_composed_encoder(
        shape in shapes(), window in 0..70usize, lengths in lengths(), seed in any::<u64>()
    ) {
        let model = modernbert(shape, window, seed);
        let batch = batch(&lengths, scattered(VOCABULARY));
        for kernels in KERNELS {
            let difference = difference(&model, &batch, kernels);
            prop_assert!(difference < 1e-4, "{kernels:?}: {difference}");
        }
    }

    #[test]
    fn deberta_equals_the_composed_encoder(
        shape in shapes(), distances in distances(), lengths in lengths(), seed in any::<u64>()
    ) {
        let model = deberta(shape, distances, seed);
        let batch = batch(&lengths, scattered(VOCABULARY));
        for kernels in KERNELS {
            let difference = difference(&model, &batch, kernels);
            prop_assert!(difference < 1e-4, "{kernels:?}: {difference}");
        }
    }

    #[test]
    fn threads_and_neighbours_change_no_bit(lengths in lengths(), seed in any::<u64>(), is_int8 in any::<bool>()) {
        let shape = Shape { heads: 2, head_width: 32, inner: 100, layers: 2 };
        let model = bert(shape, 1.0, seed);
        let dtype = if is_int8 { EngineDtype::Int8 } else { EngineDtype::F32 };
        let engine = engine(&model, dtype, Kernels::Fastest);
        let batch = batch(&lengths, scattered(VOCABULARY));
        let on = |threads: usize, batch: &Batch| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| engine.states(batch).unwrap())
        };
        let states = on(1, &batch);
        prop_assert_eq!(&states, &on(3, &batch));
        for (index, tokens) in batch.sequences().enumerate() {
            prop_assert_eq!(&states[tokens.start * 64..tokens.end * 64], &on(2, &single(&batch, index))[..]);
        }
    }
}

/// Some features of trained models are tens of times as large as the others.
#[test]
fn bytes_keep_states_with_outliers() {
    let shape = Shape {
        heads: 4,
        head_width: 32,
        inner: 512,
        layers: 4,
    };
    let batch = batch(&[120, 40, 9], scattered(VOCABULARY));
    for (outlier, bound) in [(1.0, 0.04), (20.0, 0.12)] {
        let model = bert(shape, outlier, 1);
        let expected = composed(&model, &batch);
        let by = |kernels| engine(&model, EngineDtype::Int8, kernels);
        let portable = by(Kernels::Portable);
        let by_portable = portable.states(&batch).unwrap();
        for engine in KERNELS.map(by) {
            let (states, kernels) = (engine.states(&batch).unwrap(), engine.kernels());
            let bound_here = byte_bound(&engine, bound);
            let error = relative_error(&states, &expected);
            assert!(error < bound_here, "outlier {outlier}, {kernels}: {error}");
            let error = relative_error(&states, &by_portable);
            let bound = bound_here.max(byte_bound(&portable, bound));
            assert!(error < bound, "{kernels} differ from portable: {error}");
        }
    }
}

#[test]
fn the_largest_numbers_give_no_nan() {
    let shape = Shape {
        heads: 2,
        head_width: 16,
        inner: 64,
        layers: 2,
    };
    for outlier in [1e6, -1e18, 0.0] {
        let model = bert(shape, outlier, 3);
        let dtypes = [EngineDtype::F32, EngineDtype::Int8];
        for (dtype, kernels) in dtypes
            .iter()
            .flat_map(|dtype| KERNELS.map(|kernels| (*dtype, kernels)))
        {
            let states =
                engine(&model, dtype, kernels).states(&batch(&[1, 33], scattered(VOCABULARY)));
            assert!(
                states.unwrap().iter().all(|x| x.is_finite()),
                "{outlier} {dtype} {kernels:?}"
            );
        }
    }
}
