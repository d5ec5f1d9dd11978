//! True positives, false positives, false negatives, and what follows from them.

use std::ops::AddAssign;

use serde::Serialize;

/// Counts of hits and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "Record")]
pub struct Counts {
    /// True positives: predicted and in the gold annotation.
    pub tp: u64,
    /// False positives: predicted, not in the gold annotation.
    pub fp: u64,
    /// False negatives: in the gold annotation, not predicted.
    pub fn_: u64,
}

/// What is written of [`Counts`].
#[derive(Serialize)]
struct Record {
    tp: u64,
    fp: u64,
    #[serde(rename = "fn")]
    fn_: u64,
    precision: f64,
    recall: f64,
    f1: f64,
}

impl From<Counts> for Record {
    fn from(counts: Counts) -> Self {
        Self {
            tp: counts.tp,
            fp: counts.fp,
            fn_: counts.fn_,
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
        }
    }
}

impl Counts {
    /// `tp / (tp + fp)`; 0 when nothing was predicted.
    #[must_use]
    pub fn precision(self) -> f64 {
        ratio(self.tp, self.predicted())
    }

    /// `tp / (tp + fn)`; 0 when there is nothing to find.
    #[must_use]
    pub fn recall(self) -> f64 {
        ratio(self.tp, self.gold())
    }

    /// `2 tp / (2 tp + fp + fn)`, the harmonic mean of precision and recall; 0 when there is nothing.
    #[must_use]
    pub fn f1(self) -> f64 {
        ratio(2 * self.tp, self.predicted() + self.gold())
    }

    /// `tp + fn`: how many there are in the gold annotation (seqeval's "support").
    #[must_use]
    pub fn gold(self) -> u64 {
        self.tp + self.fn_
    }

    /// `tp + fp`: how many were predicted.
    #[must_use]
    pub fn predicted(self) -> u64 {
        self.tp + self.fp
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.tp += other.tp;
        self.fp += other.fp;
        self.fn_ += other.fn_;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

/// 0 when the denominator is 0, as in conlleval and in seqeval with `zero_division=0`.
fn ratio(numerator: u64, denominator: u64) -> f64 {
    if denominator == 0 {
        0.0
    } else {
        numerator as f64 / denominator as f64
    }
}

/// The mean of some numbers; 0 when there are none.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0_u32);
    for value in values {
        sum += value;
        n += 1;
    }
    if n == 0 { 0.0 } else { sum / f64::from(n) }
}
