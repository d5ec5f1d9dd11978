//! Sums and maxima over all sequences of tags of a text.

mod search;
#[cfg(test)]
mod tests;

use crate::Transitions;

/// The words of a text, or of a part of it, as a linear chain: the score of a sequence of tags is the sum of the scores of
/// its tags at their words and of its transitions, and its probability is the exponential of it over that of all sequences
/// (Lafferty, McCallum & Pereira 2001).
///
/// A part that does not begin its text has no score and no rule for its first tag, and so for the last one.
#[derive(Clone, Debug)]
pub struct Chain<'a> {
    transitions: &'a Transitions,
    /// `[words, tags]`, row-major; negative infinity where a word may not have a tag.
    emissions: Vec<f64>,
    begins: bool,
    ends: bool,
}

/// How often tags and transitions are expected on a [`Chain`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectations {
    /// The logarithm of the sum of the exponentials of the scores of all sequences.
    pub log_partition: f64,
    /// The probability of each tag at each word, `[words, tags]`, row-major.
    pub tags: Vec<f64>,
    /// Expected number of each transition, `[tag, next tag]`, row-major.
    pub between: Vec<f64>,
    /// The probability of each tag at the start of the text; zeros for a part that does not begin it.
    pub start: Vec<f64>,
    /// The probability of each tag at the end of the text; zeros for a part that does not end it.
    pub end: Vec<f64>,
}

impl<'a> Chain<'a> {
    /// A whole text.
    ///
    /// **Shapes** `emissions [words, tags]`, row-major.
    ///
    /// # Panics
    /// When `emissions` are no whole rows.
    #[must_use]
    pub fn new(transitions: &'a Transitions, emissions: Vec<f64>) -> Self {
        assert!(
            emissions.len().is_multiple_of(transitions.n_tags()),
            "one row of scores for each word"
        );
        Self {
            transitions,
            emissions,
            begins: true,
            ends: true,
        }
    }

    /// A part of a text, which holds its first word or its last one, or neither.
    #[must_use]
    pub fn part(self, begins: bool, ends: bool) -> Self {
        Self {
            begins,
            ends,
            ..self
        }
    }

    /// Number of words.
    #[must_use]
    pub fn n_words(&self) -> usize {
        self.emissions.len() / self.transitions.n_tags()
    }

    /// The logarithm of the sum of the exponentials of the scores of all sequences, by the forward algorithm; 0 without
    /// words, negative infinity when no sequence is possible. Time is linear in the words.
    #[must_use]
    pub fn log_partition(&self) -> f64 {
        self.total(&self.forward())
    }

    /// Probabilities of tags and numbers of transitions, by the forward-backward algorithm (Baum et al. 1970). NaN when no
    /// sequence is possible.
    #[must_use]
    pub fn expectations(&self) -> Expectations {
        let (forward, backward) = (self.forward(), self.backward());
        let log_partition = self.total(&forward);
        let tags = marginals(&forward, &backward, log_partition);
        let n_tags = self.transitions.n_tags();
        let edge = |row: Option<&[f64]>, counts: bool| match row {
            Some(row) if counts => row.to_vec(),
            _ => vec![0.0; n_tags],
        };
        Expectations {
            log_partition,
            between: self.expected_transitions(&forward, &backward, log_partition),
            start: edge(tags.chunks_exact(n_tags).next(), self.begins),
            end: edge(tags.chunks_exact(n_tags).next_back(), self.ends),
            tags,
        }
    }

    /// The probability of each tag at each word, `[words, tags]`, row-major.
    #[must_use]
    pub fn marginals(&self) -> Vec<f64> {
        let forward = self.forward();
        let log_partition = self.total(&forward);
        marginals(&forward, &self.backward(), log_partition)
    }

    fn row(&self, word: usize) -> &[f64] {
        let n_tags = self.transitions.n_tags();
        &self.emissions[word * n_tags..][..n_tags]
    }

    fn start(&self, tag: usize) -> f64 {
        if self.begins {
            self.transitions.start(tag)
        } else {
            0.0
        }
    }

    fn end(&self, tag: usize) -> f64 {
        if self.ends {
            self.transitions.end(tag)
        } else {
            0.0
        }
    }

    /// For each word and tag the log-sum over the sequences up to there.
    fn forward(&self) -> Vec<f64> {
        let tags = 0..self.transitions.n_tags();
        let mut sums: Vec<f64> = Vec::with_capacity(self.emissions.len());
        for word in 0..self.n_words() {
            let row = self.row(word);
            let Some(before) = word.checked_sub(1) else {
                sums.extend(tags.clone().map(|tag| self.start(tag) + row[tag]));
                continue;
            };
            let first = before * tags.len();
            for tag in tags.clone() {
                let before = &sums[first..first + tags.len()];
                let ways = before.iter().enumerate();
                let ways =
                    ways.map(|(previous, sum)| sum + self.transitions.between(previous, tag));
                sums.push(row[tag] + log_sum_exp(ways));
            }
        }
        sums
    }

    /// For each word and tag the log-sum over the sequences behind it.
    fn backward(&self) -> Vec<f64> {
        let n_tags = self.transitions.n_tags();
        let mut sums = vec![0.0; self.emissions.len()];
        for word in (0..self.n_words()).rev() {
            let (here, behind) = sums[word * n_tags..].split_at_mut(n_tags);
            for (tag, here) in here.iter_mut().enumerate() {
                *here = if word + 1 == self.n_words() {
                    self.end(tag)
                } else {
                    let ways = self.row(word + 1).iter().zip(&behind[..n_tags]);
                    let ways = ways.enumerate().map(|(next, (emission, sum))| {
                        self.transitions.between(tag, next) + emission + sum
                    });
                    log_sum_exp(ways)
                };
            }
        }
        sums
    }

    fn total(&self, forward: &[f64]) -> f64 {
        match forward.chunks_exact(self.transitions.n_tags()).next_back() {
            None => 0.0,
            Some(last) => {
                let ends = last.iter().enumerate();
                log_sum_exp(ends.map(|(tag, sum)| sum + self.end(tag)))
            }
        }
    }

    fn expected_transitions(
        &self,
        forward: &[f64],
        backward: &[f64],
        log_partition: f64,
    ) -> Vec<f64> {
        let n_tags = self.transitions.n_tags();
        let mut counts = vec![0.0; n_tags * n_tags];
        for word in 1..self.n_words() {
            let (before, behind) = (&forward[(word - 1) * n_tags..], &backward[word * n_tags..]);
            for (place, count) in counts.iter_mut().enumerate() {
                let (tag, next) = (place / n_tags, place % n_tags);
                let score = self.transitions.between(tag, next) + self.row(word)[next];
                *count += (before[tag] + score + behind[next] - log_partition).exp();
            }
        }
        counts
    }
}

fn marginals(forward: &[f64], backward: &[f64], log_partition: f64) -> Vec<f64> {
    let both = forward.iter().zip(backward);
    both.map(|(forward, backward)| (forward + backward - log_partition).exp())
        .collect()
}

/// `log Σ exp`, negative infinity of nothing.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + values.map(|value| (value - max).exp()).sum::<f64>().ln()
}
