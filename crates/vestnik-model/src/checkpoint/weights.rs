//! All weights files of a model: one file, or shards with their index.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorInfo;

use crate::checkpoint::Index;
use crate::checkpoint::tensor_file::TensorFile;
use crate::{Error, Result, WEIGHTS_FILE};

/// The open weights files of a model.
#[derive(Debug)]
pub(crate) struct Weights {
    files: Vec<TensorFile>,
    /// The file that holds each tensor.
    places: BTreeMap<String, usize>,
}

impl Weights {
    /// One file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self::single(TensorFile::open(path)?))
    }

    /// One file that is built into the program.
    pub(crate) fn from_bytes(model: &Path, bytes: &'static [u8]) -> Result<Self> {
        let file = TensorFile::from_bytes(&model.join(WEIGHTS_FILE), bytes)?;
        Ok(Self::single(file))
    }

    /// The shards that the index at `path` names.
    pub(crate) fn open_shards(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::File {
            path: path.into(),
            source,
        })?;
        let index = Index::parse(&bytes, path)?;
        let files = index
            .files()?
            .iter()
            .map(|file| TensorFile::open(file))
            .collect::<Result<Vec<_>>>()?;
        let names: Vec<Vec<String>> = files.iter().map(TensorFile::names).collect();
        let names = files.iter().zip(&names).map(|(file, names)| {
            let names = names.iter().map(String::as_str).collect();
            (file.path(), names)
        });
        let places = index.place(names)?;
        Ok(Self { places, files })
    }

    fn single(file: TensorFile) -> Self {
        Self {
            places: file.names().into_iter().map(|name| (name, 0)).collect(),
            files: vec![file],
        }
    }

    /// Names of all tensors, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The tensor `name`, with the file that holds it.
    pub(crate) fn find(&self, name: &str) -> Option<(&TensorFile, &TensorInfo)> {
        let file = self.files.get(*self.places.get(name)?)?;
        Some((file, file.info(name)?))
    }

    /// The number type of most bytes, as the files name it.
    pub(crate) fn dtype(&self) -> String {
        let mut bytes: BTreeMap<String, usize> = BTreeMap::new();
        for info in self.infos() {
            let (start, end) = info.data_offsets;
            *bytes.entry(format!("{:?}", info.dtype)).or_default() += end - start;
        }
        let most = bytes.into_iter().max_by_key(|(_, n)| *n);
        most.map_or_else(|| "none".to_owned(), |(name, _)| name.to_lowercase())
    }

    /// Number of single values in all tensors.
    pub(crate) fn n_values(&self) -> usize {
        self.infos()
            .map(|info| info.shape.iter().product::<usize>())
            .sum()
    }

    fn infos(&self) -> impl Iterator<Item = &TensorInfo> {
        let found = self.names().filter_map(|name| self.find(name));
        found.map(|(_, info)| info)
    }
}
