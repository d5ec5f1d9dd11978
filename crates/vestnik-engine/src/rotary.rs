//! Rotary position embeddings (Su et al. 2021) in the form that rotates halves, as in transformers'
//! `models/modernbert/modeling_modernbert.py`.

/// Cosines and sines of every position and pair.
#[derive(Debug)]
pub(crate) struct Rotary {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    pairs: usize,
}

impl Rotary {
    /// For positions below `length`; pair `i` of a head of `width` turns by `theta ^ (-2 i / width)` a position. Rounded
    /// as the reference rounds.
    pub(crate) fn new(theta: f64, width: usize, length: usize) -> Self {
        let base = f64::from(theta as f32);
        let frequencies: Vec<f32> = (0..width / 2)
            .map(|pair| f64::from(2.0 * pair as f32 / width as f32))
            .map(|exponent| 1.0 / base.powf(exponent) as f32)
            .collect();
        let angles =
            (0..length).flat_map(|position| frequencies.iter().map(move |x| position as f32 * x));
        let (sines, cosines) = angles.map(f32::sin_cos).unzip();
        Self {
            cosines,
            sines,
            pairs: width / 2,
        }
    }

    /// Turns all heads in `row`, of a token at `position`.
    pub(crate) fn apply(&self, row: &mut [f32], position: usize) {
        let angles = position * self.pairs..(position + 1) * self.pairs;
        let (cosines, sines) = (&self.cosines[angles.clone()], &self.sines[angles]);
        for head in row.chunks_exact_mut(2 * self.pairs) {
            let (first, second) = head.split_at_mut(self.pairs);
            for (((x, y), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
            }
        }
    }
}
