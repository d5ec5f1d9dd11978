//! From scores of words to entities.

use vestnik_core::{Entity, Span, TagSet, TypedRange};

/// The log-probability that an impossible or undefined score counts as: low enough to lose against any real one, finite so
/// that one broken word does not decide over a whole text.
const IMPOSSIBLE: f64 = -1e6;

/// Turns log-probabilities of tags into entities: the most probable sequence of tags in which every tag may follow the
/// one before it (Viterbi 1967), so that no entity begins in its middle or lacks its end.
///
/// # Example
/// ```
/// use vestnik_core::{LabelSet, TagScheme, TagSet};
/// use vestnik_text::{Decoder, words};
///
/// let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(["LOC"])?); // O, B-LOC, I-LOC
/// let text = "в Нью-Йорк Сити";
/// let probabilities: [f32; 9] = [0.9, 0.1, 0.0, /* Нью-Йорк */ 0.1, 0.4, 0.5, /* Сити */ 0.1, 0.1, 0.8];
/// let entities = Decoder::new(tags).decode(text, &words(text), &probabilities.map(f32::ln));
///
/// // I-LOC is the best tag of the first word, but nothing begins with it.
/// assert_eq!(entities.len(), 1);
/// assert_eq!(entities[0].span.slice(text)?, "Нью-Йорк Сити");
/// assert!((entities[0].score.unwrap() - 0.6).abs() < 1e-6);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    tags: TagSet,
    /// For each tag those that may stand before it.
    predecessors: Vec<Vec<usize>>,
    may_start: Vec<bool>,
    may_end: Vec<bool>,
}

impl Decoder {
    /// A decoder for these tags.
    #[must_use]
    pub fn new(tags: TagSet) -> Self {
        let ids = 0..tags.len();
        let before = |next| {
            let may_stand = |&previous: &usize| tags.may_follow(Some(previous), next);
            ids.clone().filter(may_stand).collect()
        };
        Self {
            predecessors: ids.clone().map(before).collect(),
            may_start: ids.clone().map(|tag| tags.may_follow(None, tag)).collect(),
            may_end: ids.clone().map(|tag| tags.may_end(tag)).collect(),
            tags,
        }
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// Entities of a text from the log-probabilities of its words' tags, in order and disjoint. An entity's score is the
    /// mean probability of its words' tags.
    ///
    /// A word that no token stands for is to have 0 for `O` and negative infinity for all others. NaN counts as impossible.
    /// Takes time linear in the words.
    ///
    /// **Shapes** `scores [words, tags]`, row-major.
    ///
    /// # Panics
    /// When `scores` has another length.
    #[must_use]
    pub fn decode(&self, text: &str, words: &[Span], scores: &[f32]) -> Vec<Entity> {
        let n_tags = self.tags.len();
        assert_eq!(
            scores.len(),
            words.len() * n_tags,
            "one row of scores for each word"
        );
        let path = self.best_path(scores);
        let probability = |word: usize| finite(scores[word * n_tags + path[word]]).exp();
        let entity = |range: TypedRange| {
            let span = words[range.start].cover(words[range.end - 1]);
            debug_assert!(span.slice(text).is_ok(), "the words are those of the text");
            let sum: f64 = (range.start..range.end).map(probability).sum();
            let mean = sum / (range.end - range.start) as f64;
            let label = self.tags.types().label(range.type_id).unwrap_or_default();
            Entity::new(span, label).with_score(mean.clamp(0.0, 1.0) as f32)
        };
        self.tags.decode(&path).into_iter().map(entity).collect()
    }

    /// The most probable valid sequence of tags.
    fn best_path(&self, scores: &[f32]) -> Vec<usize> {
        let n_tags = self.tags.len();
        // Score of the best sequence up to a word that gives it a certain tag, and the tag before it there.
        let mut best: Vec<f64> = self
            .may_start
            .iter()
            .map(|may| if *may { 0.0 } else { f64::NEG_INFINITY })
            .collect();
        let mut back = vec![0_u16; scores.len()];
        for (word, row) in scores.chunks_exact(n_tags).enumerate() {
            let mut next = best.clone();
            for tag in 0..n_tags {
                if word > 0 {
                    let before = self.predecessors[tag]
                        .iter()
                        .map(|&previous| (previous, best[previous]));
                    let (previous, score) = maximum(before);
                    back[word * n_tags + tag] = previous as u16;
                    next[tag] = score;
                }
                next[tag] += finite(row[tag]);
            }
            best = next;
        }
        let ends = best
            .iter()
            .copied()
            .enumerate()
            .filter(|(tag, _)| self.may_end[*tag]);
        trace(&back, n_tags, maximum(ends).0)
    }
}

/// The tags of a path from the last one and each tag's predecessor.
fn trace(back: &[u16], n_tags: usize, last: usize) -> Vec<usize> {
    let mut path = vec![last; back.len() / n_tags];
    for word in (1..path.len()).rev() {
        path[word - 1] = usize::from(back[word * n_tags + path[word]]);
    }
    path
}

fn finite(score: f32) -> f64 {
    if score.is_nan() {
        return IMPOSSIBLE;
    }
    f64::from(score).clamp(IMPOSSIBLE, -IMPOSSIBLE)
}

/// The first of the largest values.
fn maximum(values: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    values.fold((0, f64::NEG_INFINITY), |best, value| {
        if value.1 > best.1 { value } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vestnik_core::{LabelSet, TagScheme};

    fn decoder(scheme: TagScheme) -> Decoder {
        Decoder::new(TagSet::new(scheme, &LabelSet::new(["PER", "LOC"]).unwrap()))
    }

    /// `n` words of one letter with spaces between them.
    fn text(n: usize) -> (String, Vec<Span>) {
        let text = "ы ".repeat(n);
        (
            text,
            (0..n)
                .map(|i| Span::new(3 * i, 3 * i + 2).unwrap())
                .collect(),
        )
    }

    /// The score of a sequence, `None` when it is not valid.
    fn score(tags: &TagSet, path: &[usize], scores: &[f32]) -> Option<f64> {
        let mut previous = None;
        let mut sum = 0.0;
        for (&tag, row) in path.iter().zip(scores.chunks_exact(tags.len())) {
            if !tags.may_follow(previous, tag) {
                return None;
            }
            sum += f64::from(row[tag]);
            previous = Some(tag);
        }
        previous
            .is_none_or(|last| tags.may_end(last))
            .then_some(sum)
    }

    fn all_paths(n_words: usize, n_tags: usize) -> impl Iterator<Item = Vec<usize>> {
        (0..n_tags.pow(n_words as u32)).map(move |mut number| {
            let digit = |_| {
                let tag = number % n_tags;
                number /= n_tags;
                tag
            };
            (0..n_words).map(digit).collect()
        })
    }

    proptest! {
        #[test]
        fn finds_the_best_of_all_valid_sequences(
            bioes: bool,
            scores in prop::collection::vec(-5f32..0.0, 3 * 9),
        ) {
            let decoder = decoder(if bioes { TagScheme::Bioes } else { TagScheme::Bio });
            let n_tags = decoder.tags().len();
            let scores = &scores[..3 * n_tags];
            let found = score(decoder.tags(), &decoder.best_path(scores), scores).expect("a valid sequence");
            let best = all_paths(3, n_tags).filter_map(|path| score(decoder.tags(), &path, scores)).fold(f64::MIN, f64::max);
            prop_assert!((found - best).abs() < 1e-9);
        }

        #[test]
        fn entities_are_words_of_the_text_in_order(
            scores in prop::collection::vec(prop_oneof![-9f32..0.0, Just(f32::NAN), Just(f32::NEG_INFINITY), Just(f32::INFINITY)], 0..200),
        ) {
            let decoder = decoder(TagScheme::Bio);
            let n_words = scores.len() / 5;
            let (text, words) = text(n_words);
            let entities = decoder.decode(&text, &words, &scores[..n_words * 5]);
            let mut end = 0;
            for entity in entities {
                prop_assert!(entity.span.slice(&text).is_ok());
                prop_assert!(entity.span.start() >= end);
                prop_assert!((0.0..=1.0).contains(&entity.score.unwrap()));
                end = entity.span.end();
            }
        }
    }

    #[test]
    fn no_words_have_no_entities() {
        assert_eq!(decoder(TagScheme::Bioes).decode("", &[], &[]), []);
    }

    #[test]
    fn a_word_without_scores_does_not_silence_the_others() {
        let decoder = decoder(TagScheme::Bio);
        let (text, words) = text(3);
        let mut scores = vec![f32::NAN; 15];
        scores[..5].copy_from_slice(&[-9.0, -0.1, -9.0, -9.0, -9.0]);
        scores[10..].copy_from_slice(&[-9.0, -9.0, -9.0, -0.1, -9.0]);
        let entities = decoder.decode(&text, &words, &scores);
        let labels: Vec<&str> = entities
            .iter()
            .map(|entity| entity.label.as_str())
            .collect();
        assert_eq!(labels.first(), Some(&"PER"));
        assert_eq!(labels.last(), Some(&"LOC"));
    }

    #[test]
    fn words_outside_stay_outside() {
        let decoder = decoder(TagScheme::Bioes);
        let mut row = [f32::NEG_INFINITY; 9];
        row[0] = 0.0;
        let (text, words) = text(50);
        assert_eq!(decoder.decode(&text, &words, &row.repeat(50)), []);
    }
}
