//! How far scores could be off by chance: bootstrap over documents.

use serde::Serialize;

/// How documents are drawn anew.
///
/// Each resample draws as many documents as there are, with replacement (Efron 1979): documents, not entities, since the
/// entities of a document are not independent. The draws depend on the seed alone.
///
/// # Example
/// ```
/// use vestnik_core::metrics::{Bootstrap, Counts, GroupedCounts};
///
/// let mut counts = GroupedCounts::new();
/// for tp in [9, 7, 8, 3] {
///     counts.add_document([("all", Counts { tp, fp: 1, fn_: 2 })]);
/// }
/// let interval = counts.intervals(&Bootstrap::default())["all"].unwrap();
/// let f1 = counts.totals()["all"].f1();
/// assert!(interval.low < f1 && f1 < interval.high);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bootstrap {
    /// Number of resamples. Default 1000.
    pub resamples: usize,
    /// Seed of the draws. Default 42.
    pub seed: u64,
    /// Share of the resamples that an interval covers. Default 0.95.
    pub confidence: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 1000,
            seed: 42,
            confidence: 0.95,
        }
    }
}

/// A percentile interval. In JSON it is `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(into = "[f64; 2]")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

/// How much better B is than A over the same documents.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedDifference {
    /// F1 of B less F1 of A.
    pub difference: f64,
    /// Percentile interval of the difference; `None` when fewer than two documents have anything to count.
    pub interval: Option<Interval>,
    /// How often a difference of this size would come about by the choice of documents alone, two-sided; `None` where
    /// `interval` is. See [`GroupedCounts::paired`](crate::metrics::GroupedCounts::paired).
    pub p_value: Option<f64>,
}

impl Bootstrap {
    /// Calls `each` with the documents of every resample, as indices below `n_documents`.
    pub(super) fn for_each_resample(&self, n_documents: usize, mut each: impl FnMut(&[usize])) {
        let mut draws = Draws { state: self.seed };
        let mut documents = vec![0; n_documents];
        for _ in 0..self.resamples {
            documents
                .iter_mut()
                .for_each(|document| *document = draws.below(n_documents));
            each(&documents);
        }
    }

    /// The middle part of the values, whatever their order; `None` without values.
    pub(super) fn interval(&self, mut values: Vec<f64>) -> Option<Interval> {
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        Some(Interval {
            low: quantile(&values, tail)?,
            high: quantile(&values, 1.0 - tail)?,
        })
    }
}

/// A quantile of sorted values, interpolated between neighbours (type 7 of Hyndman & Fan 1996, as NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * share;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    Some(below + (above - below) * place.fract())
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Draws {
    state: u64,
}

impl Draws {
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let bits = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number in `0..n`; the bias of the multiply-shift method is below 2⁻³² for n < 2³².
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0, 0.025, 0.5, 0.975, 1])
        let values = [1.0, 2.0, 4.0, 8.0];
        let quantiles = [0.0, 0.025, 0.5, 0.975, 1.0].map(|share| quantile(&values, share));
        let expected = [1.0, 1.075, 3.0, 7.7, 8.0];
        for (found, expected) in quantiles.into_iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn generator_gives_the_published_numbers() {
        // The first outputs of the authors' splitmix64.c for the seed 1234567.
        let mut draws = Draws { state: 1_234_567 };
        let first = [draws.bits(), draws.bits()];
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn every_document_is_drawn_alike() {
        let mut drawn = [0_u32; 5];
        Bootstrap::default().for_each_resample(5, |documents| {
            assert_eq!(documents.len(), 5);
            documents.iter().for_each(|&document| drawn[document] += 1);
        });
        assert!(drawn.iter().all(|n| (900..1100).contains(n)), "{drawn:?}");
    }
}
