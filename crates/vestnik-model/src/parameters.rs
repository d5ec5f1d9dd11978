//! The tensors of a model, by their Hugging Face names.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use crate::Result;
use crate::stored_encoder::Outline;

/// `scale · B A`, added to rows of a weight matrix.
#[derive(Clone, Debug)]
pub(crate) struct LowRankUpdate {
    /// The matrix.
    pub(crate) weight: String,
    /// Its first row that changes; there are as many as `B` has.
    pub(crate) first: usize,
    /// The name of `A [rank, inputs]`.
    pub(crate) a: String,
    /// The name of `B [outputs, rank]`.
    pub(crate) b: String,
    pub(crate) scale: f64,
}

/// The tensors of a model in the order of their names, which are those of the Hugging Face checkpoint, and which of them
/// learn.
#[derive(Clone, Debug)]
pub struct Parameters {
    tensors: BTreeMap<String, Var>,
    trainable: BTreeMap<String, Var>,
    updates: Vec<LowRankUpdate>,
    /// Where the tensors lie that a head needs no more than the shapes of.
    pub(crate) outline: Outline,
    device: Device,
}

impl Parameters {
    /// No parameters yet, for `device`.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self {
            tensors: BTreeMap::new(),
            trainable: BTreeMap::new(),
            updates: vec![],
            outline: Outline::new(),
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

    /// Adds the factors of an update of a tensor that is there.
    pub(crate) fn insert_update(&mut self, update: LowRankUpdate, a: Var, b: Var) {
        self.trainable.insert(update.a.clone(), a);
        self.trainable.insert(update.b.clone(), b);
        self.updates.push(update);
    }

    /// All tensors of the model as they are to be saved, sorted by name: low-rank updates are added to the weights that
    /// they belong to, so that none of their factors is left.
    ///
    /// # Errors
    /// Those of the device.
    pub fn merged(&self) -> Result<Vec<(&str, Tensor)>> {
        self.iter()
            .map(|(name, var)| Ok((name, self.merged_tensor(name, var)?)))
            .collect()
    }

    fn merged_tensor(&self, name: &str, var: &Var) -> Result<Tensor> {
        let updates = self.updates.iter().filter(|update| update.weight == name);
        updates
            .into_iter()
            .try_fold(var.as_detached_tensor(), |weight, update| {
                let [a, b] =
                    [&update.a, &update.b].map(|name| self.trainable[name].as_detached_tensor());
                let change = (b.matmul(&a)? * update.scale)?;
                let rows = weight.narrow(0, update.first, change.dim(0)?)?;
                Ok(weight.slice_scatter0(&(rows + change)?, update.first)?)
            })
    }

    /// The tensors that learn, sorted by name: those that have gradients, and that an optimizer changes. Factors of
    /// low-rank updates are named as in PEFT, `….lora_A.weight` and `….lora_B.weight` after the layer.
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

    /// Takes a tensor away, so that its memory is free when the caller has done with it.
    pub fn take(&mut self, name: &str) -> Option<Var> {
        self.trainable.remove(name);
        self.tensors.remove(name)
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
