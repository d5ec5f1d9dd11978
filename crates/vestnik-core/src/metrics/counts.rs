//! Hits and errors, and the ratios that follow from them.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Sum;
use std::ops::AddAssign;

use serde::Serialize;

/// Counts of hits and errors, and the ratios that follow from them.
///
/// In JSON the ratios stand beside the counts: `{"tp","fp","fn","precision","recall","f1"}`.
///
/// # Example
/// ```
/// use vestnik_core::metrics::Counts;
///
/// let counts = Counts { tp: 6, fp: 2, fn_: 4 };
/// assert_eq!(counts.precision(), 0.75);
/// assert_eq!(counts.recall(), 0.6);
/// assert_eq!(counts.f1(), 12.0 / 18.0);
/// assert_eq!(Counts::default().f1(), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "Record")]
pub struct Counts {
    /// True positives: predicted, and in the gold annotation.
    pub tp: u64,
    /// False positives: predicted, not in the gold annotation.
    pub fp: u64,
    /// False negatives: in the gold annotation, not predicted. `fn` is a keyword.
    pub fn_: u64,
}

/// The JSON form of [`Counts`].
#[derive(Serialize)]
struct Record {
    tp: u64,
    fp: u64,
    r#fn: u64,
    precision: f64,
    recall: f64,
    f1: f64,
}

impl From<Counts> for Record {
    fn from(counts: Counts) -> Self {
        Self {
            tp: counts.tp,
            fp: counts.fp,
            r#fn: counts.fn_,
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
        }
    }
}

impl Counts {
    /// `tp / (tp + fp)`: the share of predictions that are right; 0 when nothing was predicted.
    #[must_use]
    pub fn precision(self) -> f64 {
        ratio(self.tp, self.predicted())
    }

    /// `tp / (tp + fn)`: the share of the gold annotation that was found; 0 when there is none.
    #[must_use]
    pub fn recall(self) -> f64 {
        ratio(self.tp, self.gold())
    }

    /// `2 tp / (2 tp + fp + fn)`: the harmonic mean of precision and recall; 0 when all counts are
    /// 0.
    #[must_use]
    pub fn f1(self) -> f64 {
        ratio(2 * self.tp, self.predicted() + self.gold())
    }

    /// `tp + fn`: size of the gold annotation, the "support" of other reports.
    #[must_use]
    pub fn gold(self) -> u64 {
        self.tp + self.fn_
    }

    /// `tp + fp`: number of predictions.
    #[must_use]
    pub fn predicted(self) -> u64 {
        self.tp + self.fp
    }

    /// Compares what is there with what was predicted.
    pub(super) fn of_sets<K: Ord>(gold: &BTreeSet<K>, predicted: &BTreeSet<K>) -> Self {
        let tp = gold.intersection(predicted).count() as u64;
        Self {
            tp,
            fp: predicted.len() as u64 - tp,
            fn_: gold.len() as u64 - tp,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tp += other.tp;
        self.fp += other.fp;
        self.fn_ += other.fn_;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

impl<'a> Sum<&'a Self> for Counts {
    fn sum<I: Iterator<Item = &'a Self>>(counts: I) -> Self {
        counts.copied().sum()
    }
}

/// Places by entity type.
pub(super) type Places<'a, K> = BTreeMap<&'a str, BTreeSet<K>>;

/// Hits and errors of every type that occurs on either side.
pub(super) fn counts_by_type<K: Ord>(
    gold: &Places<'_, K>,
    predicted: &Places<'_, K>,
) -> BTreeMap<String, Counts> {
    let none = BTreeSet::new();
    let kinds: BTreeSet<&str> = gold.keys().chain(predicted.keys()).copied().collect();
    let counts = |kind: &str| {
        let gold = gold.get(kind).unwrap_or(&none);
        let predicted = predicted.get(kind).unwrap_or(&none);
        (kind.to_owned(), Counts::of_sets(gold, predicted))
    };
    kinds.into_iter().map(counts).collect()
}

fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 {
        0.0
    } else {
        numerator as f64 / denominator as f64
    }
}

/// The mean of `(value, weight)` pairs; 0 when the weights sum to 0.
pub(super) fn mean(values: impl Iterator<Item = (f64, u64)>) -> f64 {
    let (sum, weights) = values.fold((0.0, 0), |(sum, weights), (value, weight)| {
        (sum + value * weight as f64, weights + weight)
    });
    if weights == 0 {
        0.0
    } else {
        sum / weights as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tp: u64, fp: u64, fn_: u64) -> Counts {
        Counts { tp, fp, fn_ }
    }

    #[test]
    fn zero_denominators_give_zero() {
        for counts in [counts(0, 0, 0), counts(0, 0, 3), counts(0, 3, 0)] {
            let ratios = (counts.precision(), counts.recall(), counts.f1());
            assert_eq!(ratios, (0.0, 0.0, 0.0));
        }
        assert_eq!(mean(std::iter::empty()), 0.0);
        assert_eq!(mean([(0.5, 0)].into_iter()), 0.0);
    }

    #[test]
    fn means_are_weighted() {
        assert_eq!(mean([(0.5, 1), (1.0, 1)].into_iter()), 0.75);
        assert_eq!(mean([(0.5, 3), (1.0, 1)].into_iter()), 0.625);
    }

    #[test]
    fn counts_add_up() {
        let sum: Counts = [counts(1, 2, 3), counts(10, 20, 30)].iter().sum();
        assert_eq!(sum, counts(11, 22, 33));
        assert_eq!((sum.gold(), sum.predicted()), (44, 33));
    }

    #[test]
    fn json_has_the_ratios() {
        let json = serde_json::to_string(&counts(1, 1, 0)).unwrap();
        let expected =
            r#"{"tp":1,"fp":1,"fn":0,"precision":0.5,"recall":1.0,"f1":0.6666666666666666}"#;
        assert_eq!(json, expected);
    }
}
