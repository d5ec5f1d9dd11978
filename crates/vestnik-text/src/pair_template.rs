//! Two texts as one sequence.

use crate::{Batch, Result, Tokenizer};

/// How a tokenizer frames a text and the one that it is paired with: special tokens before, between and behind, and the
/// segments of all. Texts are tokenised on their own, once, and paired as often as it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairTemplate {
    before: Vec<Token>,
    between: Vec<Token>,
    after: Vec<Token>,
    /// Segments of the two texts.
    segments: [u32; 2],
}

/// A special token: id and segment.
type Token = (u32, u32);

impl PairTemplate {
    /// The template of a tokenizer, as it shows in a pair of short texts.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode_for_model`].
    pub fn new(tokenizer: &Tokenizer) -> Result<Self> {
        let sample = tokenizer.encode_for_model("a", Some("a"))?;
        let of_text = |index| move |text: &Option<usize>| *text == Some(index);
        let first = |index| sample.texts.iter().position(of_text(index));
        let behind = |index| {
            sample
                .texts
                .iter()
                .rposition(of_text(index))
                .map(|last| last + 1)
        };
        let tokens = |range: std::ops::Range<usize>| {
            let of_range = sample.ids[range.clone()]
                .iter()
                .zip(&sample.type_ids[range]);
            of_range.map(|(&id, &segment)| (id, segment)).collect()
        };
        let len = sample.len();
        let starts = [0, 1].map(|index| first(index).unwrap_or(len));
        let ends = [0, 1].map(|index| behind(index).unwrap_or(len));
        Ok(Self {
            before: tokens(0..starts[0]),
            between: tokens(ends[0]..starts[1]),
            after: tokens(ends[1]..len),
            segments: starts.map(|start| sample.type_ids.get(start).copied().unwrap_or(0)),
        })
    }

    /// Number of special tokens of a pair.
    #[must_use]
    pub fn n_special(&self) -> usize {
        self.before.len() + self.between.len() + self.after.len()
    }

    /// Pairs of token ids as one batch, in their order; the pair's number is the document of its origin.
    pub fn batch<'a>(&self, pairs: impl IntoIterator<Item = [&'a [u32]; 2]>) -> Batch {
        let mut batch = Batch {
            cumulative_lengths: vec![0],
            ..Batch::default()
        };
        for (number, pair) in pairs.into_iter().enumerate() {
            self.push(&mut batch, pair);
            batch.origins.push((number, 0));
        }
        batch
    }

    fn push(&self, batch: &mut Batch, [first, second]: [&[u32]; 2]) {
        let start = batch.ids.len();
        let texts = [first, second].into_iter().zip(self.segments);
        let mut specials = [&self.before, &self.between].into_iter();
        for (text, segment) in texts {
            extend(batch, specials.next().into_iter().flatten().copied());
            extend(batch, text.iter().map(|&id| (id, segment)));
        }
        extend(batch, self.after.iter().copied());
        let length = batch.ids.len() - start;
        batch.position_ids.extend(0..length as u32);
        batch.cumulative_lengths.push(batch.ids.len());
    }
}

fn extend(batch: &mut Batch, tokens: impl Iterator<Item = Token>) {
    for (id, segment) in tokens {
        batch.ids.push(id);
        batch.type_ids.push(segment);
    }
}
