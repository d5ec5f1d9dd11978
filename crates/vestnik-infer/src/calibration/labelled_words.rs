//! The logits of words whose tags are known, and the temperature that serves them best.

use rayon::prelude::*;
use vestnik_text::{Chain, Example, Transitions};

/// The least and the greatest temperature that is looked for.
///
/// Where a model makes no mistake at all on the data, the likelihood only ever grows towards 0, and says nothing.
pub const TEMPERATURES: [f64; 2] = [0.1, 10.0];

/// Steps of the search: each leaves 0.618 of the range, so that 1e-9 of it is left.
const STEPS: usize = 44;
/// Words that are summed together; fixed, so that the sum does not depend on the number of threads.
const CHUNK: usize = 4096;

/// Logits of words with the tags that they may have.
#[derive(Clone, Debug, Default)]
pub struct LabelledWords {
    /// `[words, tags]`, row-major.
    logits: Vec<f32>,
    n_tags: usize,
    gold: Vec<Gold>,
    /// Those of a conditional random field, under which the words of a text count together.
    transitions: Option<Transitions>,
    /// The number of words up to the end of each text.
    ends: Vec<usize>,
}

/// What is known of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gold {
    /// Its tag.
    Tag(usize),
    /// Its tag is one of these, as bits: it is no entity of the annotated types.
    AnyOf(u64),
}

impl LabelledWords {
    /// Starts without words, for a model with this number of tags.
    #[must_use]
    pub fn new(n_tags: usize) -> Self {
        Self {
            n_tags,
            ..Self::default()
        }
    }

    /// Starts without words, for a model with these transitions.
    #[must_use]
    pub fn with_transitions(transitions: Transitions) -> Self {
        Self {
            n_tags: transitions.n_tags(),
            transitions: Some(transitions),
            ..Self::default()
        }
    }

    /// Says that the words added since the last call are a whole text.
    pub fn end_text(&mut self) {
        self.ends.push(self.gold.len());
    }

    /// Adds a word by its logits, one for each tag, and its tag.
    ///
    /// # Panics
    /// When there is not one logit for each tag, or there is no such tag.
    pub fn push(&mut self, logits: &[f32], tag: usize) {
        assert!(tag < self.n_tags, "the tag is one of the model's");
        self.add(logits, Gold::Tag(tag));
    }

    /// Adds the labelled tokens of an example; `rows` are the logits of its tokens.
    pub(super) fn add_example(&mut self, example: &Example, rows: &[f32]) {
        let labels = example.labels.iter().flatten();
        for (token, &label) in labels.enumerate() {
            let Ok(tag) = usize::try_from(label) else {
                continue;
            };
            let allowed = example.allowed.as_ref().map_or(0, |sets| sets[token]);
            let gold = match allowed {
                0 => Gold::Tag(tag),
                set => Gold::AnyOf(set),
            };
            self.add(&rows[token * self.n_tags..][..self.n_tags], gold);
        }
    }

    fn add(&mut self, logits: &[f32], gold: Gold) {
        assert_eq!(logits.len(), self.n_tags, "one logit for each tag");
        self.logits.extend_from_slice(logits);
        self.gold.push(gold);
    }

    /// Number of words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.gold.len()
    }

    /// Whether there are no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gold.is_empty()
    }

    /// Mean negative log-likelihood of the words' tags, in nats, with all logits divided by `temperature`; 0 without
    /// words. Of a word that may have several tags it is that of their sum. With transitions it is the likelihood of whole
    /// texts, up to the last [`LabelledWords::end_text`], with transitions divided alike.
    #[must_use]
    pub fn loss(&self, temperature: f64) -> f64 {
        if let Some(transitions) = &self.transitions {
            return self.loss_of_texts(&transitions.at_temperature(temperature), temperature);
        }
        let words = self
            .logits
            .par_chunks(CHUNK * self.n_tags.max(1))
            .zip(self.gold.par_chunks(CHUNK));
        let sums: Vec<f64> = words
            .map(|(logits, gold)| {
                let rows = logits.chunks_exact(self.n_tags).zip(gold);
                rows.map(|(row, &gold)| loss(row, gold, temperature)).sum()
            })
            .collect();
        sums.iter().sum::<f64>() / self.len().max(1) as f64
    }

    fn loss_of_texts(&self, transitions: &Transitions, temperature: f64) -> f64 {
        let starts = [0].iter().chain(&self.ends);
        let texts: Vec<(usize, usize)> = starts.copied().zip(self.ends.iter().copied()).collect();
        let loss = |&(start, end): &(usize, usize)| {
            let logits = self.logits[start * self.n_tags..end * self.n_tags].iter();
            let all: Vec<f64> = logits.map(|&z| f64::from(z) / temperature).collect();
            let words = all.chunks_exact(self.n_tags).zip(&self.gold[start..end]);
            let possible = words.flat_map(|(row, &gold)| possible(row, gold)).collect();
            let total = |emissions| Chain::new(transitions, emissions).log_partition();
            let possible: f64 = total(possible);
            // Labels that the scheme forbids say nothing of a temperature.
            possible.is_finite().then(|| total(all) - possible)
        };
        let losses: Vec<Option<f64>> = texts.par_iter().map(loss).collect();
        losses.into_iter().flatten().sum::<f64>() / self.len().max(1) as f64
    }

    /// The temperature with the least [`LabelledWords::loss`], to four significant digits; 1 without words.
    ///
    /// Golden-section search (Kiefer 1953) over its logarithm, within [`TEMPERATURES`]. The loss has one minimum: for
    /// known tags it is convex in 1 / temperature.
    #[must_use]
    pub fn best_temperature(&self) -> f64 {
        if self.is_empty() {
            return 1.0;
        }
        let [low, high] = TEMPERATURES.map(f64::ln);
        let best = golden_section(low, high, |log| self.loss(log.exp())).exp();
        format!("{best:.3e}").parse().unwrap_or(best)
    }
}

/// The scores of a word's tags, negative infinity for those that it cannot have.
fn possible(row: &[f64], gold: Gold) -> impl Iterator<Item = f64> {
    row.iter().enumerate().map(move |(tag, &score)| {
        let may = match gold {
            Gold::Tag(known) => tag == known,
            Gold::AnyOf(set) => tag < 64 && set >> tag & 1 == 1,
        };
        if may { score } else { f64::NEG_INFINITY }
    })
}

/// `ln Σ exp(z / T)` over all tags less the same over the tags that are possible.
fn loss(logits: &[f32], gold: Gold, temperature: f64) -> f64 {
    let scaled = |tag: usize| f64::from(logits[tag]) / temperature;
    let all = log_sum_exp((0..logits.len()).map(scaled));
    let possible = match gold {
        Gold::Tag(tag) => scaled(tag),
        Gold::AnyOf(set) => {
            let tags = (0..logits.len().min(64)).filter(|tag| set & (1 << tag) != 0);
            log_sum_exp(tags.map(scaled))
        }
    };
    all - possible
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
    max + values.map(|value| (value - max).exp()).sum::<f64>().ln()
}

/// Where a function with one minimum between `low` and `high` has it.
pub(crate) fn golden_section(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let share = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (low, high);
    let at = |low: f64, high: f64, share: f64| low + share * (high - low);
    let (mut left, mut right) = (at(low, high, 1.0 - share), at(low, high, share));
    let (mut f_left, mut f_right) = (f(left), f(right));
    for _ in 0..STEPS {
        if f_left <= f_right {
            (high, right, f_right) = (right, left, f_left);
            left = at(low, high, 1.0 - share);
            f_left = f(left);
        } else {
            (low, left, f_left) = (left, right, f_right);
            right = at(low, high, share);
            f_right = f(right);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vestnik_core::{LabelSet, TagSet};

    /// Numbers from 0 to 1 by a linear congruence (Numerical Recipes).
    struct Numbers(u32);

    impl Numbers {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(self.0 >> 8) / f64::from(1 << 24)
        }
    }

    /// Words whose tags are drawn from the softmax of their logits, which are then multiplied by `factor`.
    fn planted(n_words: usize, factor: f32, seed: u32) -> LabelledWords {
        let mut numbers = Numbers(seed);
        let mut words = LabelledWords::new(5);
        for _ in 0..n_words {
            let logits: Vec<f32> = (0..5).map(|_| 4.0 * numbers.next() as f32).collect();
            let sum = log_sum_exp(logits.iter().map(|&z| f64::from(z)));
            let mut rest = numbers.next();
            let tag = logits.iter().position(|&z| {
                rest -= (f64::from(z) - sum).exp();
                rest < 0.0
            });
            let scaled: Vec<f32> = logits.iter().map(|z| z * factor).collect();
            words.push(&scaled, tag.unwrap_or(4));
        }
        words
    }

    #[test]
    fn a_planted_temperature_is_found() {
        for (factor, seed) in [(3.0, 1), (1.0, 2), (0.5, 3)] {
            let found = planted(20_000, factor, seed).best_temperature();
            let off = (found / f64::from(factor)).ln().abs();
            assert!(off < 0.04, "{found} instead of {factor}");
        }
    }

    #[test]
    fn multiplied_logits_multiply_the_temperature() {
        let (once, thrice) = (planted(3000, 1.0, 7), planted(3000, 3.0, 7));
        let ratio = thrice.best_temperature() / once.best_temperature();
        assert!((ratio - 3.0).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn words_that_may_have_several_tags_count_by_their_sum() {
        let mut words = LabelledWords::new(3);
        words.add(&[1.0, 2.0, 3.0], Gold::AnyOf(0b011));
        let total: f64 = [1.0_f64, 2.0, 3.0].iter().map(|z| (z / 2.0).exp()).sum();
        let expected = -((0.5_f64.exp() + 1.0_f64.exp()) / total).ln();
        assert!((words.loss(2.0) - expected).abs() < 1e-12);
        words.gold[0] = Gold::AnyOf(0b111);
        assert!(words.loss(2.0).abs() < 1e-12);
    }

    #[test]
    fn texts_of_a_random_field_count_as_wholes() {
        let labels = LabelSet::new(["O", "B-A", "I-A"]).unwrap();
        let tags = TagSet::from_labels(&labels).unwrap();
        let none = Transitions::new(&tags, &[0.0; 9], &[0.0; 3], &[0.0; 3]);
        let mut words = LabelledWords::with_transitions(none.clone());
        for (row, tag) in [
            ([2.0, 0.5, 0.0], 0),
            ([0.3, 1.0, 0.4], 1),
            ([0.1, 0.2, 1.2], 2),
        ] {
            words.push(&row, tag);
        }
        words.end_text();
        words.push(&[1.0, 0.0, 5.0], 0);
        words.end_text();
        // O, B and I in all orders but I behind O or first.
        let sum = |scores: &[f64]| {
            scores
                .iter()
                .map(|score| (score / 2.0_f64).exp())
                .sum::<f64>()
        };
        let [a, b, c] = [[2.0, 0.5], [0.3, 1.0], [0.1, 0.2]];
        let first = |rest: f64| [a[0] + rest, a[1] + rest];
        let mut all: Vec<f64> = Vec::new();
        for third in c {
            for second in b {
                all.extend(first(second + third));
            }
            all.push(a[1] + 0.4 + third);
        }
        all.extend(first(1.0 + 1.2));
        all.push(a[1] + 0.4 + 1.2);
        let expected = (sum(&all).ln() - 4.2 / 2.0) + (sum(&[1.0, 0.0]).ln() - 0.5);
        assert!((words.loss(2.0) - expected / 4.0).abs() < 1e-6);
    }

    #[test]
    fn multiplied_scores_of_a_random_field_multiply_the_temperature() {
        let labels = LabelSet::new(["O", "B-A", "I-A"]).unwrap();
        let tags = TagSet::from_labels(&labels).unwrap();
        let mut numbers = Numbers(5);
        let rows: Vec<[f32; 3]> = (0..400)
            .map(|_| [(); 3].map(|()| 2.0 * numbers.next() as f32))
            .collect();
        let fitted = |factor: f32| {
            let scores: Vec<f32> = (0..9).map(|n| factor * (n % 4) as f32 / 3.0).collect();
            let edges = [0.3 * factor; 3];
            let transitions = Transitions::new(&tags, &scores, &edges, &edges);
            let mut words = LabelledWords::with_transitions(transitions);
            for (place, row) in rows.iter().enumerate() {
                let tag = [0, 1, 2, 0, 1][place % 5];
                words.push(&row.map(|z| z * factor), tag);
                if place % 20 == 19 {
                    words.end_text();
                }
            }
            words.best_temperature()
        };
        let ratio = fitted(3.0) / fitted(1.0);
        assert!((ratio - 3.0).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn the_search_stays_within_its_bounds() {
        let mut words = LabelledWords::new(2);
        assert_eq!(words.best_temperature(), 1.0);
        words.push(&[5.0, 0.0], 0);
        assert_eq!(words.best_temperature(), TEMPERATURES[0]);
        words = LabelledWords::new(2);
        words.push(&[5.0, 0.0], 1);
        assert_eq!(words.best_temperature(), TEMPERATURES[1]);
    }

    proptest! {
        #[test]
        fn no_temperature_is_better(
            rows in prop::collection::vec((prop::collection::vec(-6_f32..6.0, 4), 0_usize..4), 1..60),
        ) {
            let mut words = LabelledWords::new(4);
            rows.iter().for_each(|(row, tag)| words.push(row, *tag));
            let best = words.loss(words.best_temperature());
            for other in (-23..=23).map(|n| (f64::from(n) / 10.0).exp()) {
                prop_assert!(best <= words.loss(other) + 1e-6);
            }
        }
    }
}
