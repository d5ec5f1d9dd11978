//! The gradient of a table of which a batch saw only some rows.

use std::borrow::Cow;
use std::cmp::Ordering;

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use rayon::prelude::*;

use crate::optimizer::kernels::{CHUNK, slice_mut};

/// Rows of a table with a gradient; that of all others is zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowGradient {
    /// Ascending.
    rows: Vec<u32>,
    /// `[rows, width]`, row by row.
    values: Vec<f32>,
    width: usize,
}

impl RowGradient {
    /// `weight` times the gradient `[rows, width]` of ascending `rows`.
    pub(crate) fn new(rows: &[u32], gradient: &Tensor, weight: f64) -> Result<Self> {
        let mut values = gradient.flatten_all()?.to_vec1::<f32>()?;
        if weight != 1.0 {
            values.iter_mut().for_each(|x| *x *= weight as f32);
        }
        Ok(Self {
            rows: rows.to_vec(),
            values,
            width: gradient.dim(1)?,
        })
    }

    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// Adds another gradient of the same table.
    pub(crate) fn add(&mut self, other: &Self) {
        let (mut rows, mut values) = (vec![], Vec::with_capacity(self.values.len()));
        let (mut ours, mut theirs) = (0, 0);
        while ours < self.rows.len() || theirs < other.rows.len() {
            let (row, sum) = match self.order(ours, other, theirs) {
                Ordering::Less => (self.rows[ours], Cow::Borrowed(self.row(ours))),
                Ordering::Greater => (other.rows[theirs], Cow::Borrowed(other.row(theirs))),
                Ordering::Equal => {
                    let pairs = self.row(ours).iter().zip(other.row(theirs));
                    (self.rows[ours], pairs.map(|(a, b)| a + b).collect())
                }
            };
            ours += usize::from(self.rows.get(ours) == Some(&row));
            theirs += usize::from(other.rows.get(theirs) == Some(&row));
            rows.push(row);
            values.extend_from_slice(&sum);
        }
        (self.rows, self.values) = (rows, values);
    }

    /// Which of two places comes first; a place beyond the end comes last.
    fn order(&self, ours: usize, other: &Self, theirs: usize) -> Ordering {
        let last = u32::MAX;
        let our_row = self.rows.get(ours).unwrap_or(&last);
        our_row.cmp(other.rows.get(theirs).unwrap_or(&last))
    }

    /// Sets every element of the table `to` to `f(element, its gradient)`, in parallel, with the same result for any number
    /// of threads.
    pub(crate) fn update(&self, to: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) {
        let rows_of_chunk = (CHUNK / self.width).max(1);
        to.par_chunks_mut(rows_of_chunk * self.width)
            .enumerate()
            .for_each(|(chunk, to)| {
                let first = (chunk * rows_of_chunk) as u32;
                let mut next = self.rows.partition_point(|row| *row < first);
                for (row, to) in (first..).zip(to.chunks_mut(self.width)) {
                    if self.rows.get(next) == Some(&row) {
                        let pairs = to.iter_mut().zip(self.row(next));
                        pairs.for_each(|(to, gradient)| *to = f(*to, *gradient));
                        next += 1;
                    } else {
                        to.iter_mut().for_each(|to| *to = f(*to, 0.0));
                    }
                }
            });
    }

    /// Adds it to the gradient of the whole table, in place.
    pub(crate) fn add_to(&self, whole: &Tensor) -> Result<()> {
        whole.inplace_op1(&AddRows { gradient: self })
    }
}

struct AddRows<'a> {
    gradient: &'a RowGradient,
}

impl InplaceOp1 for AddRows<'_> {
    fn name(&self) -> &'static str {
        "add-rows"
    }

    fn cpu_fwd(&self, whole: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (whole, width) = (slice_mut(whole, layout)?, self.gradient.width);
        for (index, row) in self.gradient.rows.iter().enumerate() {
            let to = &mut whole[*row as usize * width..][..width];
            let pairs = to.iter_mut().zip(self.gradient.row(index));
            pairs.for_each(|(to, x)| *to += x);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn gradient(rows: &[u32], values: &[f32]) -> RowGradient {
        let values = Tensor::from_slice(values, (rows.len(), 2), &Device::Cpu).unwrap();
        RowGradient::new(rows, &values, 1.0).unwrap()
    }

    #[test]
    fn sums_hold_the_rows_of_both() {
        let mut sum = gradient(&[1, 4], &[1.0, 2.0, 3.0, 4.0]);
        sum.add(&gradient(&[0, 4, 7], &[5.0, 6.0, 7.0, 8.0, 9.0, 10.0]));
        let expected = [5.0, 6.0, 1.0, 2.0, 10.0, 12.0, 9.0, 10.0];
        assert_eq!(sum, gradient(&[0, 1, 4, 7], &expected));
    }

    #[test]
    fn updates_see_every_row_of_a_large_table() {
        let n_rows = 3 * CHUNK;
        let rows = [0, 5, CHUNK as u32 / 2, n_rows as u32 - 1];
        let gradient = gradient(&rows, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let mut table = vec![10.0; 2 * n_rows];
        gradient.update(&mut table, |x, g| x - g);
        let whole = Tensor::zeros((n_rows, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
        gradient.add_to(&whole).unwrap();
        let whole = whole.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (x, g) in table.iter().zip(&whole) {
            assert_eq!(*x, 10.0 - g);
        }
        assert_eq!(whole.iter().filter(|g| **g != 0.0).count(), 8);
    }
}
