//! From scores of words to entities.

use vestnik_core::{Entity, Span, TagSet};

/// Turns log-probabilities of tags into entities: the most probable sequence of tags in which every tag may follow the
/// one before it (Viterbi 1967), so that no entity begins in its middle or lacks its end.
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
        Self {
            predecessors: ids
                .clone()
                .map(|next| {
                    ids.clone()
                        .filter(|&previous| tags.may_follow(Some(previous), next))
                        .collect()
                })
                .collect(),
            may_start: ids.clone().map(|tag| tags.may_follow(None, tag)).collect(),
            may_end: ids.map(|tag| tags.may_end(tag)).collect(),
            tags,
        }
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &TagSet {
        &self.tags
    }

    /// Entities of a text from the log-probabilities of its words' tags. An entity's score is the mean probability of
    /// its words' tags.
    ///
    /// **Shapes** `scores [words, tags]`, row-major. Takes time linear in the words.
    ///
    /// # Panics
    /// When `scores` has another length.
    #[must_use]
    pub fn decode(&self, text: &str, words: &[Span], scores: &[f32]) -> Vec<Entity> {
        assert_eq!(
            scores.len(),
            words.len() * self.tags.len(),
            "one row of scores for each word"
        );
        let path = self.best_path(scores);
        let entity = |range: vestnik_core::TypedRange| {
            let span = words[range.start].cover(words[range.end - 1]);
            debug_assert!(span.slice(text).is_ok());
            let label = self.tags.types().label(range.type_id)?;
            let rows = (range.start..range.end)
                .map(|word| scores[word * self.tags.len() + path[word]].exp());
            let mut entity = Entity::new(span, label);
            entity.score =
                Some((rows.sum::<f32>() / (range.end - range.start) as f32).clamp(0.0, 1.0));
            Some(entity)
        };
        self.tags
            .decode(&path)
            .into_iter()
            .filter_map(entity)
            .collect()
    }

    /// The most probable valid sequence of tags. NaN counts as impossible; where nothing is possible, all is outside.
    fn best_path(&self, scores: &[f32]) -> Vec<usize> {
        let n_tags = self.tags.len();
        let mut back = vec![0u16; scores.len()];
        let mut best: Vec<f64> = vec![];
        for (word, row) in scores.chunks_exact(n_tags).enumerate() {
            best = (0..n_tags)
                .map(|tag| {
                    let (previous, score) = if word == 0 {
                        (
                            0,
                            if self.may_start[tag] {
                                0.0
                            } else {
                                f64::NEG_INFINITY
                            },
                        )
                    } else {
                        maximum(
                            self.predecessors[tag]
                                .iter()
                                .map(|&previous| (previous, best[previous])),
                        )
                    };
                    back[word * n_tags + tag] = previous as u16;
                    let emission = f64::from(row[tag]);
                    if emission.is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        score + emission
                    }
                })
                .collect();
        }
        let ends = best
            .iter()
            .copied()
            .enumerate()
            .filter(|(tag, _)| self.may_end[*tag]);
        let (mut tag, score) = maximum(ends);
        if score == f64::NEG_INFINITY {
            return vec![self.tags.outside(); scores.len() / n_tags];
        }
        let mut path = vec![0; scores.len() / n_tags];
        for word in (0..path.len()).rev() {
            path[word] = tag;
            tag = usize::from(back[word * n_tags + tag]);
        }
        path
    }
}

/// The first of the largest values.
fn maximum(values: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    values.fold((0, f64::NEG_INFINITY), |best, value| {
        if value.1 > best.1 { value } else { best }
    })
}
