//! Weights as signed bytes with a scale for every output.

/// `weight ≈ scale of the output * byte`, `[outputs, inputs]`.
#[derive(Debug)]
pub(crate) struct QuantizedWeights {
    pub(crate) bytes: Vec<i8>,
    pub(crate) scales: Vec<f32>,
    /// The sum of each output's bytes, by which the zeros of rows are taken off.
    pub(crate) sums: Vec<f32>,
}

impl QuantizedWeights {
    /// Rounds to the nearest of `2 largest + 1` values per output.
    pub(crate) fn new(weight: &[f32], inputs: usize, largest: i8) -> Self {
        let mut quantized = Self {
            bytes: Vec::with_capacity(weight.len()),
            scales: vec![],
            sums: vec![],
        };
        for row in weight.chunks_exact(inputs) {
            quantized.push(row, f32::from(largest));
        }
        quantized
    }

    fn push(&mut self, row: &[f32], largest: f32) {
        let max = row.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        let scale = if max > f32::MIN_POSITIVE * largest {
            max / largest
        } else {
            1.0
        };
        let factor = scale.recip();
        let start = self.bytes.len();
        self.bytes.extend(row.iter().map(|x| nearest(x * factor)));
        self.scales.push(scale);
        let bytes = self.bytes[start..].iter();
        let sum: i32 = bytes.map(|byte| i32::from(*byte)).sum();
        self.sums.push(sum as f32);
    }
}

/// Where `f32` holds whole numbers alone: a small number that is added comes out as the nearest whole one, ties to even.
const WHOLE: f32 = 12_582_912.0; // 1.5 * 2^23

/// The nearest whole number of one between -127 and 127, ties to even. Without a vector instruction for it the standard
/// function is a call for each number, which took a third of the time to open a model.
fn nearest(x: f32) -> i8 {
    ((x + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits())) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_as_the_standard_function_rounds() {
        let halves = (-254..=254).map(|n| n as f32 / 2.0);
        let others = (0..100_000).map(|n| (n as f32 / 50_000.0 - 1.0) * 127.0);
        for x in halves.chain(others) {
            assert_eq!(nearest(x), x.round_ties_even() as i8, "{x}");
        }
    }

    #[test]
    fn every_output_has_a_scale_of_its_own() {
        let quantized = QuantizedWeights::new(&[1.5, -2.0, 0.0, 0.0, 100.0, 25.0], 2, 127);
        assert_eq!(quantized.bytes, [95, -127, 0, 0, 127, 32]);
        assert_eq!(quantized.scales, [2.0 / 127.0, 1.0, 100.0 / 127.0]);
        assert_eq!(quantized.sums, [-32.0, 0.0, 159.0]);
    }

    #[test]
    fn fewer_bits_where_sums_would_overflow() {
        let quantized = QuantizedWeights::new(&[0.5, -2.0], 2, 63);
        assert_eq!(quantized.bytes, [16, -63]);
    }
}
