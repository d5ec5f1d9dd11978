//! Matrix products of factors rounded to bf16, with sums in `f32`.

#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
mod packing;
#[cfg(target_arch = "x86_64")]
mod product;
#[cfg(target_arch = "x86_64")]
mod tiles;
#[cfg(target_arch = "x86_64")]
mod vectors;

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

use candle_core::Result;
use half::bf16;
#[cfg(target_arch = "x86_64")]
use vestnik_x86::{Amx, Avx512, Bf16};

use crate::ops::cpu::{self, Matrix};

/// `a b (+ bias on every row)` as a new row-major matrix, the elements of `a` and `b` rounded to bf16.
///
/// By AMX tiles where there are any, or the bf16 instructions of AVX-512, about twice as fast as the `f32` product; elsewhere an
/// `f32` product of rounded factors. They differ by the order of summation. A row of the result does not depend on how many
/// other rows there are.
pub(crate) fn matmul(a: Matrix<'_>, b: Matrix<'_>, bias: Option<&[f32]>) -> Result<Vec<f32>> {
    #[cfg(target_arch = "x86_64")]
    if let Some((bf16, tiles)) = processor()
        && a.n_cols() > 0
    {
        return Ok(match tiles {
            Some(tiles) => product::matmul(bf16, tiles, a, b, bias),
            None => product::matmul(bf16, bf16, a, b, bias),
        });
    }
    rounded_matmul(a, b, bias)
}

/// What the processor multiplies bf16 numbers with, asked once.
#[cfg(target_arch = "x86_64")]
fn processor() -> Option<(Bf16, Option<Amx>)> {
    static FOUND: OnceLock<Option<(Bf16, Option<Amx>)>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let avx512 = Avx512::detect()?;
        Some((avx512.bf16()?, avx512.tiles()))
    })
}

/// [`matmul`] with the instructions that every machine has.
fn rounded_matmul(a: Matrix<'_>, b: Matrix<'_>, bias: Option<&[f32]>) -> Result<Vec<f32>> {
    let (rows, depth, cols) = (a.n_rows(), a.n_cols(), b.n_cols());
    let (a, b) = (rounded(a), rounded(b));
    let mut out = vec![0.0; rows * cols];
    let (a, b) = (Matrix::new(&a, rows, depth), Matrix::new(&b, depth, cols));
    cpu::matmul_into(&mut out, a, b, 1.0, bias)?;
    Ok(out)
}

/// A row-major copy of rounded elements.
fn rounded(matrix: Matrix<'_>) -> Vec<f32> {
    matrix
        .elements()
        .map(|x| bf16::from_f32(x).to_f32())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers around zero that are no bf16 numbers.
    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let number = |i: usize| {
            let bits = crate::ops::mix(seed ^ i as u64) >> 40;
            bits as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(number).collect()
    }

    fn largest_difference(x: &[f32], y: &[f32]) -> f32 {
        let differences = x.iter().zip(y).map(|(x, y)| (x - y).abs());
        differences.fold(0.0, f32::max)
    }

    /// Views of `data` as `[rows, cols]`: row-major, or the transpose of a row-major matrix.
    fn view(data: &[f32], rows: usize, cols: usize, transposed: bool) -> Matrix<'_> {
        if transposed {
            Matrix::new(data, cols, rows).transposed()
        } else {
            Matrix::new(data, rows, cols)
        }
    }

    /// The product that callers get, and those of all kernels that this machine has.
    fn products(a: Matrix<'_>, b: Matrix<'_>, bias: Option<&[f32]>) -> Vec<Vec<f32>> {
        let mut products = vec![matmul(a, b, bias).unwrap()];
        #[cfg(target_arch = "x86_64")]
        if let Some((bf16, tiles)) = processor() {
            products.push(product::matmul(bf16, bf16, a, b, bias));
            products.extend(tiles.map(|tiles| product::matmul(bf16, tiles, a, b, bias)));
        }
        products
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn is_the_product_of_rounded_factors(
            (rows, depth, cols) in (1..70usize, 1..900usize, 1..120usize),
            transposed in any::<[bool; 2]>(),
            has_bias in any::<bool>(),
        ) {
            let (a, b, bias) = (numbers(rows * depth, 1), numbers(depth * cols, 2), numbers(cols, 3));
            let (a, b) = (view(&a, rows, depth, transposed[0]), view(&b, depth, cols, transposed[1]));
            let bias = has_bias.then_some(&bias[..]);
            let expected = rounded_matmul(a, b, bias).unwrap();
            for product in products(a, b, bias) {
                prop_assert_eq!(product.len(), rows * cols);
                prop_assert!(largest_difference(&product, &expected) < 1e-4);
            }
        }

        #[test]
        fn a_row_does_not_depend_on_the_others(rows in 2..40usize, depth in 1..900usize) {
            let (a, b) = (numbers(rows * depth, 1), numbers(depth * 50, 2));
            let b = Matrix::new(&b, depth, 50);
            let together = products(Matrix::new(&a, rows, depth), b, None);
            for row in 0..rows {
                let alone = products(Matrix::new(&a[row * depth..][..depth], 1, depth), b, None);
                for (alone, together) in alone.iter().zip(&together) {
                    prop_assert_eq!(&alone[..], &together[row * 50..][..50]);
                }
            }
        }
    }

    #[test]
    fn keeps_rows_that_lie_apart() {
        let (data, b) = (numbers(7 * 90, 4), numbers(40 * 33, 5));
        let apart = Matrix::strided(&data, 7, 40, 90);
        let copied: Vec<f32> = data
            .chunks(90)
            .flat_map(|row| &row[..40])
            .copied()
            .collect();
        let b = Matrix::new(&b, 40, 33);
        let product = matmul(apart, b, None).unwrap();
        assert_eq!(
            product,
            matmul(Matrix::new(&copied, 7, 40), b, None).unwrap()
        );
    }

    #[test]
    fn without_depth_only_the_bias_is_left() {
        let (a, b) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3));
        let product = matmul(a, b, Some(&[1.0, 2.0, 3.0])).unwrap();
        assert_eq!(product, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn passes_on_what_is_no_number() {
        let product = |x: f32| {
            matmul(
                Matrix::new(&[x, 1.0], 1, 2),
                Matrix::new(&[1.0, 0.0], 2, 1),
                None,
            )
            .unwrap()[0]
        };
        assert!(product(f32::NAN).is_nan());
        assert_eq!(product(f32::INFINITY), f32::INFINITY);
    }
}
