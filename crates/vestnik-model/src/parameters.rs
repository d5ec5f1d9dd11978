//! The tensors of a model, by their Hugging Face names.

use std::collections::BTreeMap;

use candle_core::{Device, Var};

/// The tensors of a model in the order of their names, which are those of the Hugging Face checkpoint, and which of them
/// learn.
#[derive(Clone, Debug)]
pub struct Parameters {
    tensors: BTreeMap<String, Var>,
    trainable: BTreeMap<String, Var>,
    device: Device,
}

impl Parameters {
    /// No parameters yet, for `device`.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self {
            tensors: BTreeMap::new(),
            trainable: BTreeMap::new(),
            device: device.clone(),
        }
    }

    /// The device that holds them.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The tensor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.tensors.get(name)
    }

    /// Adds a tensor that learns, replacing one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Var) {
        let name = name.into();
        self.trainable.insert(name.clone(), tensor.clone());
        self.tensors.insert(name, tensor);
    }

    /// Adds a tensor that keeps its value, replacing one of the same name.
    pub fn insert_frozen(&mut self, name: impl Into<String>, tensor: Var) {
        let name = name.into();
        self.trainable.remove(&name);
        self.tensors.insert(name, tensor);
    }

    /// The tensors that learn, sorted by name: those that have gradients, and that an optimizer changes.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.trainable
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors that keep their values, sorted by name.
    pub fn frozen(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.iter()
            .filter(|(name, _)| !self.trainable.contains_key(*name))
    }

    /// All tensors of the model, sorted by name, whether they learn or not.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Number of single values in all tensors of the model.
    #[must_use]
    pub fn n_values(&self) -> usize {
        n_values(&self.tensors)
    }

    /// Number of single values that learn.
    #[must_use]
    pub fn n_trainable_values(&self) -> usize {
        n_values(&self.trainable)
    }
}

fn n_values(tensors: &BTreeMap<String, Var>) -> usize {
    tensors.values().map(|tensor| tensor.elem_count()).sum()
}
