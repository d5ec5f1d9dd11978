//! The trainable tensors of a model, by their Hugging Face names.

use std::collections::BTreeMap;

use candle_core::{Device, Var};

/// The trainable tensors of a model in the order of their names, which are those of the Hugging Face checkpoint.
#[derive(Clone, Debug)]
pub struct Parameters {
    tensors: BTreeMap<String, Var>,
    device: Device,
}

impl Parameters {
    /// No parameters yet, for `device`.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self {
            tensors: BTreeMap::new(),
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

    /// Adds a tensor, replacing one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Var) {
        self.tensors.insert(name.into(), tensor);
    }

    /// All tensors, sorted by name.
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

    /// Number of single values in all tensors.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.tensors
            .values()
            .map(|tensor| tensor.elem_count())
            .sum()
    }
}
