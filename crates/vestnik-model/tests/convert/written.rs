//! What is written.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use vestnik_model::{DType, Device, ModelDir, TokenClassifier};

use crate::support::{Folder, fixture, torch};

type Numbers = BTreeMap<String, (Vec<usize>, Vec<f64>)>;

/// What PyTorch says is in views.bin, without the tensors that are no floats.
fn expected() -> Numbers {
    let text = std::fs::read_to_string(torch("views.json")).unwrap();
    let mut numbers: Numbers = serde_json::from_str(&text).unwrap();
    for name in ["position_ids", "steps", "mask", "bytes"] {
        numbers.remove(name).unwrap();
    }
    numbers
}

fn written(dir: &Path) -> (Numbers, BTreeMap<String, Dtype>) {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut numbers = Numbers::new();
    let mut dtypes = BTreeMap::new();
    for (name, view) in file.iter() {
        let dtype = DType::try_from(view.dtype()).unwrap();
        let tensor =
            vestnik_model::Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu);
        let tensor = tensor.unwrap().to_dtype(DType::F64).unwrap();
        let values = tensor.flatten_all().unwrap().to_vec1().unwrap();
        numbers.insert(name.to_owned(), (view.shape().to_vec(), values));
        dtypes.insert(name.to_owned(), view.dtype());
    }
    (numbers, dtypes)
}

#[test]
fn numbers_are_those_that_torch_reads() {
    for file in ["views.bin", "deflated.bin", "zip64.bin"] {
        let folder = Folder::with(file);
        let converted = folder.convert().unwrap();
        let (numbers, dtypes) = written(&folder.path("new"));
        assert_eq!(numbers, expected(), "{file}");
        assert_eq!(dtypes["half"], Dtype::F16);
        assert_eq!(dtypes["brain"], Dtype::BF16);
        assert_eq!(dtypes["double"], Dtype::F32);
        assert_eq!(dtypes["plain"], Dtype::F32);
        assert_eq!(
            converted.dropped,
            ["position_ids", "steps", "mask", "bytes"]
        );
        assert_eq!(converted.n_tensors, expected().len());
        assert!(converted.tied.is_empty());
    }
}

#[test]
fn shards_become_one_file() {
    let folder = Folder::empty();
    folder.copy(&torch("shard-1.bin"), "shard-1.bin");
    folder.copy(&torch("shard-2.bin"), "shard-2.bin");
    let mut map = serde_json::Map::new();
    for name in expected().keys() {
        let second = ["scalar", "empty", "one_row", "parameter", "frozen"].contains(&name.as_str());
        map.insert(
            name.clone(),
            json!(if second { "shard-2.bin" } else { "shard-1.bin" }),
        );
    }
    let index = json!({"metadata": {}, "weight_map": map}).to_string();
    folder.write("pytorch_model.bin.index.json", index);
    folder.convert().unwrap();
    assert_eq!(written(&folder.path("new")).0, expected());
}

#[test]
fn a_model_is_the_same_after_conversion() {
    let folder = Folder::with("bert.bin");
    folder.write("vestnik.json", "{}");
    folder.write("README.md", "a card");
    folder.write("optimizer.pt", "not needed");
    let converted = folder.convert().unwrap();
    assert_eq!(converted.dropped, ["bert.embeddings.position_ids"]);
    let mut names: Vec<_> = std::fs::read_dir(folder.path("new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "README.md",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "vestnik.json"
        ]
    );
    let (new, old) = (written(&folder.path("new")), written(&fixture("bert")));
    assert_eq!(new, old);
    let dir = ModelDir::open(&folder.path("new")).unwrap();
    assert!(TokenClassifier::load(&dir, &Device::Cpu).is_ok());
    let bytes = std::fs::read(folder.path("new/model.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
}

#[test]
fn a_file_alone_can_be_named() {
    let folder = Folder::with("bert.bin");
    let file = folder.path("model/pytorch_model.bin");
    vestnik_model::convert(&file, &folder.path("new"), None).unwrap();
    assert_eq!(written(&folder.path("new")), written(&fixture("bert")));
}

#[test]
fn tied_tensors_are_written_once() {
    let folder = Folder::with("tied.bin");
    let converted = folder.convert().unwrap();
    let tied = [("decoder".to_owned(), "embeddings".to_owned())];
    assert_eq!(converted.tied, tied);
    let names: Vec<_> = written(&folder.path("new")).0.into_keys().collect();
    assert_eq!(names, ["bias", "embeddings", "transposed"]);
}

#[test]
fn tensors_that_are_not_tied_again_are_written_all() {
    let folder = Folder::with("tied.bin");
    let config = std::fs::read(folder.path("model/config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["tie_word_embeddings"] = json!(false);
    folder.write("config.json", config.to_string());
    assert!(folder.convert().unwrap().tied.is_empty());
    assert_eq!(written(&folder.path("new")).0.len(), 4);
}

#[test]
fn number_types_can_be_changed() {
    let folder = Folder::empty();
    folder.copy(
        &fixture("bert").join("model.safetensors"),
        "model.safetensors",
    );
    folder.convert_to(Some(DType::BF16)).unwrap();
    let (rounded, dtypes) = written(&folder.path("new"));
    assert!(dtypes.values().all(|dtype| *dtype == Dtype::BF16));
    for (name, (_, exact)) in written(&fixture("bert")).0 {
        for (x, y) in exact.iter().zip(&rounded[&name].1) {
            assert!((x - y).abs() <= x.abs() / 256.0, "{name}: {x} {y}");
        }
    }
    let config = std::fs::read(folder.path("new/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["dtype"], "bfloat16");
}

/// The writer of the format makes files that only their owner may read.
#[cfg(unix)]
#[test]
fn everyone_may_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with("bert.bin");
    folder.convert().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let metadata = folder.path("new").join(name).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o644, "{name}");
    }
}
