//! The one source of chance in a run: SplitMix64 streams derived from the seed of the run.

/// A small deterministic generator (SplitMix64, Steele, Lea & Flood 2014).
///
/// A stream is derived from the seed and the place where it is used, never continued from another stream.
/// So the draws of a batch do not depend on what was drawn before it, and a resumed run draws the same.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of `place` (for example an epoch and a batch index) under `seed`.
    pub(crate) fn derive(seed: u64, place: &[u64]) -> Self {
        Self {
            state: derive_seed(seed, place),
        }
    }

    /// The next 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `0..n`; 0 when `n` is 0. The bias of the multiply-shift method is below 2⁻³² for n < 2³².
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Puts the items in random order (Fisher-Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A seed for one place of a run, for generators that are not ours.
pub(crate) fn derive_seed(seed: u64, place: &[u64]) -> u64 {
    place.iter().fold(mix(seed), |state, &part| {
        mix(state ^ part.wrapping_add(0x9E37_79B9_7F4A_7C15))
    })
}

fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_seed_and_place() {
        let first = |seed, place: &[u64]| Random::derive(seed, place).bits();
        assert_eq!(first(1, &[2, 3]), first(1, &[2, 3]));
        assert_ne!(first(1, &[2, 3]), first(1, &[3, 2]));
        assert_ne!(first(1, &[2, 3]), first(2, &[2, 3]));
        assert_ne!(first(1, &[0]), first(1, &[0, 0]));
    }

    #[test]
    fn numbers_stay_in_range_and_spread() {
        let mut random = Random::derive(7, &[]);
        let mut counts = [0usize; 10];
        for _ in 0..10_000 {
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
            counts[random.below(10)] += 1;
        }
        assert!(
            counts.iter().all(|&count| (850..1150).contains(&count)),
            "{counts:?}"
        );
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..100).collect();
        Random::derive(3, &[]).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
