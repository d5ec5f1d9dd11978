//! A copy of a tiny model, to be changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;
use vestnik_model::{Device, LoadReport, ModelDir, Result, TokenClassifier};

/// Name, shape and values of every tensor.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A temporary directory with a copy of the tiny BERT tagger.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let new = Self {
            folder: TempDir::new().unwrap(),
        };
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(fixture().join(name), new.path().join(name)).unwrap();
        }
        new
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }

    /// Changes a JSON file, which is made when it is not there.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let bytes = std::fs::read(self.path().join(name)).unwrap_or_else(|_| b"{}".to_vec());
        let mut value = serde_json::from_slice(&bytes).unwrap();
        change(&mut value);
        self.write(name, value.to_string());
    }

    pub(crate) fn open(&self) -> Result<ModelDir> {
        ModelDir::open(self.path())
    }

    pub(crate) fn load(&self) -> Result<(TokenClassifier, LoadReport)> {
        TokenClassifier::load(&self.open()?, &Device::Cpu)
    }

    /// The message with which the model is refused, without the path of the folder.
    pub(crate) fn refusal(&self) -> String {
        let error = match self.load() {
            Err(error) => error,
            Ok(_) => self.open().unwrap().tokenizer().unwrap_err(),
        };
        let folder = self.path().display().to_string();
        error.to_string().replace(&folder, "DIR")
    }
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert")
}

/// The tensors of the tiny model.
pub(crate) fn tensors() -> Tensors {
    let bytes = std::fs::read(fixture().join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let of = |(name, view): (&str, TensorView<'_>)| {
        let values = view.data().as_chunks::<4>().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (name.to_owned(), (view.shape().to_vec(), values))
    };
    file.iter().map(of).collect()
}

/// A safetensors file in f32.
pub(crate) fn safetensors_file<'a>(
    tensors: impl IntoIterator<Item = (&'a String, &'a (Vec<usize>, Vec<f32>))>,
) -> Vec<u8> {
    safetensors_file_of(Dtype::F32, tensors, |x| x.to_le_bytes().to_vec())
}

/// A safetensors file with numbers that are written by `encode`.
pub(crate) fn safetensors_file_of<'a>(
    dtype: Dtype,
    tensors: impl IntoIterator<Item = (&'a String, &'a (Vec<usize>, Vec<f32>))>,
    encode: impl Fn(f32) -> Vec<u8>,
) -> Vec<u8> {
    let encoded: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|x| encode(*x)).collect();
            (name.clone(), shape.clone(), bytes)
        })
        .collect();
    let views = encoded.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// All values of a model, by name.
pub(crate) fn values(model: &TokenClassifier) -> BTreeMap<String, Vec<f32>> {
    let values = |tensor: &vestnik_model::Var| {
        let flat = tensor.as_tensor().flatten_all().unwrap();
        flat.to_vec1().unwrap()
    };
    let tensors = model.parameters().iter();
    tensors
        .map(|(name, tensor)| (name.to_owned(), values(tensor)))
        .collect()
}
