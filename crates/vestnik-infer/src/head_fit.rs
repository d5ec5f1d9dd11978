//! The calibration of a head from labelled examples.

use vestnik_core::LabelSet;
use vestnik_model::ProblemType;

use crate::calibration::{TEMPERATURES, best_min_score, golden_section};
use crate::head_metadata::{HeadCalibration, HeadMetadata};

/// Fewest examples that a label holds of, and fewest that it does not, from which a threshold is made: with fewer the best
/// one on these data says little about others.
pub const FEWEST_EXAMPLES: usize = 20;

/// The label of whatever takes no side.
const NEUTRAL: &str = "neutral";

/// The threshold of a label without one of its own.
const HALF: f64 = 0.5;

/// The threshold of a label of which no example says whether it holds: what the model says of it was never compared with
/// anything. No probability reaches it, see [`reaches`].
const NEVER: f64 = 1.0;

/// Whether a label is given. A large logit has the probability 1 after rounding, which stays below the threshold 1.
pub(crate) fn reaches(probability: f64, threshold: f64) -> bool {
    probability >= threshold && threshold < NEVER
}

/// The logits of a text or a span, and its labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelledLogits {
    /// A logit for each label; none at all where nothing was read, which counts nowhere.
    pub logits: Vec<f32>,
    /// The labels that hold.
    pub gold: Vec<usize>,
    /// The labels of which it is known whether they hold; `None`: all.
    pub known: Option<Vec<usize>>,
}

/// What [`HeadMetadata::fit`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFit {
    /// The calibration.
    pub calibration: HeadCalibration,
    /// Examples it was found on.
    pub examples: usize,
    /// Mean negative log-likelihood of the labels with raw logits, in nats: of the one that holds, or of each by itself.
    pub loss_before: f64,
    /// The same with the temperature.
    pub loss_after: f64,
    /// Labels with too few examples for a threshold (fewer than [`FEWEST_EXAMPLES`]).
    pub rare: Vec<String>,
}

impl HeadMetadata {
    /// Finds the temperature, and where any number of labels hold the thresholds with it; the calibration that the head has
    /// plays no part.
    ///
    /// The temperature gives the labels the highest likelihood (Guo et al. 2017). A label has a threshold of its own where
    /// that raises its F1 on these examples, it holds of at least [`FEWEST_EXAMPLES`] and does not of as many, and the gain is
    /// no chance: the best one for the examples at even places raises F1 on those at odd places, and the other way round.
    /// A label of which no example says whether it holds is never given: its threshold is 1.
    #[must_use]
    pub fn fit(&self, examples: &[LabelledLogits]) -> HeadFit {
        let loss = |temperature: f64| self.mean_loss(examples, temperature);
        let [low, high] = TEMPERATURES.map(f64::ln);
        let best = match examples.is_empty() {
            true => 1.0,
            false => golden_section(low, high, |log| loss(log.exp())).exp(),
        };
        let temperature = format!("{best:.3e}").parse().unwrap_or(best);
        let mut calibration = HeadCalibration {
            temperature,
            ..HeadCalibration::default()
        };
        let mut rare = Vec::new();
        if self.problem_type == ProblemType::MultiLabel {
            for (id, label) in self.labels.iter().enumerate() {
                let outcomes = Outcomes::new(examples, id, temperature);
                let threshold = match outcomes.are_few() {
                    true => (outcomes.are_none() && !examples.is_empty()).then_some(NEVER),
                    false => outcomes.threshold(),
                };
                if outcomes.are_few() {
                    rare.push(label.to_owned());
                }
                calibration
                    .thresholds
                    .extend(threshold.map(|least| (label.to_owned(), least)));
            }
        }
        HeadFit {
            calibration,
            examples: examples.len(),
            loss_before: loss(1.0),
            loss_after: loss(temperature),
            rare,
        }
    }

    /// The labels that hold by their logits: the most probable one, or all whose score reaches their threshold. Where one has
    /// to hold and the most probable one has a threshold that it does not reach, it is `neutral`, or none where there is no
    /// such label.
    #[must_use]
    pub fn held(&self, logits: &[f32]) -> Vec<usize> {
        match self.problem_type {
            ProblemType::SingleLabel => self.held_one(logits).into_iter().collect(),
            ProblemType::MultiLabel => self.held_all(logits),
        }
    }

    fn held_one(&self, logits: &[f32]) -> Option<usize> {
        let numbered = logits.iter().enumerate().rev();
        let (best, _) = numbered.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let calibration = self.calibration.as_ref();
        let least = calibration.and_then(|c| c.thresholds.get(self.labels.label(best)?));
        let temperature = calibration.map_or(1.0, |calibration| calibration.temperature);
        let scaled: Vec<f64> = logits.iter().map(|&z| f64::from(z) / temperature).collect();
        let score = (scaled[best] - log_sum_exp(&scaled)).exp();
        match least {
            Some(&least) if score < least => self.labels.id(NEUTRAL),
            _ => Some(best),
        }
    }

    fn held_all(&self, logits: &[f32]) -> Vec<usize> {
        let calibration = self.calibration.clone().unwrap_or_default();
        let holds = |(id, &logit): (usize, &f32)| {
            let threshold = threshold(&calibration, &self.labels, id);
            let probability = sigmoid(f64::from(logit) / calibration.temperature);
            reaches(probability, threshold).then_some(id)
        };
        logits.iter().enumerate().filter_map(holds).collect()
    }

    fn mean_loss(&self, examples: &[LabelledLogits], temperature: f64) -> f64 {
        let (mut total, mut n) = (0.0, 0_usize);
        for example in examples.iter().filter(|example| !example.logits.is_empty()) {
            let logits = example.logits.iter().map(|&z| f64::from(z) / temperature);
            let logits: Vec<f64> = logits.collect();
            match self.problem_type {
                ProblemType::SingleLabel => {
                    let gold = example.gold.first().copied().unwrap_or_default();
                    total += log_sum_exp(&logits) - logits[gold];
                    n += 1;
                }
                ProblemType::MultiLabel => {
                    for (id, logit) in known(example, &logits) {
                        let signed = if example.gold.contains(&id) {
                            logit
                        } else {
                            -logit
                        };
                        total += softplus(-signed);
                        n += 1;
                    }
                }
            }
        }
        total / n.max(1) as f64
    }
}

/// The labels of which it is known whether they hold, with their numbers.
fn known<'a>(
    example: &'a LabelledLogits,
    numbers: &'a [f64],
) -> impl Iterator<Item = (usize, f64)> + 'a {
    let numbered = numbers.iter().copied().enumerate();
    numbered.filter(|(id, _)| {
        let known = example.known.as_ref();
        known.is_none_or(|known| known.contains(id))
    })
}

fn threshold(calibration: &HeadCalibration, labels: &LabelSet, id: usize) -> f64 {
    let label = labels.label(id).unwrap_or_default();
    calibration.thresholds.get(label).copied().unwrap_or(HALF)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + values.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

/// The scores of one label with whether it holds, apart for the examples at even and at odd places.
struct Outcomes([Vec<(f32, bool)>; 2]);

impl Outcomes {
    fn new(examples: &[LabelledLogits], id: usize, temperature: f64) -> Self {
        let mut halves = [Vec::new(), Vec::new()];
        for (place, example) in examples.iter().enumerate() {
            let known = example.known.as_ref();
            let logit = example.logits.get(id);
            if let Some(&logit) = logit.filter(|_| known.is_none_or(|k| k.contains(&id))) {
                let score = sigmoid(f64::from(logit) / temperature);
                halves[place % 2].push((score as f32, example.gold.contains(&id)));
            }
        }
        Self(halves)
    }

    fn all(&self) -> Vec<(f32, bool)> {
        self.0.concat()
    }

    fn are_none(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    fn are_few(&self) -> bool {
        let all = self.all();
        let held = n_gold(&all);
        held.min(all.len() - held) < FEWEST_EXAMPLES
    }

    /// The best threshold, if those of both halves of the examples serve the other half.
    fn threshold(&self) -> Option<f64> {
        let [even, odd] = &self.0;
        let serves = |from: &[(f32, bool)], to: &[(f32, bool)]| {
            let least = best_min_score(from, n_gold(from));
            least.is_some_and(|least| f1(to, least) > f1(to, HALF))
        };
        let all = self.all();
        let best = best_min_score(&all, n_gold(&all));
        best.filter(|_| serves(even, odd) && serves(odd, even))
    }
}

fn n_gold(scores: &[(f32, bool)]) -> usize {
    scores.iter().filter(|(_, holds)| *holds).count()
}

/// F1 of a label that holds from a score on.
fn f1(scores: &[(f32, bool)], least: f64) -> f64 {
    let predicted = scores
        .iter()
        .filter(|(score, _)| f64::from(*score) >= least);
    let (n, right) = predicted.fold((0, 0), |(n, right), (_, holds)| {
        (n + 1, right + usize::from(*holds))
    });
    2.0 * right as f64 / (n + n_gold(scores)).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestnik_model::Reads;

    fn head(problem_type: ProblemType) -> HeadMetadata {
        HeadMetadata {
            task: "topic".to_owned(),
            reads: Reads::Text,
            labels: LabelSet::new(["a", "b"]).unwrap(),
            problem_type,
            calibration: None,
        }
    }

    /// A generator good enough to plant labels with.
    fn numbers(seed: u64) -> impl Iterator<Item = f64> {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        std::iter::repeat_with(move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        })
    }

    /// Labels drawn by the sigmoids of logits, which are then multiplied by `factor` and lowered by `shift`.
    fn planted(problem_type: ProblemType, factor: f32, shift: f32) -> Vec<LabelledLogits> {
        let mut random = numbers(5);
        let mut draw = || random.next().unwrap();
        (0..4000)
            .map(|_| {
                let logits = [0, 1].map(|_| (draw() * 6.0 - 3.0) as f32);
                let gold = match problem_type {
                    ProblemType::SingleLabel => {
                        vec![usize::from(
                            draw() < sigmoid(f64::from(logits[1] - logits[0])),
                        )]
                    }
                    ProblemType::MultiLabel => (0..2)
                        .filter(|&id| draw() < sigmoid(f64::from(logits[id])))
                        .collect(),
                };
                LabelledLogits {
                    logits: logits.iter().map(|z| z * factor - shift).collect(),
                    gold,
                    known: None,
                }
            })
            .collect()
    }

    #[test]
    fn a_planted_temperature_is_found() {
        for problem_type in [ProblemType::SingleLabel, ProblemType::MultiLabel] {
            let fit = head(problem_type).fit(&planted(problem_type, 2.5, 0.0));
            let temperature = fit.calibration.temperature;
            assert!((temperature / 2.5 - 1.0).abs() < 0.1, "{temperature}");
            assert!(fit.loss_after < fit.loss_before);
            assert_eq!(fit.examples, 4000);
        }
    }

    #[test]
    fn a_label_that_is_told_too_seldom_gets_a_lower_threshold() {
        let examples = planted(ProblemType::MultiLabel, 1.0, 2.0);
        let mut head = head(ProblemType::MultiLabel);
        let fit = head.fit(&examples);
        let threshold = fit.calibration.thresholds["a"];
        assert!(threshold < 0.35, "{threshold}");
        let n_right = |head: &HeadMetadata| {
            let right = |example: &&LabelledLogits| head.held(&example.logits) == example.gold;
            examples.iter().filter(right).count()
        };
        let before = n_right(&head);
        head = head.with_calibration(fit.calibration);
        assert!(n_right(&head) > before);
        head.check().unwrap();
    }

    #[test]
    fn labels_that_no_example_knows_are_never_given() {
        let head = head(ProblemType::MultiLabel);
        let mut examples = planted(ProblemType::MultiLabel, 1.0, 2.0);
        for example in &mut examples {
            example.known = Some(vec![1]);
        }
        let fit = head.fit(&examples);
        assert_eq!(fit.rare, ["a"]);
        assert!(fit.calibration.thresholds["b"] < HALF);
        assert_eq!(fit.calibration.thresholds["a"], 1.0);
        let head = head.clone().with_calibration(fit.calibration);
        assert_eq!(head.held(&[9.0, -9.0]), Vec::<usize>::new());
        assert_eq!(head.fit(&[]).calibration, HeadCalibration::default());
    }

    #[test]
    fn exactly_one_label_holds_or_any_number() {
        let logits = [0.0, -0.1];
        assert_eq!(head(ProblemType::SingleLabel).held(&logits), [0]);
        assert_eq!(head(ProblemType::MultiLabel).held(&logits), [0]);
        assert_eq!(head(ProblemType::SingleLabel).held(&[1.0, 1.0]), [0]);
        assert_eq!(head(ProblemType::MultiLabel).held(&[-1.0, -2.0]), [0; 0]);
        assert_eq!(head(ProblemType::SingleLabel).held(&[]), [0; 0]);
    }

    #[test]
    fn one_that_does_not_reach_its_threshold_is_neutral_or_none() {
        let thresholds = [("a".to_owned(), 0.9)].into();
        let calibration = HeadCalibration {
            temperature: 2.0,
            thresholds,
        };
        let mut head = head(ProblemType::SingleLabel).with_calibration(calibration);
        // The sigmoid of half the difference: 0.88 and 0.92.
        assert_eq!(head.held(&[4.0, 0.0]), [0; 0]);
        assert_eq!(head.held(&[5.0, 0.0]), [0]);
        assert_eq!(head.held(&[0.0, 0.1]), [1]);
        head.labels = LabelSet::new(["a", "neutral"]).unwrap();
        assert_eq!(head.held(&[4.0, 0.0]), [1]);
    }
}
