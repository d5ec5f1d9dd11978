//! Whether scores are probabilities: of the entities with a score of 0.8, are 80 % right?

use serde::Serialize;

use super::scored::Scored;

const BINS: usize = 10;

/// The reliability of predicted entities in ten bins of equal width.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Reliability {
    /// Expected calibration error: mean distance of score and accuracy over the bins, weighted by their predictions
    /// (Naeini, Cooper & Hauskrecht 2015).
    pub(crate) ece: f64,
    pub(crate) bins: Vec<Bin>,
}

/// Predictions with scores from `from` up to `to`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Bin {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) n: usize,
    pub(crate) mean_score: f64,
    /// Share of the predictions whose span and label are right.
    pub(crate) accuracy: f64,
}

/// The reliability of all predictions with a score; `None` when none has one.
pub(crate) fn reliability(documents: &[Scored]) -> Option<Reliability> {
    let mut tally = Tally::default();
    documents.iter().for_each(|scored| tally.add(scored));
    tally.reliability()
}

/// Predictions by bin: their number, the sum of their scores, and how many are right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally([(usize, f64, usize); BINS]);

impl Tally {
    /// Adds the predictions of a document that have a score.
    pub(crate) fn add(&mut self, scored: &Scored) {
        for (entity, is_right) in scored.judged_predictions() {
            if let Some(score) = entity.score.filter(|score| score.is_finite()) {
                self.push(score.into(), is_right);
            }
        }
    }

    fn push(&mut self, score: f64, is_right: bool) {
        let bin = ((score * BINS as f64) as usize).min(BINS - 1);
        let (n, sum, right) = &mut self.0[bin];
        *n += 1;
        *sum += score;
        *right += usize::from(is_right);
    }

    /// The bins; `None` when they are empty.
    pub(crate) fn reliability(&self) -> Option<Reliability> {
        let total: usize = self.0.iter().map(|bin| bin.0).sum();
        if total == 0 {
            return None;
        }
        let bins: Vec<Bin> = self.0.iter().enumerate().map(bin).collect();
        let gap = |bin: &Bin| bin.n as f64 / total as f64 * (bin.mean_score - bin.accuracy).abs();
        Some(Reliability {
            ece: bins.iter().map(gap).sum(),
            bins,
        })
    }
}

fn bin((number, &(n, score, hits)): (usize, &(usize, f64, usize))) -> Bin {
    let least = n.max(1) as f64;
    Bin {
        from: number as f64 / BINS as f64,
        to: (number + 1) as f64 / BINS as f64,
        n,
        mean_score: score / least,
        accuracy: hits as f64 / least,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_weighted_distance() {
        let outcomes = [(0.95, true), (0.85, true), (0.85, false), (1.0, false)];
        let mut tally = Tally::default();
        assert!(tally.reliability().is_none());
        for (score, is_right) in outcomes {
            tally.push(score, is_right);
        }
        let found = tally.reliability().unwrap();
        assert_eq!((found.bins[8].n, found.bins[9].n), (2, 2));
        assert!((found.bins[9].mean_score - 0.975).abs() < 1e-12);
        let expected = 0.5 * (0.85 - 0.5) + 0.5 * (0.975 - 0.5);
        assert!((found.ece - expected).abs() < 1e-12, "{}", found.ece);
    }
}
