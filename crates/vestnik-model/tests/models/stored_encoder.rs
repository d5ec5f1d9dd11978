//! Encoders whose tensors stay in the files: what is read of them one by one is what a whole model has.

use candle_core::DType;
use vestnik_model::{Device, EncoderModel, ModelDir, TensorSource, TokenClassifier};

use crate::support::open;

/// Every tensor of the encoder is there with the same rows.
pub(crate) fn check_tensors(folder: &str) {
    let dir = open(folder);
    let (model, _) = EncoderModel::load_frozen(&dir, &Device::Cpu).unwrap();
    let stored = EncoderModel::stored(&dir).unwrap();
    for (name, tensor) in model.parameters().iter() {
        let shape = tensor.dims().to_vec();
        assert_eq!(
            stored.shape(name).as_ref(),
            Some(&shape),
            "{folder}: {name}"
        );
        for rows in [0..shape[0], shape[0] / 2..shape[0], 0..0] {
            let expected = model.parameters().read_rows(name, rows.clone()).unwrap();
            let found = stored.read_rows(name, rows).unwrap();
            assert_eq!(found, expected, "{folder}: {name}");
        }
    }
}

#[test]
fn tensors_of_heads_and_unknown_ones_are_not_among_them() {
    let dir = open("bert_seq");
    let (stored, parameters) = (
        EncoderModel::stored(&dir).unwrap(),
        EncoderModel::load_frozen(&dir, &Device::Cpu),
    );
    let (model, _) = parameters.unwrap();
    for name in ["classifier.weight", "bert.pooler.dense.weight", "bert.", ""] {
        assert_eq!(stored.shape(name), None, "{name:?}");
        assert_eq!(stored.read_rows(name, 0..1).unwrap(), None, "{name:?}");
        assert_eq!(stored.halves(name).unwrap(), None, "{name:?}");
        assert_eq!(
            model.parameters().read_rows(name, 0..1).unwrap(),
            None,
            "{name:?}"
        );
    }
}

#[test]
fn halves_are_the_bytes_of_the_file() {
    let (model, _) = TokenClassifier::load(&open("bert"), &Device::Cpu).unwrap();
    let name = "bert.embeddings.word_embeddings.weight";
    for (dtype, are_halves) in [
        (DType::F16, true),
        (DType::BF16, false),
        (DType::F32, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path(), dtype).unwrap();
        let dir = ModelDir::open(folder.path()).unwrap();
        let stored = EncoderModel::stored(&dir).unwrap();
        let halves = stored.halves(name).unwrap();
        assert_eq!(halves.is_some(), are_halves, "{dtype:?}");
        let Some(halves) = halves else { continue };
        let numbers = halves.chunks_exact(2).map(|bytes| {
            let bits = u16::from_le_bytes([bytes[0], bytes[1]]);
            half::f16::from_bits(bits).to_f32()
        });
        let n_rows = stored.shape(name).unwrap()[0];
        let expected = stored.read_rows(name, 0..n_rows).unwrap().unwrap();
        assert_eq!(numbers.collect::<Vec<f32>>(), expected);
    }
}

#[test]
fn rows_beyond_the_end_are_not_there() {
    let stored = EncoderModel::stored(&open("bert")).unwrap();
    let name = "bert.embeddings.LayerNorm.weight";
    let n_rows = stored.shape(name).unwrap()[0];
    let rows = stored.read_rows(name, n_rows - 1..n_rows + 5).unwrap();
    assert_eq!(rows.map(|rows| rows.len()), Some(1));
    let (model, _) = EncoderModel::load_frozen(&open("bert"), &Device::Cpu).unwrap();
    for (rows, n) in [(n_rows - 1..n_rows + 5, 1), (n_rows + 2..n_rows + 5, 0)] {
        for source in [&stored as &dyn TensorSource, model.parameters()] {
            let rows = source.read_rows(name, rows.clone()).unwrap();
            assert_eq!(rows.map(|rows| rows.len()), Some(n));
        }
    }
}
