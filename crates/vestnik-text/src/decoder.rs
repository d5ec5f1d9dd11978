//! From scores of words to entities.

use std::borrow::Cow;

use vestnik_core::{Entity, Span, TagSet, TypedRange};

use crate::{Chain, Transitions};

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
    transitions: Transitions,
    /// Whether the transitions have scores besides the rules of the tags.
    learned: bool,
}

impl Decoder {
    /// A decoder for these tags.
    #[must_use]
    pub fn new(tags: TagSet) -> Self {
        Self {
            transitions: Transitions::rules(&tags),
            learned: false,
            tags,
        }
    }

    /// The decoder of a conditional random field: the score of a sequence of tags is the sum of its tags' scores and of
    /// its transitions' ([`Chain`]), and the probability of a word's tag is the marginal one over all sequences.
    ///
    /// # Panics
    /// When the transitions are those of another number of tags.
    #[must_use]
    pub fn with_transitions(self, transitions: Transitions) -> Self {
        assert_eq!(
            transitions.n_tags(),
            self.tags.len(),
            "transitions between these tags"
        );
        Self {
            transitions,
            learned: true,
            ..self
        }
    }

    /// The decoder for scores that were divided by `temperature` before they became log-probabilities: learnt transitions
    /// are divided alike, so that the entities stay what they are, and only their scores change.
    #[must_use]
    pub fn at_temperature(&self, temperature: f64) -> Cow<'_, Self> {
        if !self.learned || temperature == 1.0 {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self {
            transitions: self.transitions.at_temperature(temperature),
            ..self.clone()
        })
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// The transitions, where there are learnt ones.
    #[must_use]
    pub fn transitions(&self) -> Option<&Transitions> {
        self.learned.then_some(&self.transitions)
    }

    /// Entities of a text from the log-probabilities of its words' tags, in order and disjoint. An entity's score is the
    /// mean probability of its words' tags: with learnt transitions the marginal one.
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
        let chain = self.chain(scores);
        let path = chain.best_path();
        let ranges = self.tags.decode(&path);
        let marginals = match self.learned && !ranges.is_empty() {
            true => chain.marginals(),
            false => Vec::new(),
        };
        let probability = |word: usize| {
            let place = word * n_tags + path[word];
            let marginal = marginals.get(place).copied();
            marginal.unwrap_or_else(|| finite(scores[place]).exp())
        };
        let entity = |range: TypedRange| {
            let span = words[range.start].cover(words[range.end - 1]);
            debug_assert!(span.slice(text).is_ok(), "the words are those of the text");
            let sum: f64 = (range.start..range.end).map(probability).sum();
            let mean = sum / (range.end - range.start) as f64;
            let label = self.tags.types().label(range.type_id).unwrap_or_default();
            Entity::new(span, label).with_score(mean.clamp(0.0, 1.0) as f32)
        };
        ranges.into_iter().map(entity).collect()
    }

    fn chain(&self, scores: &[f32]) -> Chain<'_> {
        let emissions = scores.iter().map(|&score| finite(score)).collect();
        Chain::new(&self.transitions, emissions)
    }
}

fn finite(score: f32) -> f64 {
    if score.is_nan() {
        return IMPOSSIBLE;
    }
    f64::from(score).clamp(IMPOSSIBLE, -IMPOSSIBLE)
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
            let found = score(decoder.tags(), &decoder.chain(scores).best_path(), scores).expect("a valid sequence");
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

    /// Tags `O B-LOC I-LOC`; what is learnt is that an entity of one word is rare.
    fn random_field() -> Decoder {
        let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(["LOC"]).unwrap());
        let between = [0.0, 0.0, 0.0, -3.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let transitions = Transitions::new(&tags, &between, &[0.0; 3], &[0.0, -3.0, 0.0]);
        Decoder::new(tags).with_transitions(transitions)
    }

    #[test]
    fn learnt_transitions_decide_and_scores_are_marginal() {
        let decoder = random_field();
        let (text, words) = text(2);
        let scores: Vec<f32> = [0.3f32, 0.6, 0.1, 0.5, 0.1, 0.4].map(f32::ln).to_vec();
        let plain = Decoder::new(decoder.tags().clone()).decode(&text, &words, &scores);
        assert_eq!((plain.len(), plain[0].span.end()), (1, words[0].end()));
        let found = decoder.decode(&text, &words, &scores);
        assert_eq!((found.len(), found[0].span.end()), (1, words[1].end()));

        // B I against all others, with e for exp: OO, OB, BO, BB, BI.
        let e = f64::exp;
        let (inside, rare) = (0.6 * 0.4 * e(1.0), e(-3.0));
        let first_b = 0.6 * 0.5 * rare + 0.6 * 0.1 * rare + inside;
        let total = 0.3 * 0.5 + 0.3 * 0.1 * rare + first_b;
        let expected = (first_b / total + inside / total) / 2.0;
        assert!((f64::from(found[0].score.unwrap()) - expected).abs() < 1e-6);
    }

    #[test]
    fn temperature_changes_scores_and_no_entity() {
        let decoder = random_field();
        let (text, words) = text(2);
        let logits = [1.0f32, 2.0, 0.0, 1.5, 0.0, 1.3];
        let at = |temperature: f32| {
            let scores = logits.map(|logit| logit / temperature);
            decoder
                .at_temperature(temperature.into())
                .decode(&text, &words, &scores)
        };
        let (sure, unsure) = (at(1.0), at(4.0));
        assert_eq!(sure[0].span, unsure[0].span);
        assert!(sure[0].score > unsure[0].score);
    }
}
