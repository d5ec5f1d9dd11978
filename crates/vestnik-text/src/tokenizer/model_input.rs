//! One text, or two, as a model reads them: with special tokens.

use super::{Tokenizer, tidy_span};
use crate::{Error, Result, byte_tokens};

/// The tokens of one text or of a pair, with the special tokens that the tokenizer puts around and between them.
///
/// All vectors are of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelInput {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// The segment of each token, as the tokenizer numbers them; not every model looks at them.
    pub type_ids: Vec<u32>,
    /// The text that each token is of, 0 or 1; `None` for special tokens.
    pub texts: Vec<Option<usize>>,
    /// For each token the bytes of its text, as in [`Encoding::offsets`](crate::Encoding::offsets); `(0, 0)` for special
    /// tokens.
    pub offsets: Vec<(usize, usize)>,
}

impl ModelInput {
    /// Number of tokens, special ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Tidies the offsets of the tokens of one text, as those of [`Tokenizer::encode`] are.
    fn tidy(&mut self, tokenizer: &Tokenizer, index: usize, text: &str) {
        let of_text = |&token: &usize| self.texts[token] == Some(index);
        let tokens: Vec<usize> = (0..self.len()).filter(of_text).collect();
        let spans = tokens.iter().map(|&token| self.offsets[token]);
        let mut spans: Vec<_> = spans.map(|span| tidy_span(text, span)).collect();
        let ids = tokens.iter().map(|&token| self.ids[token]);
        let bytes: Vec<_> = ids.map(|id| tokenizer.byte_of(id)).collect();
        byte_tokens::narrow(text, &bytes, &mut spans);
        for (token, span) in tokens.into_iter().zip(spans) {
            self.offsets[token] = span;
        }
    }
}

impl Tokenizer {
    /// Turns a text, or a text and the one that it is paired with, into what a model reads: special tokens as the
    /// tokenizer's own template puts them, nothing cut, nothing padded. As in [`Tokenizer::encode`], no special token is
    /// recognised within a text.
    ///
    /// A tokenizer without a template adds no special tokens.
    ///
    /// # Errors
    /// [`Error::Encode`] when a text has a character that the vocabulary can neither spell nor call unknown.
    pub fn encode_for_model(&self, text: &str, pair: Option<&str>) -> Result<ModelInput> {
        let encoded = match pair {
            Some(pair) => self.inner.encode((text, pair), true),
            None => self.inner.encode(text, true),
        };
        let n_bytes = text.len() + pair.map_or(0, str::len);
        let encoding = encoded.map_err(|source| Error::Encode { n_bytes, source })?;
        let mut input = ModelInput {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            texts: encoding.get_sequence_ids(),
            offsets: encoding.get_offsets().to_vec(),
        };
        for (index, text) in [Some(text), pair].into_iter().flatten().enumerate() {
            input.tidy(self, index, text);
        }
        Ok(input)
    }
}
