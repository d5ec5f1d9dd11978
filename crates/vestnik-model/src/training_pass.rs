//! What one forward pass in training carries along: dropout keys, and the rows of tables that it looked up.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use crate::Precision;
use crate::insides::{Fork, Insides};
use crate::ops::{self, mix};

/// One forward pass in training.
///
/// It hands out a fresh key for every dropout site in the order of the pass. The same seed and step give the same keys,
/// whatever ran before: that is what makes resuming exact.
#[derive(Debug)]
pub struct TrainingPass {
    base: u64,
    next_site: Cell<u64>,
    lookups: Option<RefCell<Vec<Lookup>>>,
    precision: Precision,
    insides: Insides,
}

impl TrainingPass {
    /// The state at the start of forward pass `step` of a run with `seed`.
    #[must_use]
    pub fn new(seed: u64, step: u64) -> Self {
        Self {
            base: mix(mix(seed) ^ step),
            next_site: Cell::new(0),
            lookups: None,
            precision: Precision::F32,
            insides: Insides::InGraph,
        }
    }

    /// Goes back through every encoder layer without candle, which adds each gradient to zeros: faster, with the same bits.
    /// Gradients must then be taken with [`Self::backward`].
    #[must_use]
    pub fn with_tape(mut self) -> Self {
        self.insides = Insides::Listed(Arc::default());
        self
    }

    /// Keeps only the inputs of every encoder layer for the backward pass, which computes what is inside of them again
    /// (gradient checkpointing, Chen et al. 2016): less memory for about a third more time. Gradients must then be taken
    /// with [`Self::backward`].
    #[must_use]
    pub fn with_gradient_checkpointing(mut self) -> Self {
        self.insides = Insides::Recomputed(Arc::default());
        self
    }

    /// The gradients of `loss`, which this pass computed: `loss.backward()`, and those that layers with insides of their own
    /// found.
    ///
    /// # Errors
    /// Those of the device.
    pub fn backward(&self, loss: &Tensor) -> Result<GradStore> {
        let mut gradients = loss.backward()?;
        let (Insides::Listed(collected) | Insides::Recomputed(collected)) = &self.insides else {
            return Ok(gradients);
        };
        let mut collected = collected.lock().unwrap_or_else(PoisonError::into_inner);
        for (var, gradient) in collected.drain(..) {
            let sum = match gradients.remove(&var) {
                Some(other) => (other + gradient)?,
                None => gradient,
            };
            gradients.insert(&var, sum);
        }
        Ok(gradients)
    }

    /// What is kept of the insides of a part.
    pub(crate) fn insides(&self) -> &Insides {
        &self.insides
    }

    /// What is needed to run the rest of this pass again.
    pub(crate) fn fork(&self) -> Fork {
        Fork {
            base: self.base,
            site: self.next_site.get(),
            precision: self.precision,
        }
    }

    /// A pass that goes on where another one was, without lookups, in one graph.
    pub(crate) fn at(fork: Fork) -> Self {
        Self {
            base: fork.base,
            next_site: Cell::new(fork.site),
            lookups: None,
            precision: fork.precision,
            insides: Insides::InGraph,
        }
    }

    /// The arithmetic of the matrix products of this pass, forward and backward. Default [`Precision::F32`].
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Embeddings are looked up through a tensor of the rows that occur, which takes the gradient in place of the whole
    /// table ([`Self::take_lookups`]), on the CPU in `f32`: a batch sees few rows, and a gradient as large as the table costs more than a layer.
    #[must_use]
    pub fn with_lookups(mut self) -> Self {
        self.lookups = Some(RefCell::default());
        self
    }

    /// Takes the rows that were looked up so far, in the order of the pass.
    pub fn take_lookups(&self) -> Vec<Lookup> {
        self.lookups.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// The key of the next dropout site.
    pub(crate) fn next_key(&self) -> u64 {
        let site = self.next_site.get();
        self.next_site.set(site + 1);
        mix(self.base ^ mix(site))
    }

    /// The rows of `table` at `indices`: [`ops::gather_rows`], with its gradient in a [`Lookup`] where they are
    /// collected.
    pub(crate) fn rows(&self, table: &Tensor, indices: &[u32]) -> Result<Tensor> {
        let collects = table.is_variable() && ops::cpu::is_cpu_f32(table);
        let Some(lookups) = self.lookups.as_ref().filter(|_| collects) else {
            return ops::gather_rows(table, indices);
        };
        let mut rows = indices.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let leaf = Var::from_tensor(&ops::gather_rows(&table.detach(), &rows)?)?;
        let place = |index: &u32| rows.partition_point(|row| row < index) as u32;
        let places: Vec<u32> = indices.iter().map(place).collect();
        let found = ops::gather_rows(leaf.as_tensor(), &places)?;
        lookups.borrow_mut().push(Lookup {
            table: table.clone(),
            rows,
            leaf,
        });
        Ok(found)
    }
}

/// The rows of one table that a forward pass looked up.
#[derive(Debug)]
pub struct Lookup {
    table: Tensor,
    rows: Vec<u32>,
    leaf: Var,
}

impl Lookup {
    /// Whether the rows are of this parameter.
    #[must_use]
    pub fn is_of(&self, parameter: &Var) -> bool {
        self.table.id() == parameter.as_tensor().id()
    }

    /// Which rows, ascending.
    #[must_use]
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Takes the gradient of the rows, `[rows, width]`, out of what a backward pass left; `None` where the loss did not
    /// depend on them.
    pub fn take_gradient(&self, gradients: &mut GradStore) -> Option<Tensor> {
        gradients.remove(self.leaf.as_tensor())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn keys_depend_on_seed_step_and_site_alone() {
        let (a, b) = (TrainingPass::new(7, 3), TrainingPass::new(7, 3));
        let first = (a.next_key(), a.next_key());
        assert_eq!(first, (b.next_key(), b.next_key()));
        assert_ne!(first.0, first.1);
        assert_ne!(first.0, TrainingPass::new(7, 4).next_key());
        assert_ne!(first.0, TrainingPass::new(8, 3).next_key());
    }

    #[test]
    fn rows_take_the_gradient_of_their_table() {
        let table =
            Var::from_vec(vec![1f32, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2), &Device::Cpu).unwrap();
        let indices = [2, 0, 2];
        let loss = |pass: &TrainingPass| {
            let found = pass.rows(table.as_tensor(), &indices).unwrap();
            found.sqr().unwrap().sum_all().unwrap()
        };
        let whole = loss(&TrainingPass::new(0, 0)).backward().unwrap();
        let whole = whole.get(&table).unwrap().to_vec2::<f32>().unwrap();
        let pass = TrainingPass::new(0, 0).with_lookups();
        let mut gradients = loss(&pass).backward().unwrap();
        assert!(gradients.get(&table).is_none());
        let [lookup] = <[Lookup; 1]>::try_from(pass.take_lookups()).unwrap();
        assert!(lookup.is_of(&table));
        assert_eq!(lookup.rows(), [0, 2]);
        let rows = lookup.take_gradient(&mut gradients).unwrap();
        assert_eq!(
            rows.to_vec2::<f32>().unwrap(),
            [whole[0].clone(), whole[2].clone()]
        );
    }
}
