//! Gradients by parameter name: sums over micro-batches and the global norm.

use std::collections::BTreeMap;

#[cfg(feature = "cuda")]
use candle_core::Device;
use candle_core::backprop::GradStore;
use candle_core::{DType, Storage, Tensor, Var};
use rayon::prelude::*;
use vestnik_model::Lookup;

use crate::error::{Error, Result};
use crate::optimizer::kernels::{self, AddScaled, slice};
use crate::row_gradient::RowGradient;

/// Elements of one partial sum of the norm; fixed, so that the sum does not depend on the number of threads.
const NORM_CHUNK: usize = 16 * 1024;

/// The gradient of each parameter that took part in the loss, in the order of the names.
#[derive(Debug, Default)]
pub struct Gradients {
    by_name: BTreeMap<String, Tensor>,
    /// Of tables of which only some rows have one; a table is not in both maps.
    rows_by_name: BTreeMap<String, RowGradient>,
}

impl Gradients {
    /// Adds `weight` times the gradients that a backward pass left in `store`, those of looked-up rows to their tables.
    ///
    /// Parameters without a gradient are left out: the optimizer does not touch them.
    ///
    /// # Errors
    /// [`Error::Tensor`] when shapes or kinds do not fit.
    pub fn add<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (&'a str, &'a Var)>,
        lookups: &[Lookup],
        store: &mut GradStore,
        weight: f64,
    ) -> Result<()> {
        for (name, var) in parameters {
            let whole = store.remove(var.as_tensor());
            let of_rows = lookups.iter().filter(|lookup| lookup.is_of(var));
            whole
                .map_or(Ok(()), |gradient| self.add_one(name, &gradient, weight))
                .and_then(|()| self.add_lookups(name, of_rows, store, weight))
                .map_err(Error::tensor("adding gradients"))?;
        }
        Ok(())
    }

    fn add_lookups<'a>(
        &mut self,
        name: &str,
        lookups: impl Iterator<Item = &'a Lookup>,
        store: &mut GradStore,
        weight: f64,
    ) -> candle_core::Result<()> {
        for lookup in lookups {
            if let Some(gradient) = lookup.take_gradient(store) {
                let gradient = RowGradient::new(lookup.rows(), &gradient, weight)?;
                self.add_rows(name, gradient)?;
            }
        }
        Ok(())
    }

    fn add_rows(&mut self, name: &str, gradient: RowGradient) -> candle_core::Result<()> {
        if let Some(whole) = self.by_name.get(name) {
            return gradient.add_to(whole);
        }
        match self.rows_by_name.get_mut(name) {
            Some(sum) => sum.add(&gradient),
            None => drop(self.rows_by_name.insert(name.to_owned(), gradient)),
        }
        Ok(())
    }

    fn add_one(&mut self, name: &str, gradient: &Tensor, weight: f64) -> candle_core::Result<()> {
        let gradient = gradient.contiguous()?;
        match self.by_name.get_mut(name) {
            Some(sum) => add_scaled(sum, &gradient, weight),
            None => {
                // Weight one (no accumulation) keeps the tensor as it is; any other makes a fresh one, which may be added to.
                let first = if weight == 1.0 {
                    gradient
                } else {
                    gradient.affine(weight, 0.0)?
                };
                if let Some(rows) = self.rows_by_name.remove(name) {
                    rows.add_to(&first)?;
                }
                self.by_name.insert(name.to_owned(), first);
                Ok(())
            }
        }
    }

    /// The gradient of a parameter as a whole; `None` also where only some of its rows have one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name)
    }

    /// The gradient of some rows of a parameter.
    pub(crate) fn rows(&self, name: &str) -> Option<&RowGradient> {
        self.rows_by_name.get(name)
    }

    /// The Euclidean norm over all parameters, summed in f64 in a fixed order.
    ///
    /// # Errors
    /// [`Error::Tensor`] when a gradient cannot be read.
    pub fn norm(&self) -> Result<f64> {
        let squares = sums_of_squares(self.by_name.values());
        let squares: f64 = squares
            .map_err(Error::tensor("taking the gradient norm"))?
            .iter()
            .sum();
        let of_rows = self.rows_by_name.values();
        let of_rows: f64 = of_rows.map(|rows| slice_squares(rows.values())).sum();
        Ok((squares + of_rows).sqrt())
    }
}

/// The factor that brings a gradient of norm `norm` to at most `max_norm`; 1 when `max_norm` is 0 (no clipping).
#[must_use]
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if max_norm > 0.0 && norm > max_norm {
        max_norm / norm
    } else {
        1.0
    }
}

fn add_scaled(sum: &mut Tensor, gradient: &Tensor, weight: f64) -> candle_core::Result<()> {
    if kernels::apply_to(sum) {
        let op = AddScaled {
            scale: weight as f32,
        };
        return sum.inplace_op2(gradient, &op);
    }
    *sum = (&*sum + gradient.affine(weight, 0.0)?)?;
    Ok(())
}

fn sums_of_squares<'a>(
    gradients: impl Iterator<Item = &'a Tensor>,
) -> candle_core::Result<Vec<f64>> {
    let (mut here, mut elsewhere) = (vec![], vec![]);
    for gradient in gradients {
        let (storage, layout) = gradient.storage_and_layout();
        if let (Storage::Cpu(cpu), DType::F32) = (&*storage, gradient.dtype()) {
            here.push(slice_squares(slice(cpu, layout)?));
        } else {
            drop(storage);
            elsewhere.push(gradient);
        }
    }
    here.extend(squares_elsewhere(&elsewhere)?);
    Ok(here)
}

/// The sum of the squares of each tensor, not on the CPU in `f32`.
fn squares_elsewhere(gradients: &[&Tensor]) -> candle_core::Result<Vec<f64>> {
    #[cfg(feature = "cuda")]
    if let Some(Device::Cuda(gpu)) = gradients.first().map(|gradient| gradient.device()) {
        return vestnik_model::ops::cuda::sums_of_squares(gpu, gradients);
    }
    let sum = |gradient: &&Tensor| gradient.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar();
    gradients.iter().map(sum).collect()
}

fn slice_squares(values: &[f32]) -> f64 {
    let chunks = values.par_chunks(NORM_CHUNK);
    let partial: Vec<f64> = chunks.map(chunk_squares).collect();
    partial.iter().sum()
}

/// Eight running sums let the compiler use vector registers; a single f64 sum would be one long chain of additions.
fn chunk_squares(values: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    let chunks = values.chunks_exact(8);
    let rest: f64 = chunks
        .remainder()
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn gradients(values: &[(&str, &[f32])]) -> Gradients {
        let by_name = values
            .iter()
            .map(|&(name, data)| (name.to_owned(), Tensor::new(data, &Device::Cpu).unwrap()))
            .collect();
        Gradients {
            by_name,
            ..Gradients::default()
        }
    }

    #[test]
    fn norm_is_over_all_parameters() {
        let gradients = gradients(&[("a", &[3.0]), ("b", &[0.0, 4.0])]);
        assert_eq!(gradients.norm().unwrap(), 5.0);
        assert_eq!(Gradients::default().norm().unwrap(), 0.0);
    }

    #[test]
    fn norm_of_long_gradients_is_exact() {
        let values = vec![0.5f32; 3 * NORM_CHUNK + 5];
        let expected = (values.len() as f64 * 0.25).sqrt();
        assert!((gradients(&[("w", &values)]).norm().unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn norm_shows_nan() {
        assert!(
            gradients(&[("a", &[1.0, f32::NAN])])
                .norm()
                .unwrap()
                .is_nan()
        );
    }

    #[test]
    fn clipping_only_shortens() {
        assert_eq!(clip_factor(5.0, 1.0), 0.2);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        assert_eq!(clip_factor(5.0, 0.0), 1.0);
    }

    #[test]
    fn weighted_sum_over_micro_batches() {
        let w = Var::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let unused = Var::new(&[1f32], &Device::Cpu).unwrap();
        let parameters = [("w", &w), ("unused", &unused)];
        let mut sum = Gradients::default();
        for (factor, weight) in [(1.0, 0.25), (3.0, 0.75)] {
            let loss = w
                .affine(factor, 0.0)
                .unwrap()
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap();
            sum.add(parameters, &[], &mut loss.backward().unwrap(), weight)
                .unwrap();
        }
        // d/dw (f w)² = 2 f² w: 0.25·2·w + 0.75·18·w = 14 w
        assert_eq!(
            sum.get("w").unwrap().to_vec1::<f32>().unwrap(),
            [14.0, 28.0]
        );
        assert!(sum.get("unused").is_none());
    }
}
