//! How well tags stand beside each other.

use vestnik_core::TagSet;

/// Scores of the transitions of a linear-chain conditional random field (Lafferty, McCallum & Pereira 2001) over tags: of
/// each tag behind each other one, at the start and at the end of a text. What the tag scheme forbids has negative
/// infinity, so that no path goes there.
///
/// # Example
/// ```
/// use vestnik_core::{LabelSet, TagScheme, TagSet};
/// use vestnik_text::Transitions;
///
/// let tags = TagSet::new(TagScheme::Bio, &LabelSet::new(["LOC"])?); // O, B-LOC, I-LOC
/// let learned = Transitions::new(&tags, &[0.5; 9], &[0.1; 3], &[0.2; 3]);
/// assert_eq!(learned.between(1, 2), 0.5);
/// assert_eq!(learned.between(0, 2), f64::NEG_INFINITY); // I-LOC behind O
/// assert_eq!(learned.start(2), f64::NEG_INFINITY);
/// # Ok::<(), vestnik_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transitions {
    n_tags: usize,
    /// `[tag, next tag]`, row-major.
    between: Vec<f64>,
    start: Vec<f64>,
    end: Vec<f64>,
}

impl Transitions {
    /// The rules of the tag scheme alone: 0 for what it allows.
    #[must_use]
    pub fn rules(tags: &TagSet) -> Self {
        let n_tags = tags.len();
        let zeros = vec![0.0; n_tags];
        Self::new(tags, &vec![0.0; n_tags * n_tags], &zeros, &zeros)
    }

    /// Scores that were learnt, within the rules of the tag scheme.
    ///
    /// **Shapes** `between [tag, next tag]`, row-major, `start [tags]`, `end [tags]`.
    ///
    /// # Panics
    /// When the lengths are not those of the tags.
    #[must_use]
    pub fn new(tags: &TagSet, between: &[f32], start: &[f32], end: &[f32]) -> Self {
        let n_tags = tags.len();
        assert_eq!(
            (between.len(), start.len(), end.len()),
            (n_tags * n_tags, n_tags, n_tags),
            "one score for each pair of tags, and two for each tag"
        );
        let within = |may: bool, score: f32| if may { score.into() } else { f64::NEG_INFINITY };
        let pair = |place: usize| {
            let may = tags.may_follow(Some(place / n_tags), place % n_tags);
            within(may, between[place])
        };
        Self {
            n_tags,
            between: (0..between.len()).map(pair).collect(),
            start: (0..n_tags)
                .map(|tag| within(tags.may_follow(None, tag), start[tag]))
                .collect(),
            end: (0..n_tags)
                .map(|tag| within(tags.may_end(tag), end[tag]))
                .collect(),
        }
    }

    /// Number of tags.
    #[must_use]
    pub fn n_tags(&self) -> usize {
        self.n_tags
    }

    /// The score of `next` directly behind `tag`.
    ///
    /// # Panics
    /// When there are no such tags.
    #[must_use]
    pub fn between(&self, tag: usize, next: usize) -> f64 {
        self.between[tag * self.n_tags..][..self.n_tags][next]
    }

    /// The score of a tag at the start of a text.
    ///
    /// # Panics
    /// When there is no such tag.
    #[must_use]
    pub fn start(&self, tag: usize) -> f64 {
        self.start[tag]
    }

    /// The score of a tag at the end of a text.
    ///
    /// # Panics
    /// When there is no such tag.
    #[must_use]
    pub fn end(&self, tag: usize) -> f64 {
        self.end[tag]
    }

    /// All scores divided by `temperature`, which is above 0: with the scores of the words divided alike, paths keep their
    /// order, and their probabilities come closer to each other.
    #[must_use]
    pub fn at_temperature(&self, temperature: f64) -> Self {
        let divided = |scores: &[f64]| scores.iter().map(|score| score / temperature).collect();
        Self {
            n_tags: self.n_tags,
            between: divided(&self.between),
            start: divided(&self.start),
            end: divided(&self.end),
        }
    }
}
