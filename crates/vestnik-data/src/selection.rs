//! Which records of a dump are read: one of several shards, or a sample.

use std::fmt;
use std::str::FromStr;

/// A choice of records by their hash alone: the same on every machine, wherever in the dump a record stands.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Selection {
    /// One of several shards. Default: all records.
    pub shard: Option<Shard>,
    /// The share of the records to take, 0 to 1. Default: all.
    pub sample: Option<f64>,
}

impl Selection {
    /// Whether a record of this hash is taken.
    pub(crate) fn takes(&self, hash: u64) -> bool {
        self.shard.is_none_or(|shard| shard.has(hash))
            && self.sample.is_none_or(|share| part(hash) < share)
    }
}

/// A number from 0 to 1, exclusive, that has nothing to do with the shard of the hash.
fn part(hash: u64) -> f64 {
    let mixed = (hash ^ (hash >> 31)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// One of several shards, written `I/N`: the first of four is `1/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    index: u64,
    /// How many there are.
    of: u64,
}

impl Shard {
    /// How many shards there are.
    #[must_use]
    pub fn of(self) -> u64 {
        self.of
    }

    /// Which one this is, from 1.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// Whether a record of this hash lies in the shard.
    #[must_use]
    pub fn has(self, hash: u64) -> bool {
        hash % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = || {
            let (index, of) = text.split_once('/')?;
            let shard = Self {
                index: index.parse().ok()?,
                of: of.parse().ok()?,
            };
            (1..=shard.of).contains(&shard.index).then_some(shard)
        };
        shard().ok_or_else(|| "I/N with I from 1 to N, such as 1/4 to 4/4".to_owned())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash_bytes;

    fn hashes() -> impl Iterator<Item = u64> {
        (0..10_000_u32).map(|n| hash_bytes(&n.to_le_bytes()))
    }

    fn taken(shard: Option<&str>, sample: Option<f64>) -> usize {
        let shard = shard.map(|shard| shard.parse().unwrap());
        let selection = Selection { shard, sample };
        hashes().filter(|&hash| selection.takes(hash)).count()
    }

    #[test]
    fn shards_are_names_of_parts() {
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_record_is_in_one_shard() {
        let sizes = ["1/3", "2/3", "3/3"].map(|shard| taken(Some(shard), None));
        assert_eq!(sizes.iter().sum::<usize>(), 10_000);
        assert!(
            sizes.iter().all(|size| (3100..3600).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn samples_are_shares_of_every_shard() {
        assert_eq!(
            (taken(None, Some(0.0)), taken(None, Some(1.0))),
            (0, 10_000)
        );
        assert!((900..1100).contains(&taken(None, Some(0.1))));
        assert!((400..600).contains(&taken(Some("1/2"), Some(0.1))));
    }
}
