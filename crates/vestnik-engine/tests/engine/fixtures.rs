//! The committed tiny models of all architectures.

use std::path::{Path, PathBuf};

use vestnik_engine::{EngineDtype, Kernels};
use vestnik_model::{Device, EncoderModel, ModelDir};

use crate::batches::{
    KERNELS, batch, byte_bound, composed, engine, largest_difference, relative_error, scattered,
    single,
};

pub(crate) fn fixtures() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures");
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("config.json").exists() && path.join("model.safetensors").exists())
        .collect();
    found.sort();
    found
}

fn models() -> Vec<(String, EncoderModel)> {
    fixtures()
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let dir = ModelDir::open(&path).unwrap();
            (
                name,
                EncoderModel::load_frozen(&dir, &Device::Cpu).unwrap().0,
            )
        })
        .collect()
}

/// Lengths from one token to the most that the model takes.
fn lengths(model: &EncoderModel) -> Vec<usize> {
    let most = model.config().encoder.max_tokens();
    [1, 2, 7, most, 3, most / 2]
        .into_iter()
        .filter(|length| (1..=most).contains(length))
        .collect()
}

#[test]
fn every_architecture_equals_the_composed_encoder() {
    let mut seen = vec![];
    for (name, model) in models() {
        let config = &model.config().encoder;
        let batch = batch(&lengths(&model), scattered(config.vocab_size));
        let expected = composed(&model, &batch);
        for kernels in KERNELS {
            let engine = engine(&model, EngineDtype::F32, kernels);
            seen.push(config.architecture);
            let difference = largest_difference(&engine.states(&batch).unwrap(), &expected);
            assert!(
                difference < 1e-4,
                "{name} by {} kernels: {difference}",
                engine.kernels()
            );
        }
    }
    seen.dedup();
    assert!(seen.len() >= 7, "only {seen:?}");
}

#[test]
fn bytes_are_near_the_composed_encoder() {
    for (name, model) in models() {
        let batch = batch(
            &lengths(&model),
            scattered(model.config().encoder.vocab_size),
        );
        let expected = composed(&model, &batch);
        for kernels in KERNELS {
            let engine = engine(&model, EngineDtype::Int8, kernels);
            let error = relative_error(&engine.states(&batch).unwrap(), &expected);
            assert!(
                error < byte_bound(&engine, 0.07),
                "{name} by {} kernels: {error}",
                engine.kernels()
            );
        }
    }
}

#[test]
fn states_do_not_depend_on_the_sequences_beside_them() {
    for (name, model) in models() {
        let batch = batch(
            &lengths(&model),
            scattered(model.config().encoder.vocab_size),
        );
        let dtypes = [EngineDtype::F32, EngineDtype::Int8];
        for (dtype, kernels) in dtypes
            .iter()
            .flat_map(|dtype| KERNELS.map(|kernels| (*dtype, kernels)))
        {
            let engine = engine(&model, dtype, kernels);
            let together = engine.states(&batch).unwrap();
            let width = model.config().encoder.hidden_size;
            for (index, tokens) in batch.sequences().enumerate() {
                let alone = engine.states(&single(&batch, index)).unwrap();
                let part = &together[tokens.start * width..tokens.end * width];
                assert_eq!(alone, part, "{name}, sequence {index}, {dtype} {kernels:?}");
            }
        }
    }
}

#[test]
fn a_batch_without_tokens_has_no_states() {
    let (_, model) = models().swap_remove(0);
    let engine = engine(&model, EngineDtype::F32, Kernels::Fastest);
    assert!(engine.states(&batch(&[], |_| 0)).unwrap().is_empty());
    assert!(
        engine
            .states(&vestnik_text::Batch::default())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_the_model_does_not_have_is_refused() {
    let (_, model) = models()
        .into_iter()
        .find(|(name, _)| name == "bert")
        .unwrap();
    let engine = engine(&model, EngineDtype::F32, Kernels::Fastest);
    let config = &model.config().encoder;
    let message = |batch| engine.states(&batch).unwrap_err().to_string();
    for wrong in [
        batch(&[3], |_| config.vocab_size as u32),
        batch(&[config.max_tokens() + 1], |_| 7),
        vestnik_text::Batch {
            type_ids: vec![9; 3],
            ..batch(&[3], |_| 7)
        },
    ] {
        let expected = model.forward(&wrong).unwrap_err().to_string();
        assert_eq!(message(wrong), expected);
    }
}
