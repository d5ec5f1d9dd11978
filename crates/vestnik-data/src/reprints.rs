//! Reprints in a stream: texts that are nearly the same as one of the last ones, in bounded memory.

use std::collections::{HashMap, VecDeque};

use crate::near_duplicates::shingle_hashes;

/// Values of a signature, in bands: two texts are compared when all values of a band are the same.
const BANDS: usize = 16;
const ROWS: usize = 4;

/// Texts with fewer stretches of words are only compared whole.
const FEWEST_SHINGLES: usize = 3;

type Signature = [u64; BANDS * ROWS];

/// Finds, for each text of a stream, an earlier one that is nearly the same, among the last ones that were added.
///
/// By MinHash (Broder 1997) in 16 bands of 4 values (Leskovec, Rajaraman and Ullman, chapter 3): of texts that share 80 % of
/// their stretches of 5 words 99.98 % are found, of those that share half 64 %. The estimate of the share is that of equal
/// values; a pair counts from the threshold on. The same texts in the same order give the same pairs.
pub struct Reprints<T> {
    threshold: f64,
    capacity: usize,
    /// The number of the first entry.
    first: u64,
    entries: VecDeque<(Signature, T)>,
    /// By band: entries with these values, by their numbers.
    buckets: Vec<HashMap<u64, Vec<u64>>>,
}

/// What is known of a text before it is added.
#[derive(Debug, Clone)]
pub struct TextSignature(Signature);

impl TextSignature {
    /// The signature of a text; `None` for one that is too short to say anything.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let hashes = shingle_hashes(text);
        if hashes.len() < FEWEST_SHINGLES {
            return None;
        }
        let mut signature = [u64::MAX; BANDS * ROWS];
        for hash in hashes {
            for (place, least) in signature.iter_mut().enumerate() {
                // Multiplications by odd numbers are permutations; the high bits are the good ones.
                let factor = (place as u64 * 2 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                let value = (hash ^ (place as u64) << 32).wrapping_mul(factor);
                *least = (*least).min(value ^ (value >> 29));
            }
        }
        Some(Self(signature))
    }

    fn band(&self, band: usize) -> u64 {
        let values = &self.0[band * ROWS..(band + 1) * ROWS];
        values.iter().fold(0, |hash: u64, value| {
            (hash.rotate_left(17) ^ value).wrapping_mul(0xd6e8_feb8_6659_fd93)
        })
    }
}

impl<T> Reprints<T> {
    /// Keeps the last `capacity` texts.
    #[must_use]
    pub fn new(threshold: f64, capacity: usize) -> Self {
        Self {
            threshold,
            capacity,
            first: 0,
            entries: VecDeque::new(),
            buckets: vec![HashMap::new(); BANDS],
        }
    }

    /// The earlier text that is most similar, and how similar it is; the first of several.
    #[must_use]
    pub fn find(&self, text: &TextSignature) -> Option<(&T, f64)> {
        let mut best: Option<(u64, f64)> = None;
        for (band, bucket) in self.buckets.iter().enumerate() {
            for &number in bucket.get(&text.band(band)).into_iter().flatten() {
                let (signature, _) = &self.entries[(number - self.first) as usize];
                let equal = signature
                    .iter()
                    .zip(&text.0)
                    .filter(|(a, b)| a == b)
                    .count();
                let share = equal as f64 / signature.len() as f64;
                let better = best
                    .is_none_or(|(known, most)| share > most || (share == most && number < known));
                if share >= self.threshold && better {
                    best = Some((number, share));
                }
            }
        }
        let (number, share) = best?;
        Some((&self.entries[(number - self.first) as usize].1, share))
    }

    /// Adds a text; the oldest one is forgotten when there is no more room.
    pub fn add(&mut self, text: &TextSignature, value: T) {
        let number = self.first + self.entries.len() as u64;
        for (band, bucket) in self.buckets.iter_mut().enumerate() {
            bucket.entry(text.band(band)).or_default().push(number);
        }
        self.entries.push_back((text.0, value));
        if self.entries.len() > self.capacity {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((signature, _)) = self.entries.pop_front() else {
            return;
        };
        let text = TextSignature(signature);
        for (band, bucket) in self.buckets.iter_mut().enumerate() {
            let key = text.band(band);
            if let Some(numbers) = bucket.get_mut(&key) {
                numbers.retain(|&number| number != self.first);
                if numbers.is_empty() {
                    bucket.remove(&key);
                }
            }
        }
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(n_words: usize, seed: usize) -> Vec<String> {
        (0..n_words)
            .map(|i| format!("дума{}", (i * 7919 + seed * 104_729) % 5003))
            .collect()
    }

    fn signature(words: &[String]) -> TextSignature {
        TextSignature::of(&words.join(" ")).unwrap()
    }

    #[test]
    fn reprints_are_found_and_other_texts_are_not() {
        let mut reprints = Reprints::new(0.7, 100);
        for seed in 0..50 {
            let story = story(120, seed);
            assert!(reprints.find(&signature(&story)).is_none(), "{seed}");
            reprints.add(&signature(&story), seed);
        }
        for seed in 0..50 {
            let mut reprint = story(120, seed);
            reprint[60] = "друго".to_owned();
            reprint.push("агенция".to_owned());
            let (found, share) = reprints.find(&signature(&reprint)).unwrap();
            assert_eq!(*found, seed);
            assert!((0.7..1.0).contains(&share));
        }
    }

    #[test]
    fn old_texts_are_forgotten() {
        let mut reprints = Reprints::new(0.7, 3);
        (0..5).for_each(|seed| reprints.add(&signature(&story(50, seed)), seed));
        let found: Vec<bool> = (0..5)
            .map(|seed| reprints.find(&signature(&story(50, seed))).is_some())
            .collect();
        assert_eq!(found, [false, false, true, true, true]);
        let kept: usize = reprints.buckets.iter().map(HashMap::len).sum();
        assert_eq!(kept, 3 * BANDS);
    }

    #[test]
    fn short_texts_say_nothing() {
        assert!(TextSignature::of("Sofia waits").is_none());
        assert!(TextSignature::of("").is_none());
    }
}
