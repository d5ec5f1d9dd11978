//! Beside the encoders of candle-transformers, which share no code with ours.

use std::path::Path;

use vestnik_engine::EngineDtype;
use vestnik_model::{Device, EncoderModel, ModelDir, Tensor};
use vestnik_text::Batch;

use crate::batches::{KERNELS, batch, engine, largest_difference, scattered};
use crate::peer::Peer;

/// The states of a packed batch by an encoder that pads.
fn padded_states(peer: &Peer, batch: &Batch) -> Vec<f32> {
    let longest = batch.sequences().map(|tokens| tokens.len()).max().unwrap();
    let n_sequences = batch.origins.len();
    let (mut ids, mut mask) = (vec![], vec![]);
    for tokens in batch.sequences() {
        ids.extend(&batch.ids[tokens.clone()]);
        // XLM-RoBERTa counts positions by the padding id, 1; BERT only reads the mask.
        ids.resize(ids.len() + longest - tokens.len(), 1);
        mask.extend(tokens.clone().map(|_| 1u32));
        mask.resize(ids.len(), 0);
    }
    let tensor = |numbers| Tensor::from_vec(numbers, (n_sequences, longest), &Device::Cpu).unwrap();
    let states = peer.states(&tensor(ids), &tensor(mask)).unwrap();
    let sequences = batch.sequences().enumerate();
    sequences
        .flat_map(|(index, tokens)| {
            let own = states.get(index).unwrap().narrow(0, 0, tokens.len());
            own.unwrap().flatten_all().unwrap().to_vec1().unwrap()
        })
        .collect()
}

#[test]
fn equal_those_of_candle_transformers() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures");
    for name in ["bert", "xlm_roberta"] {
        let path = fixtures.join(name);
        let dir = ModelDir::open(&path).unwrap();
        let (model, _) = EncoderModel::load_frozen(&dir, &Device::Cpu).unwrap();
        let batch = batch(&[9, 1, 17], scattered(model.config().encoder.vocab_size));
        let expected = padded_states(&Peer::open(&path).unwrap(), &batch);
        for kernels in KERNELS {
            let engine = engine(&model, EngineDtype::F32, kernels);
            let difference = largest_difference(&engine.states(&batch).unwrap(), &expected);
            assert!(difference < 1e-4, "{name}: {difference}");
        }
    }
}
