//! Names and number types of tensors in one file.

use half::{bf16, f16};
use safetensors::Dtype;

use vestnik_model::{Device, EncoderPart, TensorSource, TokenClassifier};

use crate::folder::{Folder, Tensors, safetensors_file, safetensors_file_of, tensors, values};

#[test]
fn names_of_old_checkpoints() {
    let folder = Folder::new();
    let old = tensors().into_iter().map(|(name, tensor)| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        (name.replace("LayerNorm.bias", "LayerNorm.beta"), tensor)
    });
    let old: crate::folder::Tensors = old.collect();
    assert!(old.contains_key("bert.embeddings.LayerNorm.gamma"));
    let new = values(&folder.load().unwrap().0);
    folder.write("model.safetensors", safetensors_file(&old));
    let (model, report) = folder.load().unwrap();
    assert_eq!(values(&model), new);
    assert!(
        report.missing.is_empty() && report.unused.is_empty(),
        "{report:?}"
    );
}

/// A type with its name, how its numbers are written, and their relative precision.
type NumberType = (Dtype, &'static str, fn(f32) -> Vec<u8>, f32);

#[test]
fn number_types_on_disk() {
    let folder = Folder::new();
    let exact = values(&folder.load().unwrap().0);
    let cases: [NumberType; 3] = [
        (
            Dtype::F16,
            "f16",
            |x| f16::from_f32(x).to_le_bytes().to_vec(),
            0.0005,
        ),
        (
            Dtype::BF16,
            "bf16",
            |x| bf16::from_f32(x).to_le_bytes().to_vec(),
            0.004,
        ),
        (
            Dtype::F64,
            "f64",
            |x| f64::from(x).to_le_bytes().to_vec(),
            0.0,
        ),
    ];
    for (dtype, name, encode, tolerance) in cases {
        let file = safetensors_file_of(dtype, &tensors(), encode);
        folder.write("model.safetensors", file);
        assert_eq!(folder.open().unwrap().weights_dtype(), name);
        let rounded = values(&folder.load().unwrap().0);
        for (tensor, exact) in &exact {
            for (x, rounded) in exact.iter().zip(&rounded[tensor]) {
                assert!(
                    (x - rounded).abs() <= tolerance * x.abs(),
                    "{name} {tensor}: {x} {rounded}"
                );
            }
        }
    }
}

#[test]
fn a_large_tensor_is_read_in_parts() {
    // More than the megabyte that is read at once, and no multiple of it.
    let folder = Folder::new();
    let mut tensors = tensors();
    let rows = 20_011;
    let table = (0..rows * 24).map(|i| i as f32).collect();
    let name = "bert.embeddings.word_embeddings.weight";
    tensors.insert(name.to_owned(), (vec![rows, 24], table));
    folder.edit("config.json", |config| config["vocab_size"] = rows.into());
    folder.write("model.safetensors", safetensors_file(&tensors));
    let loaded = values(&folder.load().unwrap().0);
    assert_eq!(loaded[name], tensors[name].1);
}

#[test]
fn tied_weights_that_are_on_disk_twice() {
    let folder = Folder::new();
    let mut tensors = tensors();
    tensors.retain(|name, _| !name.starts_with("classifier."));
    let table = tensors["bert.embeddings.word_embeddings.weight"].clone();
    tensors.insert("cls.predictions.decoder.weight".to_owned(), table);
    folder.write("model.safetensors", safetensors_file(&tensors));
    let dir = folder.open().unwrap();
    let device = vestnik_model::Device::Cpu;
    let (model, report) = vestnik_model::MaskedLm::load(&dir, 1, &device).unwrap();
    assert!(
        model
            .parameters()
            .get("cls.predictions.decoder.weight")
            .is_none()
    );
    assert!(
        report.missing.iter().all(|name| name.starts_with("cls.")),
        "{report:?}"
    );
}

#[test]
fn numbers_that_are_none() {
    let folder = Folder::new();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut tensors = tensors();
        tensors.get_mut("classifier.bias").unwrap().1[3] = bad;
        folder.write("model.safetensors", safetensors_file(&tensors));
        let refusal = folder.refusal();
        assert!(
            refusal.contains("classifier.bias holds NaN or infinite numbers"),
            "{refusal}"
        );
    }
}

#[test]
fn what_is_read_one_by_one_is_checked_too() {
    let folder = Folder::new();
    let refusal = |change: &dyn Fn(&mut Tensors), name: &str| {
        let mut tensors = tensors();
        change(&mut tensors);
        let file = safetensors_file_of(Dtype::F16, &tensors, |x| {
            f16::from_f32(x).to_le_bytes().to_vec()
        });
        folder.write("model.safetensors", file);
        let parts = TokenClassifier::load_parts(&folder.open()?, &Device::Cpu)?;
        let EncoderPart::Stored(encoder) = parts.0 else {
            panic!("on the CPU");
        };
        encoder.read_rows(name, 0..3)?;
        encoder.halves(name).map(drop)
    };
    let refusal = |change: &dyn Fn(&mut Tensors), name: &str| {
        let refusal = refusal(change, name).map_err(|error| error.to_string());
        let folder = folder.path().display().to_string();
        refusal.map_err(|refusal| refusal.replace(&folder, "DIR"))
    };
    let words = "bert.embeddings.word_embeddings.weight";
    assert_eq!(refusal(&|_| (), words), Ok(()));
    let first_is_bad = |tensors: &mut Tensors| tensors.get_mut(words).unwrap().1[0] = f32::NAN;
    let last_is_bad = |tensors: &mut Tensors| {
        *tensors.get_mut(words).unwrap().1.last_mut().unwrap() = f32::INFINITY;
    };
    let is_bad = format!("DIR/model.safetensors: tensor {words} holds NaN or infinite numbers");
    for change in [&first_is_bad as &dyn Fn(&mut Tensors), &last_is_bad] {
        let refusal = refusal(change, words).unwrap_err();
        assert!(refusal.starts_with(&is_bad), "{refusal}");
    }
    let is_missing = refusal(&|tensors| drop(tensors.remove(words)), words).unwrap_err();
    assert!(
        is_missing.contains(&format!("missing, the first: {words}")),
        "{is_missing}"
    );
    let has_other_shape = |tensors: &mut Tensors| tensors.get_mut(words).unwrap().0.reverse();
    let shape = refusal(&has_other_shape, words).unwrap_err();
    assert!(shape.contains("config.json demands"), "{shape}");
}

#[test]
fn tensors_that_nobody_needs_may_be_of_any_type() {
    let folder = Folder::new();
    let all = tensors();
    let file = safetensors_file(&all);
    let mut views: Vec<_> = safetensors::SafeTensors::deserialize(&file)
        .unwrap()
        .tensors();
    let ids = [7u8; 16];
    let position_ids = safetensors::tensor::TensorView::new(Dtype::I64, vec![1, 2], &ids).unwrap();
    views.push(("bert.embeddings.position_ids".to_owned(), position_ids));
    let file = safetensors::serialize(views, None).unwrap();
    folder.write("model.safetensors", file);
    let (_, report) = folder.load().unwrap();
    assert!(report.unused.is_empty(), "{report:?}");
}

#[test]
fn whole_numbers_are_no_weights() {
    let folder = Folder::new();
    let file = safetensors_file_of(Dtype::I8, &tensors(), |x| vec![x as i8 as u8]);
    folder.write("model.safetensors", file);
    let refusal = folder.refusal();
    assert!(
        refusal.contains("holds i8 numbers, expected f32, f16, bf16"),
        "{refusal}"
    );
    assert!(
        refusal.starts_with("DIR/model.safetensors: tensor "),
        "{refusal}"
    );
}

#[test]
fn a_file_that_shrinks_after_it_was_opened_is_an_error() {
    let folder = Folder::new();
    let dir = folder.open().unwrap();
    let path = folder.path().join("model.safetensors");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(20_000).unwrap();
    let loaded = vestnik_model::TokenClassifier::load(&dir, &vestnik_model::Device::Cpu);
    assert!(matches!(loaded, Err(vestnik_model::Error::File { .. })));
}

#[test]
fn a_file_that_is_replaced_after_it_was_opened_is_still_read() {
    let folder = Folder::new();
    let before = values(&folder.load().unwrap().0);
    let dir = folder.open().unwrap();
    folder.remove("model.safetensors");
    folder.write("model.safetensors", b"something else");
    let device = vestnik_model::Device::Cpu;
    let (model, _) = vestnik_model::TokenClassifier::load(&dir, &device).unwrap();
    assert_eq!(values(&model), before);
}
