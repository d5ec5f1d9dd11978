//! From scores of tokens to entities, in every way.

use vestnik_core::{Entity, LabelSet, Span, TagSet};

use super::Aggregation;
use super::labels::GroupLabels;
use crate::{Decoder, TokenizedText, Transitions};

/// Turns log-probabilities of tokens into entities, as an [`Aggregation`] says.
///
/// # Example
/// ```
/// use vestnik_core::LabelSet;
/// use vestnik_text::{Aggregation, Aggregator, TokenizedText, TokenizerTraining};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tokenizer = TokenizerTraining { vocab_size: 800, ..TokenizerTraining::default() }.train(["Kyiv"; 3])?;
/// let text = "(Kyiv)";
/// let tokens = TokenizedText::new(&tokenizer, text)?;
///
/// // Plain labels make no BIO scheme.
/// let labels = LabelSet::new(["O", "LOC", "PER"])?;
/// let aggregator = Aggregator::new(Aggregation::First, &labels)?;
/// let row = |&word: &Option<u32>| if word == Some(1) { [-4.0, -0.1, -4.0] } else { [-0.1, -4.0, -4.0] };
/// let scores: Vec<f32> = tokens.token_word.iter().flat_map(row).collect();
/// let entities = aggregator.entities(text, &tokens, &scores);
/// assert_eq!(entities[0].span.slice(text)?, "Kyiv");
/// assert_eq!(entities[0].label, "LOC");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Aggregator {
    aggregation: Aggregation,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Viterbi(Decoder),
    Groups(GroupLabels, Decide),
}

/// What is labelled, and how, from one row of scores for each token.
type Decide = fn(&TokenizedText, &[&[f32]]) -> Vec<Decision>;

/// The label of a token or of a word.
struct Decision {
    label: usize,
    /// Its probability, from 0 to 1.
    score: f64,
    /// `None` for a token that stands for no visible character.
    span: Option<Span>,
}

impl Decision {
    fn new((label, score): (usize, f64), span: Option<Span>) -> Self {
        let score = score.clamp(0.0, 1.0);
        Self { label, score, span }
    }
}

impl Aggregator {
    /// An aggregator for a model's labels, in the order of the model's outputs.
    ///
    /// # Errors
    /// With [`Aggregation::Viterbi`] those of [`TagSet::from_labels`]; the others take any labels.
    pub fn new(aggregation: Aggregation, labels: &LabelSet) -> vestnik_core::Result<Self> {
        let grouped = |decide| Way::Groups(GroupLabels::grouped(labels), decide);
        let way = match aggregation {
            Aggregation::Viterbi => Way::Viterbi(Decoder::new(TagSet::from_labels(labels)?)),
            Aggregation::None => Way::Groups(GroupLabels::raw(labels), each_token),
            Aggregation::Simple => grouped(each_token),
            Aggregation::First => grouped(|tokens, rows| each_word(tokens, rows, first)),
            Aggregation::Average => grouped(|tokens, rows| each_word(tokens, rows, best_mean)),
            Aggregation::Max => grouped(|tokens, rows| each_word(tokens, rows, surest)),
        };
        Ok(Self { aggregation, way })
    }

    /// The aggregator of a model with a conditional random field: [`Aggregation::Viterbi`] counts its transitions
    /// ([`Decoder::with_transitions`]), the other ways look at each token alone.
    ///
    /// # Panics
    /// When the transitions are those of another number of tags.
    #[must_use]
    pub fn with_transitions(mut self, transitions: Transitions) -> Self {
        if let Way::Viterbi(decoder) = self.way {
            self.way = Way::Viterbi(decoder.with_transitions(transitions));
        }
        self
    }

    /// The transitions that count in [`Aggregation::Viterbi`], where there are learnt ones.
    #[must_use]
    pub fn transitions(&self) -> Option<&Transitions> {
        match &self.way {
            Way::Viterbi(decoder) => decoder.transitions(),
            Way::Groups(..) => None,
        }
    }

    /// The way that scores become entities.
    #[must_use]
    pub fn aggregation(&self) -> Aggregation {
        self.aggregation
    }

    /// The labels that entities can have: the types of the tags; with [`Aggregation::None`] the tags.
    #[must_use]
    pub fn types(&self) -> &LabelSet {
        match &self.way {
            Way::Viterbi(decoder) => decoder.tags().types(),
            Way::Groups(labels, _) => labels.names(),
        }
    }

    /// Number of the model's labels: scores of a token.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        match &self.way {
            Way::Viterbi(decoder) => decoder.tags().len(),
            Way::Groups(labels, _) => labels.len(),
        }
    }

    /// Entities of a text from the log-probabilities of its tokens' labels, in order. They are disjoint, but for
    /// [`Aggregation::None`]. The score is a probability from 0 to 1.
    ///
    /// A word that no token stands for is outside with [`Aggregation::Viterbi`]; otherwise it is passed over, as if its
    /// neighbours were neighbours. NaN counts as impossible.
    ///
    /// **Shapes** `scores [tokens, labels]`, row-major.
    ///
    /// # Panics
    /// When `scores` has another length.
    #[must_use]
    pub fn entities(&self, text: &str, tokens: &TokenizedText, scores: &[f32]) -> Vec<Entity> {
        self.entities_at(1.0, text, tokens, scores)
    }

    /// [`Aggregator::entities`] from outputs that were divided by `temperature` before they became log-probabilities:
    /// learnt transitions are divided alike.
    ///
    /// # Panics
    /// When `scores` has another length.
    #[must_use]
    pub fn entities_at(
        &self,
        temperature: f64,
        text: &str,
        tokens: &TokenizedText,
        scores: &[f32],
    ) -> Vec<Entity> {
        assert_eq!(
            scores.len(),
            tokens.tokens.len() * self.n_labels(),
            "one row of scores for each token"
        );
        match &self.way {
            Way::Viterbi(decoder) => {
                let scores = word_scores(decoder, tokens, scores);
                let decoder = decoder.at_temperature(temperature);
                decoder.decode(text, &tokens.words, &scores)
            }
            Way::Groups(labels, decide) => {
                let rows: Vec<&[f32]> = scores.chunks_exact(labels.len()).collect();
                let entities = groups(labels, &decide(tokens, &rows));
                match self.aggregation {
                    Aggregation::None => entities,
                    _ => disjoint(text, entities),
                }
            }
        }
    }
}

/// The scores of the first tokens of words; words without tokens are outside.
fn word_scores(decoder: &Decoder, tokens: &TokenizedText, scores: &[f32]) -> Vec<f32> {
    let n_tags = decoder.tags().len();
    let mut outside = vec![f32::NEG_INFINITY; n_tags];
    outside[decoder.tags().outside()] = 0.0;
    let row = |token: &Option<u32>| match token {
        Some(token) => &scores[*token as usize * n_tags..][..n_tags],
        None => &outside[..],
    };
    tokens
        .word_first_token
        .iter()
        .flat_map(row)
        .copied()
        .collect()
}

/// The best label of each token, as `aggregate` of the pipeline.
fn each_token(tokens: &TokenizedText, rows: &[&[f32]]) -> Vec<Decision> {
    let spans = tokens.tokens.offsets.iter();
    rows.iter()
        .zip(spans)
        .map(|(row, &(start, end))| Decision::new(best(row), Span::new(start, end).ok()))
        .collect()
}

/// One label for each word that has tokens, as `aggregate_words` of the pipeline; `decide` is `aggregate_word`.
fn each_word(
    tokens: &TokenizedText,
    rows: &[&[f32]],
    decide: fn(&[&[f32]]) -> (usize, f64),
) -> Vec<Decision> {
    let mut of_words: Vec<(usize, &[f32])> = rows
        .iter()
        .zip(&tokens.token_word)
        .filter_map(|(row, word)| Some(((*word)? as usize, *row)))
        .collect();
    // They are in this order, unless a tokenizer gives odd offsets.
    of_words.sort_by_key(|&(word, _)| word);
    let decision = |of_word: &[(usize, &[f32])]| {
        let rows: Vec<&[f32]> = of_word.iter().map(|&(_, row)| row).collect();
        Decision::new(decide(&rows), Some(tokens.words[of_word[0].0]))
    };
    of_words
        .chunk_by(|(word, _), (next, _)| word == next)
        .map(decision)
        .collect()
}

/// Neighbours that belong together as entities, as `group_entities` of the pipeline.
fn groups(labels: &GroupLabels, decisions: &[Decision]) -> Vec<Entity> {
    decisions
        .chunk_by(|previous, next| labels.continues(previous.label, next.label))
        .filter_map(|group| entity(labels, group))
        .collect()
}

/// The entity of a group, unless it is labelled as none or is nothing that can be seen.
fn entity(labels: &GroupLabels, group: &[Decision]) -> Option<Entity> {
    let name = labels.name(group.first()?.label)?;
    let spans = group.iter().filter_map(|decision| decision.span);
    let span = spans.reduce(Span::cover)?;
    let sum: f64 = group.iter().map(|decision| decision.score).sum();
    let mean = sum / group.len() as f64;
    Some(Entity::new(span, name).with_score(mean as f32))
}

/// Tokens can share a character that they spell together; it stays with the first of two entities.
fn disjoint(text: &str, entities: Vec<Entity>) -> Vec<Entity> {
    let mut end = 0;
    let rest = |mut entity: Entity| {
        if entity.span.start() < end {
            entity.span = trimmed(text, end, entity.span.end())?;
        }
        end = entity.span.end();
        Some(entity)
    };
    entities.into_iter().filter_map(rest).collect()
}

/// The part of a text without white space at its edges.
fn trimmed(text: &str, start: usize, end: usize) -> Option<Span> {
    let part = text.get(start..end)?;
    let start = end - part.trim_start().len();
    Span::new(start, start + text[start..end].trim_end().len()).ok()
}

/// The label with the largest log-probability, the first of equals, and its probability.
fn best(row: &[f32]) -> (usize, f64) {
    let (label, score) = first_maximum(row.iter().map(|&score| f64::from(score)));
    (label, score.exp())
}

fn first(rows: &[&[f32]]) -> (usize, f64) {
    best(rows[0])
}

/// The label with the largest mean probability; as `nanmean` of numpy it leaves out what is no number.
fn best_mean(rows: &[&[f32]]) -> (usize, f64) {
    let mean = |label| {
        let scores = rows.iter().map(|row: &&[f32]| f64::from(row[label]));
        let (n, sum) = scores
            .filter(|score| !score.is_nan())
            .fold((0, 0.0), |(n, sum), score| (n + 1, sum + score.exp()));
        sum / f64::from(n)
    };
    first_maximum((0..rows[0].len()).map(mean))
}

/// The best label of the row that has the largest best log-probability, the first of equals.
fn surest(rows: &[&[f32]]) -> (usize, f64) {
    let (row, _) = first_maximum(rows.iter().map(|row| best(row).1));
    best(rows[row])
}

/// The first of the largest values and its place; nothing is smaller than NaN.
fn first_maximum(values: impl Iterator<Item = f64>) -> (usize, f64) {
    values
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |largest, value| {
            if value.1 > largest.1 { value } else { largest }
        })
}
