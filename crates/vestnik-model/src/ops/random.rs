//! Counter-based random numbers for dropout: a value is a function of a key and an index, not of a history,
//! so that forward and backward passes, any device and any number of threads see the same mask.

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014).
pub(crate) fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seeded sequence of random numbers, for the first values of fresh tensors.
#[derive(Clone, Debug)]
pub(crate) struct SeededRandom {
    key: u64,
    index: u64,
}

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            key: mix(seed),
            index: 0,
        }
    }

    /// Uniform in `(0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.index += 1;
        ((mix(self.key ^ mix(self.index)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation 1 (Box & Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A dropout mask: which elements stay, and the factor that keeps their expectation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropoutMask {
    key: u64,
    /// An element is dropped when its 16 random bits are below this.
    threshold: u16,
    scale: f32,
}

impl DropoutMask {
    /// Drops with `probability`, taken to the nearest 1/65536, in `0..1`.
    pub(crate) fn new(key: u64, probability: f64) -> Self {
        let threshold = (probability.clamp(0.0, 0.999) * 65536.0).round() as u16;
        let scale = 65536.0 / (65536.0 - f32::from(threshold));
        Self {
            key,
            threshold,
            scale,
        }
    }

    /// Key, threshold and scale.
    #[cfg(feature = "cuda")]
    pub(crate) fn parts(self) -> (u64, u32, f32) {
        (self.key, self.threshold.into(), self.scale)
    }

    /// The factors (0 or the scale) of the four elements from index `4 * group`.
    #[inline]
    fn factors(&self, group: u64) -> [f32; 4] {
        let bits = mix(self.key ^ group.wrapping_mul(0xd134_2543_de82_ef95));
        [0, 16, 32, 48].map(|shift| {
            if ((bits >> shift) as u16) < self.threshold {
                0.0
            } else {
                self.scale
            }
        })
    }

    /// Multiplies `values` by the mask's elements from index `4 * first_group` on.
    pub(crate) fn apply(&self, values: &mut [f32], first_group: u64) {
        for (group, values) in values.chunks_mut(4).enumerate() {
            let factors = self.factors(first_group.wrapping_add(group as u64));
            for (value, factor) in values.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_drops_the_asked_share_and_keeps_the_mean() {
        let mut values = vec![1.0; 100_000];
        DropoutMask::new(42, 0.1).apply(&mut values, 0);
        let dropped = values.iter().filter(|x| **x == 0.0).count();
        assert!((9_500..10_500).contains(&dropped), "{dropped}");
        let mean = values.iter().sum::<f32>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_part_of_the_mask_equals_the_same_part_of_the_whole() {
        let mask = DropoutMask::new(1, 0.5);
        let mut whole = vec![1.0; 64];
        mask.apply(&mut whole, 0);
        let mut part = vec![1.0; 32];
        mask.apply(&mut part, 8);
        assert_eq!(whole[32..], part);
    }
}
