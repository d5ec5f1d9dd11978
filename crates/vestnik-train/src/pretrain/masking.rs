//! Hiding tokens that the model then foretells (Devlin et al. 2019; whole words as in their later release).

use vestnik_text::{IGNORE, SpecialTokens};

use crate::config::MaskingConfig;
use crate::random::Random;

/// Hides tokens of a piece.
#[derive(Debug, Clone)]
pub(super) struct Masker {
    config: MaskingConfig,
    mask: u32,
    /// Ids that may stand in as random tokens: all but the special ones.
    ordinary: Vec<u32>,
}

impl Masker {
    pub(super) fn new(
        config: MaskingConfig,
        special: &SpecialTokens,
        mask: u32,
        vocab_size: usize,
    ) -> Self {
        let taken = [
            Some(special.cls),
            Some(special.sep),
            Some(special.pad),
            Some(mask),
            special.unk,
        ];
        Self {
            config,
            mask,
            ordinary: (0..vocab_size as u32)
                .filter(|&id| !taken.contains(&Some(id)))
                .collect(),
        }
    }

    /// Hides tokens in place; the labels are the ids that were there, [`IGNORE`] where nothing is asked.
    /// At least one token is asked of a piece that is not empty.
    pub(super) fn hide(
        &self,
        ids: &mut [u32],
        word_starts: &[bool],
        random: &mut Random,
    ) -> Vec<i64> {
        let mut labels = vec![IGNORE; ids.len()];
        for token in self.choose(word_starts, random) {
            labels[token] = i64::from(ids[token]);
            ids[token] = self.replacement(ids[token], random);
        }
        labels
    }

    /// The tokens to ask, in the order drawn: whole words until the rate is reached; a word that would go beyond is passed over.
    fn choose(&self, word_starts: &[bool], random: &mut Random) -> Vec<usize> {
        let wanted = (self.config.rate * word_starts.len() as f64)
            .round()
            .max(1.0) as usize;
        let mut units = self.units(word_starts);
        random.shuffle(&mut units);
        let mut chosen = Vec::with_capacity(wanted);
        for unit in &units {
            if chosen.len() + unit.len() <= wanted {
                chosen.extend(unit.clone());
            }
        }
        if chosen.is_empty() {
            chosen.extend(
                units
                    .into_iter()
                    .min_by_key(ExactSizeIterator::len)
                    .into_iter()
                    .flatten(),
            );
        }
        chosen
    }

    fn units(&self, word_starts: &[bool]) -> Vec<std::ops::Range<usize>> {
        let begins = |&token: &usize| token == 0 || !self.config.whole_words || word_starts[token];
        let mut borders: Vec<usize> = (0..word_starts.len()).filter(begins).collect();
        borders.push(word_starts.len());
        borders.windows(2).map(|unit| unit[0]..unit[1]).collect()
    }

    fn replacement(&self, id: u32, random: &mut Random) -> u32 {
        let draw = random.unit();
        if draw < self.config.mask {
            self.mask
        } else if draw < self.config.mask + self.config.random && !self.ordinary.is_empty() {
            self.ordinary[random.below(self.ordinary.len())]
        } else {
            id
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: SpecialTokens = SpecialTokens {
        cls: 2,
        sep: 3,
        pad: 0,
        mask: Some(4),
        unk: Some(1),
    };

    fn masker(whole_words: bool) -> Masker {
        let config = MaskingConfig {
            whole_words,
            ..MaskingConfig::default()
        };
        Masker::new(config, &SPECIAL, 4, 1000)
    }

    fn asked(labels: &[i64]) -> usize {
        labels.iter().filter(|&&label| label != IGNORE).count()
    }

    #[test]
    fn a_fifth_is_asked_and_the_rest_untouched() {
        let original: Vec<u32> = (100..200).collect();
        let mut ids = original.clone();
        let labels = masker(false).hide(&mut ids, &[true; 100], &mut Random::derive(1, &[]));
        assert_eq!(asked(&labels), 20);
        for (token, &label) in labels.iter().enumerate() {
            if label == IGNORE {
                assert_eq!(ids[token], original[token]);
            } else {
                assert_eq!(label, i64::from(original[token]));
            }
        }
    }

    #[test]
    fn replacements_keep_their_shares() {
        let (masker, mut random) = (masker(false), Random::derive(5, &[]));
        let drawn: Vec<u32> = (0..10_000)
            .map(|_| masker.replacement(500, &mut random))
            .collect();
        let share = |keep: fn(u32) -> bool| drawn.iter().filter(|&&id| keep(id)).count();
        assert!((7800..8200).contains(&share(|id| id == 4)));
        assert!((900..1100).contains(&share(|id| id == 500)));
        assert_eq!(share(|id| id < 4), 0);
    }

    #[test]
    fn words_are_hidden_whole() {
        let word_starts: Vec<bool> = (0..90).map(|token| token % 3 == 0).collect();
        let mut ids: Vec<u32> = (100..190).collect();
        let labels = masker(true).hide(&mut ids, &word_starts, &mut Random::derive(2, &[]));
        assert_eq!(asked(&labels), 18);
        for word in labels.chunks(3) {
            assert!(matches!(asked(word), 0 | 3), "{word:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn rate_is_kept_for_any_words(
            word_starts in proptest::collection::vec(proptest::bool::weighted(0.5), 1..200),
            seed: u64,
        ) {
            let mut ids = vec![100; word_starts.len()];
            let labels = masker(true).hide(&mut ids, &word_starts, &mut Random::derive(seed, &[]));
            let wanted = (0.2 * ids.len() as f64).round() as usize;
            let shortest = masker(true).units(&word_starts).iter().map(ExactSizeIterator::len).min().unwrap();
            proptest::prop_assert!((1..=wanted.max(shortest)).contains(&asked(&labels)));
            let untouched = labels.iter().zip(&ids).filter(|&(&label, _)| label == IGNORE);
            proptest::prop_assert!(untouched.into_iter().all(|(_, &id)| id == 100));
        }
    }

    #[test]
    fn at_least_one_word_is_asked() {
        let masker = masker(true);
        let mut random = Random::derive(2, &[]);
        assert_eq!(
            asked(&masker.hide(&mut [9, 9, 9, 9], &[true, false, false, false], &mut random)),
            4
        );
        assert_eq!(asked(&masker.hide(&mut [9], &[true], &mut random)), 1);
        assert!(masker.hide(&mut [], &[], &mut random).is_empty());
    }
}
