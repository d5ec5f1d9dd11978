//! The least score of the entities of a label that serves its F1 best.

/// The least score that gives the highest F1, from the scores of all predictions with whether each is right, and the
/// number of gold entities; `None` when no entity is better dropped than kept.
///
/// Of several with the same F1 it is the lowest, so that the fewest entities are dropped. It lies about halfway between the
/// lowest score that is kept and the highest that is dropped, with as few digits as tell them apart.
#[must_use]
pub fn best_min_score(predictions: &[(f32, bool)], n_gold: usize) -> Option<f64> {
    let mut ranked: Vec<(f32, bool)> = predictions.to_vec();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0;
    // F1 when this entity is the last one that is kept, and its place.
    let kept = ranked.iter().enumerate().map(|(place, &(_, is_right))| {
        right += usize::from(is_right);
        let f1 = 2.0 * right as f64 / (place + 1 + n_gold) as f64;
        (f1, place)
    });
    // Entities of one score stay or go together.
    let ends_a_score = |&(_, place): &(f64, usize)| {
        ranked
            .get(place + 1)
            .is_none_or(|next| next.0 < ranked[place].0)
    };
    let best = kept.filter(ends_a_score).max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, last) = best?;
    let dropped = ranked.get(last + 1)?.0;
    Some(between(dropped.into(), ranked[last].0.into()))
}

/// A number above `low` and at most `high` near their middle with few decimal places.
fn between(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    let rounded = (1..=9).map(|places| {
        let unit = 10_f64.powi(places);
        (middle * unit).round() / unit
    });
    let mut inside = rounded.filter(|&number| low < number && number <= high);
    inside.next().unwrap_or(middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn f1(predictions: &[(f32, bool)], n_gold: usize, least: f64) -> f64 {
        let kept = predictions
            .iter()
            .filter(|(score, _)| f64::from(*score) >= least);
        let (n, right) = kept.fold((0, 0), |(n, right), (_, is_right)| {
            (n + 1, right + usize::from(*is_right))
        });
        match n + n_gold {
            0 => 0.0,
            all => 2.0 * right as f64 / all as f64,
        }
    }

    #[test]
    fn sure_mistakes_are_cut_off() {
        let predictions = [(0.9, true), (0.8, true), (0.31, false), (0.2, false)];
        assert_eq!(best_min_score(&predictions, 2), Some(0.6));
        // With much to be found, a doubtful hit is worth its price.
        let predictions = [(0.9, true), (0.3, true), (0.25, false)];
        assert_eq!(best_min_score(&predictions, 2), Some(0.3));
    }

    #[test]
    fn nothing_is_dropped_without_gain() {
        assert_eq!(best_min_score(&[(0.9, true), (0.2, true)], 5), None);
        assert_eq!(best_min_score(&[], 5), None);
        // Nothing is right whatever is dropped.
        assert_eq!(best_min_score(&[(0.9, false), (0.2, false)], 5), None);
    }

    #[test]
    fn entities_of_one_score_stay_together() {
        let predictions = [(0.5, true), (0.5, false), (0.5, false)];
        assert_eq!(best_min_score(&predictions, 1), None);
    }

    proptest! {
        #[test]
        fn no_least_score_is_better(
            predictions in prop::collection::vec(((0_u8..40).prop_map(|n| f32::from(n) / 40.0), any::<bool>()), 0..30),
            missed in 0_usize..5,
        ) {
            let n_gold = predictions.iter().filter(|(_, right)| *right).count() + missed;
            let best = best_min_score(&predictions, n_gold).unwrap_or(0.0);
            let reached = f1(&predictions, n_gold, best);
            for least in (0..=41).map(|n| f64::from(n) / 40.0 - 0.01) {
                let other = f1(&predictions, n_gold, least);
                prop_assert!(other <= reached + 1e-12, "{best} {least}");
                // Of equal ones the one that drops fewer.
                let dropped = |least: f64| predictions.iter().filter(|(s, _)| f64::from(*s) < least).count();
                prop_assert!(other < reached - 1e-12 || dropped(least) >= dropped(best));
            }
        }

        #[test]
        fn numbers_between_are_short_and_tell_apart(low in 0.0_f64..1.0, gap in 1e-6_f64..0.5) {
            let number = between(low, low + gap);
            prop_assert!(low < number && number <= low + gap);
        }
    }
}
