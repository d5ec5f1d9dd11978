//! From the sums of a matrix product to results: scales, bias, and what follows, in one pass.

use rten_simd::ops::{BitOps, NumOps, ToFloat};
use rten_simd::{Isa, SimdOp, SimdUnaryOp};
use rten_vecmath::{ApproxGelu, Gelu, LeakyRelu, Silu, Tanh};
use vestnik_model::Activation;

use crate::quick_gelu::QuickGelu;

/// Columns whose results are inputs, followed by as many gates, where outputs are gated.
pub(crate) const GATED: usize = 16;

/// What happens to `y = x Wᵀ + b`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    /// `out = y`.
    Store,
    /// `out += y`.
    Add,
    /// `out = f(y)`.
    Activate(Activation),
    /// `out = f(input) gate`, half as wide: of each 32 columns 16 are inputs and 16 gates.
    Gate(Activation),
}

/// Columns that are finished at once.
const COLUMNS: usize = 32;

/// Sums of products, row by row.
pub(crate) trait Sums {
    /// What is the same for all rows of [`COLUMNS`] columns.
    type Columns<'a>
    where
        Self: 'a;

    /// [`COLUMNS`] columns from `column` on.
    fn columns(&self, column: usize) -> Self::Columns<'_>;

    /// The sums of one row in these columns.
    fn row(&self, row: usize, column: usize) -> &[Self::Sum; COLUMNS];

    /// A sum.
    type Sum;

    /// Sums as numbers plus their bias, from `place` of the columns on.
    fn number<I: Isa>(
        &self,
        isa: I,
        row: usize,
        sums: &[Self::Sum; COLUMNS],
        columns: &Self::Columns<'_>,
        bias: &[f32; COLUMNS],
        place: usize,
    ) -> I::F32;
}

/// Sums in `f32`, rows `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Floats<'a> {
    pub(crate) sums: &'a [f32],
    pub(crate) stride: usize,
}

impl Sums for Floats<'_> {
    type Columns<'a>
        = ()
    where
        Self: 'a;
    type Sum = f32;

    fn columns(&self, _: usize) -> Self::Columns<'_> {}

    #[inline(always)]
    fn row(&self, row: usize, column: usize) -> &[f32; COLUMNS] {
        block(&self.sums[row * self.stride..], column)
    }

    #[inline(always)]
    fn number<I: Isa>(
        &self,
        isa: I,
        _: usize,
        sums: &[f32; COLUMNS],
        (): &(),
        bias: &[f32; COLUMNS],
        place: usize,
    ) -> I::F32 {
        let ops = isa.f32();
        ops.add(ops.load(&sums[place..]), ops.load(&bias[place..]))
    }
}

/// Sums of bytes, rows `stride` apart: `scale of the row * scale of the column * (sum - zero of the row * sum of the column's
/// weights)`.
#[derive(Clone, Copy)]
pub(crate) struct Integers<'a> {
    pub(crate) sums: &'a [i32],
    pub(crate) stride: usize,
    pub(crate) row_scales: &'a [f32],
    pub(crate) row_zeros: &'a [f32],
    pub(crate) column_scales: &'a [f32],
    pub(crate) column_sums: &'a [f32],
}

/// Scales of columns and sums of their weights.
pub(crate) struct ByteColumns<'a> {
    scales: &'a [f32; COLUMNS],
    sums: &'a [f32; COLUMNS],
}

impl Sums for Integers<'_> {
    type Columns<'a>
        = ByteColumns<'a>
    where
        Self: 'a;
    type Sum = i32;

    #[inline(always)]
    fn columns(&self, column: usize) -> ByteColumns<'_> {
        ByteColumns {
            scales: block(self.column_scales, column),
            sums: block(self.column_sums, column),
        }
    }

    #[inline(always)]
    fn row(&self, row: usize, column: usize) -> &[i32; COLUMNS] {
        block(&self.sums[row * self.stride..], column)
    }

    #[inline(always)]
    fn number<I: Isa>(
        &self,
        isa: I,
        row: usize,
        sums: &[i32; COLUMNS],
        columns: &ByteColumns<'_>,
        bias: &[f32; COLUMNS],
        place: usize,
    ) -> I::F32 {
        let ops = isa.f32();
        // Numbers beyond 24 bits are rounded, far below the steps of bytes.
        let sum = ops.mul_add(
            ops.splat(-self.row_zeros[row]),
            ops.load(&columns.sums[place..]),
            isa.i32().to_float(isa.i32().load(&sums[place..])),
        );
        let scale = ops.mul(
            ops.load(&columns.scales[place..]),
            ops.splat(self.row_scales[row]),
        );
        ops.mul_add(sum, scale, ops.load(&bias[place..]))
    }
}

#[inline(always)]
fn block<T>(numbers: &[T], column: usize) -> &[T; COLUMNS] {
    let numbers = &numbers[column..column + COLUMNS];
    numbers.try_into().expect("a slice of this length")
}

/// A block of sums to be finished: `columns`, a multiple of 32, of `rows`.
pub(crate) struct Finish<'a, S> {
    pub(crate) sums: S,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) bias: &'a [f32],
    pub(crate) then: Then,
    /// Whether activations may be a little off, because they are rounded afterwards.
    pub(crate) is_rounded: bool,
    /// From the first result on; rows `out_stride` apart.
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
}

impl<S: Sums> SimdOp for Finish<'_, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match self.then {
            Then::Store => self.each(
                isa,
                #[inline(always)]
                |_, y| y,
            ),
            Then::Add => self.each(
                isa,
                #[inline(always)]
                |out, y| isa.f32().add(out, y),
            ),
            Then::Activate(Activation::Gelu) if self.is_rounded => {
                self.activate(isa, &QuickGelu {});
            }
            Then::Gate(Activation::Gelu) if self.is_rounded => self.gate(isa, &QuickGelu {}),
            Then::Activate(Activation::Gelu) => self.activate(isa, &Gelu {}),
            Then::Activate(Activation::GeluTanh) => self.activate(isa, &ApproxGelu {}),
            Then::Activate(Activation::Relu) => self.activate(isa, &LeakyRelu { alpha: 0.0 }),
            Then::Activate(Activation::Silu) => self.activate(isa, &Silu {}),
            Then::Activate(Activation::Tanh) => self.activate(isa, &Tanh {}),
            Then::Gate(Activation::Gelu) => self.gate(isa, &Gelu {}),
            Then::Gate(Activation::GeluTanh) => self.gate(isa, &ApproxGelu {}),
            Then::Gate(Activation::Relu) => self.gate(isa, &LeakyRelu { alpha: 0.0 }),
            Then::Gate(Activation::Silu) => self.gate(isa, &Silu {}),
            Then::Gate(Activation::Tanh) => self.gate(isa, &Tanh {}),
            other => unreachable!("an activation without a kernel: {other:?}"),
        }
    }
}

impl<S: Sums> Finish<'_, S> {
    #[inline(always)]
    fn activate<I: Isa, F: SimdUnaryOp<f32>>(self, isa: I, function: &F) {
        self.each(
            isa,
            #[inline(always)]
            |_, y| function.eval(isa, y),
        );
    }

    /// `f(what was there, y)` for every result.
    #[inline(always)]
    fn each<I: Isa>(self, isa: I, f: impl Fn(I::F32, I::F32) -> I::F32) {
        let ops = isa.f32();
        for column in (0..self.columns).step_by(COLUMNS) {
            let columns = self.sums.columns(column);
            let bias = block(self.bias, column);
            let outs = self.out.chunks_mut(self.out_stride).take(self.rows);
            for (row, out) in outs.enumerate() {
                let sums = self.sums.row(row, column);
                let out = &mut out[column..column + COLUMNS];
                for place in (0..COLUMNS).step_by(ops.len()) {
                    let y = self.sums.number(isa, row, sums, &columns, bias, place);
                    let there = ops.load(&out[place..]);
                    ops.store(f(there, y), &mut out[place..]);
                }
            }
        }
    }

    #[inline(always)]
    fn gate<I: Isa, F: SimdUnaryOp<f32>>(self, isa: I, function: &F) {
        let ops = isa.f32();
        for column in (0..self.columns).step_by(COLUMNS) {
            let columns = self.sums.columns(column);
            let bias = block(self.bias, column);
            let outs = self.out.chunks_mut(self.out_stride).take(self.rows);
            for (row, out) in outs.enumerate() {
                let sums = self.sums.row(row, column);
                let out = &mut out[column / 2..column / 2 + GATED];
                for place in (0..GATED).step_by(ops.len()) {
                    let input = self.sums.number(isa, row, sums, &columns, bias, place);
                    let gate = place + GATED;
                    let gate = self.sums.number(isa, row, sums, &columns, bias, gate);
                    let y = ops.mul(function.eval(isa, input), gate);
                    ops.store(y, &mut out[place..]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(then: Then, columns: usize, value: f32) -> Vec<f32> {
        let sums: Vec<f32> = (0..2 * columns).map(|i| i as f32).collect();
        let mut out = vec![value; 2 * columns];
        Finish {
            sums: Floats {
                sums: &sums,
                stride: columns,
            },
            rows: 2,
            columns,
            bias: &vec![0.5; columns],
            then,
            is_rounded: false,
            out: &mut out,
            out_stride: columns,
        }
        .dispatch();
        out
    }

    #[test]
    fn sums_get_their_bias_and_what_follows() {
        assert_eq!(finished(Then::Store, 32, 7.0)[..3], [0.5, 1.5, 2.5]);
        assert_eq!(finished(Then::Add, 32, 7.0)[63], 70.5);
        assert_eq!(
            finished(Then::Activate(Activation::Relu), 32, 0.0)[33],
            33.5
        );
    }

    #[test]
    fn of_32_columns_16_are_gates() {
        let out = finished(Then::Gate(Activation::Relu), 64, -1.0);
        assert_eq!(out[1], 1.5 * 17.5);
        assert_eq!(out[16], 32.5 * 48.5);
        assert_eq!(out[31], 47.5 * 63.5);
        assert_eq!(out[32..64], [-1.0; 32]);
    }

    #[test]
    fn bytes_are_scaled_and_their_zeros_taken_off() {
        let (sums, mut out) = (vec![100; 32], vec![0.0; 32]);
        let integers = Integers {
            sums: &sums,
            stride: 32,
            row_scales: &[0.5],
            row_zeros: &[3.0],
            column_scales: &[2.0; 32],
            column_sums: &(0..32u8).map(f32::from).collect::<Vec<_>>(),
        };
        Finish {
            sums: integers,
            rows: 1,
            columns: 32,
            bias: &[1.0; 32],
            then: Then::Store,
            is_rounded: false,
            out: &mut out,
            out_stride: 32,
        }
        .dispatch();
        assert_eq!(out[..3], [101.0, 98.0, 95.0]);
    }
}
