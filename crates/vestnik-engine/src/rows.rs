//! Operations on rows of numbers around the matrix products, for whatever vectors the processor has.

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use crate::operand::BLOCK;

/// A layer norm's scale and shift.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl Norm {
    /// Without a bias there is no shift.
    pub(crate) fn new(weight: Vec<f32>, bias: Option<Vec<f32>>, eps: f64) -> Self {
        Self {
            bias: bias.unwrap_or_else(|| vec![0.0; weight.len()]),
            weight,
            eps: eps as f32,
        }
    }

    /// Normalizes rows that are `stride` apart (Ba et al. 2016). What lies behind the width of a row stays.
    pub(crate) fn apply(&self, rows: &mut [f32], stride: usize) {
        let norm = self;
        Normalize { norm, rows, stride }.dispatch();
    }
}

struct Normalize<'a> {
    norm: &'a Norm,
    rows: &'a mut [f32],
    stride: usize,
}

impl SimdOp for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let width = self.norm.weight.len();
        for row in self.rows.chunks_exact_mut(self.stride) {
            normalize(isa, self.norm, &mut row[..width]);
        }
    }
}

#[inline(always)]
fn normalize<I: Isa>(isa: I, norm: &Norm, row: &mut [f32]) {
    let ops = isa.f32();
    let width = row.len() as f32;
    let mean = sum_of(
        isa,
        row,
        #[inline(always)]
        |x| x,
        |x| x,
    ) / width;
    let mean_vector = ops.splat(mean);
    let squares = sum_of(
        isa,
        row,
        #[inline(always)]
        |x| {
            let centred = ops.sub(x, mean_vector);
            ops.mul(centred, centred)
        },
        |x| (x - mean) * (x - mean),
    );
    let factor = (squares / width + norm.eps).sqrt().recip();
    let factor_vector = ops.splat(factor);
    let n = ops.len();
    let whole = row.len() / n * n;
    let (weight, bias) = (&norm.weight[..row.len()], &norm.bias[..row.len()]);
    for start in (0..whole).step_by(n) {
        let x = ops.mul(ops.sub(ops.load(&row[start..]), mean_vector), factor_vector);
        let y = ops.mul_add(x, ops.load(&weight[start..]), ops.load(&bias[start..]));
        ops.store(y, &mut row[start..]);
    }
    for column in whole..row.len() {
        row[column] = (row[column] - mean) * factor * weight[column] + bias[column];
    }
}

/// The sum of a function of all numbers of a row; four sums side by side, so that one need not wait for the other.
#[inline(always)]
fn sum_of<I: Isa>(
    isa: I,
    row: &[f32],
    vector: impl Fn(I::F32) -> I::F32,
    scalar: impl Fn(f32) -> f32,
) -> f32 {
    let ops = isa.f32();
    let n = ops.len();
    let mut sums = [ops.zero(); 4];
    let fours = row.chunks_exact(4 * n);
    let ones = fours.remainder().chunks_exact(n);
    let rest: f32 = ones.remainder().iter().map(|x| scalar(*x)).sum();
    for four in fours {
        for (sum, x) in sums.iter_mut().zip(ops.load_many::<4>(four)) {
            *sum = ops.add(*sum, vector(x));
        }
    }
    for one in ones {
        sums[0] = ops.add(sums[0], vector(ops.load(one)));
    }
    let [a, b, c, d] = sums;
    ops.sum(ops.add(ops.add(a, b), ops.add(c, d))) + rest
}

/// Bytes of a row that lie together in every [`Layout`]: those of a row of a tile.
const STEP: usize = 64;

/// How rows of bytes lie in memory, each filled up to a multiple of [`STEP`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// One after the other.
    Rows,
    /// Of each 32 rows the first 64 bytes, then the next 64: what tiles read at once lies together.
    Steps,
}

impl Layout {
    /// Where a row of `stride` bytes begins, and how far apart its steps are.
    fn place(self, row: usize, stride: usize) -> [usize; 2] {
        match self {
            Self::Rows => [row * stride, STEP],
            Self::Steps => {
                let first = row / BLOCK * BLOCK * stride;
                [first + row % BLOCK * STEP, BLOCK * STEP]
            }
        }
    }
}

/// Rows as unsigned bytes, each with a range of its own: `x ≈ scale (byte - zero)`.
#[derive(Debug)]
pub(crate) struct QuantizedRows<'a> {
    /// The largest byte.
    pub(crate) largest: u8,
    pub(crate) layout: Layout,
    /// Rows of `stride` bytes.
    pub(crate) bytes: &'a mut [u8],
    pub(crate) stride: usize,
    pub(crate) scales: &'a mut [f32],
    /// Whole numbers.
    pub(crate) zeros: &'a mut [f32],
}

/// Quantizes rows of `width` numbers that are `stride` apart. The range of a row is that of its numbers and zero.
pub(crate) fn quantize(rows: &[f32], stride: usize, width: usize, into: QuantizedRows<'_>) {
    Quantize {
        rows,
        stride,
        width,
        into,
    }
    .dispatch();
}

struct Quantize<'a> {
    rows: &'a [f32],
    stride: usize,
    width: usize,
    into: QuantizedRows<'a>,
}

impl SimdOp for Quantize<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let rows = self.rows.chunks(self.stride).enumerate();
        let QuantizedRows {
            largest,
            layout,
            bytes,
            stride,
            scales,
            zeros,
        } = self.into;
        for ((index, row), (scale, zero)) in rows.zip(scales.iter_mut().zip(zeros)) {
            let [first, apart] = layout.place(index, stride);
            let out = &mut bytes[first..];
            (*scale, *zero) = quantize_row(isa, &row[..self.width], largest, out, apart);
        }
    }
}

/// Steps of the row lie `apart` in `out`.
#[inline(always)]
fn quantize_row<I: Isa>(
    isa: I,
    row: &[f32],
    largest: u8,
    out: &mut [u8],
    apart: usize,
) -> (f32, f32) {
    let (ops, ints) = (isa.f32(), isa.i32());
    let (min, max) = extremes(isa, row);
    let (scale, zero) = range(min, max, f32::from(largest));
    let factor = scale.recip();
    let vectors = RangeVectors::<I> {
        factor: ops.splat(factor),
        zero: ints.splat(zero),
        largest: ints.splat(i32::from(largest)),
    };
    let n = 4 * ops.len();
    let whole = row.len() / n * n;
    for start in (0..whole).step_by(n) {
        // One by one, since `map` of an array would not be compiled for the processor's vectors.
        let [a, b, c, d] = ops.load_many::<4>(&row[start..]);
        let low = ints.narrow_saturate(
            whole_numbers(isa, a, &vectors),
            whole_numbers(isa, b, &vectors),
        );
        let high = ints.narrow_saturate(
            whole_numbers(isa, c, &vectors),
            whole_numbers(isa, d, &vectors),
        );
        let out = &mut out[start / STEP * apart + start % STEP..];
        isa.u8().store(isa.i16().narrow_saturate(low, high), out);
    }
    for (place, x) in (whole..).zip(&row[whole..]) {
        out[place / STEP * apart + place % STEP] = ((x * factor).round_ties_even() as i32)
            .saturating_add(zero)
            .clamp(0, i32::from(largest)) as u8;
    }
    (scale, zero as f32)
}

/// The least and the largest of zero and the numbers of a row. What is not a number is passed over.
#[inline(always)]
fn extremes<I: Isa>(isa: I, row: &[f32]) -> (f32, f32) {
    let ops = isa.f32();
    let (mut low, mut high) = ([ops.zero(); 4], [ops.zero(); 4]);
    let fours = row.chunks_exact(4 * ops.len());
    let rest = fours.remainder();
    for four in fours {
        let numbers = ops.load_many::<4>(four);
        for ((low, high), x) in low.iter_mut().zip(&mut high).zip(numbers) {
            *low = ops.min(x, *low);
            *high = ops.max(x, *high);
        }
    }
    let [a, b, c, d] = low;
    let low = ops.min(ops.min(a, b), ops.min(c, d)).to_array();
    let [a, b, c, d] = high;
    let high = ops.max(ops.max(a, b), ops.max(c, d)).to_array();
    let low = low.into_iter().chain(rest.iter().copied());
    let high = high.into_iter().chain(rest.iter().copied());
    (
        chosen(low, |x, y| if y < x { y } else { x }),
        chosen(high, |x, y| if y > x { y } else { x }),
    )
}

/// One of zero and some numbers; `choose` takes the first of two that cannot be compared. Sixteen are chosen from side by side,
/// then half against half: few steps wait for another.
#[inline(always)]
fn chosen(numbers: impl Iterator<Item = f32>, choose: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; 16];
    for (index, x) in numbers.enumerate() {
        let lane = &mut lanes[index % 16];
        *lane = choose(*lane, x);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = choose(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

/// What rounds the numbers of a row, in all lanes.
struct RangeVectors<I: Isa> {
    factor: I::F32,
    zero: I::I32,
    largest: I::I32,
}

/// Numbers in the range of their row, none beyond its largest.
#[inline(always)]
fn whole_numbers<I: Isa>(isa: I, x: I::F32, range: &RangeVectors<I>) -> I::I32 {
    let (ops, ints) = (isa.f32(), isa.i32());
    let rounded = ops.to_int_round(ops.mul(x, range.factor));
    ints.min(ints.add(rounded, range.zero), range.largest)
}

/// Scale and zero of a row whose numbers lie between `min` and `max`. A row of zeros has the scale 1; rows that are not
/// finite have some range.
fn range(min: f32, max: f32, largest: f32) -> (f32, i32) {
    let (min, max) = (
        min.clamp(f32::MIN / 4.0, 0.0),
        max.clamp(0.0, f32::MAX / 4.0),
    );
    let scale = (max - min) / largest;
    if scale < f32::MIN_POSITIVE {
        return (1.0, 0);
    }
    (scale, (-min / scale).round_ties_even() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantized(row: &[f32], largest: u8) -> (Vec<u8>, f32, i32) {
        let (mut bytes, mut scale, mut zero) =
            (vec![0; row.len().next_multiple_of(64)], [0.0], [0.0]);
        let stride = bytes.len();
        let into = QuantizedRows {
            largest,
            layout: Layout::Rows,
            bytes: &mut bytes,
            stride,
            scales: &mut scale,
            zeros: &mut zero,
        };
        quantize(row, row.len(), row.len(), into);
        bytes.truncate(row.len());
        (bytes, scale[0], zero[0] as i32)
    }

    #[test]
    fn bytes_are_within_half_a_step_and_zero_stays_zero() {
        let sizes = [1, 3, 63, 64, 65, 200];
        for (n, largest) in sizes.iter().flat_map(|n| [(*n, 255), (*n, 127)]) {
            let row: Vec<f32> = (0..n)
                .map(|i| (i as f32 * 0.37).sin() * 3.0 + 1.0)
                .collect();
            let (bytes, scale, zero) = quantized(&row, largest);
            assert!((0..=i32::from(largest)).contains(&zero));
            assert!(bytes.iter().all(|byte| *byte <= largest));
            for (x, byte) in row.iter().zip(bytes) {
                let back = scale * (i32::from(byte) - zero) as f32;
                assert!(
                    (back - x).abs() <= scale * 0.5001 + 1e-6,
                    "{n}: {x} -> {back}"
                );
            }
        }
    }

    #[test]
    fn steps_hold_the_bytes_of_rows() {
        let (n_rows, width, stride) = (40, 70, 128);
        let rows: Vec<f32> = (0..n_rows * width)
            .map(|i| (i * 7919 % 2003) as f32)
            .collect();
        let [row_by_row, step_by_step] = [Layout::Rows, Layout::Steps].map(|layout| {
            let mut bytes = vec![0; 64 * stride];
            let into = QuantizedRows {
                largest: 255,
                layout,
                bytes: &mut bytes,
                stride,
                scales: &mut vec![0.0; 64],
                zeros: &mut vec![0.0; 64],
            };
            quantize(&rows, width, width, into);
            bytes
        });
        for (row, bytes) in row_by_row.chunks_exact(stride).enumerate() {
            for (column, byte) in bytes.iter().enumerate() {
                let block = row / 32 * 32 * stride;
                let place = block + column / 64 * 32 * 64 + row % 32 * 64 + column % 64;
                assert_eq!(step_by_step[place], *byte, "{row} {column}");
            }
        }
        assert!(step_by_step.iter().any(|byte| *byte > 0));
    }

    #[test]
    fn no_byte_is_beyond_the_largest_where_both_ends_are_rounded_up() {
        // Halves of 127 on both sides of zero.
        let row: Vec<f32> = (0..64)
            .map(|i| if i % 2 == 0 { 63.5 } else { -63.5 })
            .collect();
        let (bytes, ..) = quantized(&row, 127);
        assert_eq!(bytes[..2], [127, 0]);
        assert_eq!(quantized(&row[..2], 127).0, [127, 0]);
    }

    #[test]
    fn rows_without_a_range_have_one() {
        assert_eq!(quantized(&[0.0; 70], 255), (vec![0; 70], 1.0, 0));
        for row in [
            [f32::INFINITY, 1.0],
            [f32::NAN, 1.0],
            [-f32::INFINITY, f32::INFINITY],
            [f32::MAX, f32::MIN],
        ] {
            let (_, scale, zero) = quantized(&row, 255);
            assert!(scale.is_finite() && (0..=255).contains(&zero), "{row:?}");
        }
    }

    #[test]
    fn normal_rows_have_mean_zero_and_variance_one() {
        for width in [1, 5, 16, 70, 384] {
            let norm = Norm::new(vec![1.0; width], None, 0.0);
            let mut row: Vec<f32> = (0..width + 2)
                .map(|i| 1000.0 + (i * i % 17) as f32)
                .collect();
            let behind = row[width..].to_vec();
            norm.apply(&mut row, width + 2);
            assert_eq!(row[width..], behind);
            if width > 1 {
                let mean = row[..width].iter().sum::<f32>() / width as f32;
                let variance = row[..width].iter().map(|x| x * x).sum::<f32>() / width as f32;
                assert!(
                    mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3,
                    "{width}: {mean} {variance}"
                );
            }
        }
    }
}
