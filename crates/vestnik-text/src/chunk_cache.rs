//! Remembered tokens of stretches of text without white space.
//!
//! Most of the time of a tokenizer goes into normalisation and splitting, and most of the words of a text have been seen
//! before. Where white space divides a text into parts that do not see each other, the tokens of a part are looked up.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokenizers::normalizers::{Replace, replace::ReplacePattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use crate::tokenizer_training::CHARACTER_REPLACEMENTS;
use crate::{Encoding, Result};

/// Longer chunks are not remembered: they hardly come again.
const MAX_CHUNK_BYTES: usize = 64;
/// Chunks that are remembered: at most about 30 MB. Nine of ten chunks of news are among them before it is full.
const MAX_CHUNKS: usize = 1 << 18;

/// The tokens of a chunk: ids and spans from the start of the chunk.
type Tokens = Arc<[(u32, u8, u8)]>;

/// Remembers tokens of chunks of text.
#[derive(Debug, Default)]
pub(crate) struct ChunkCache {
    known: RwLock<HashMap<Box<str>, Tokens>>,
}

impl ChunkCache {
    /// The tokens of a text, of which `encode` gives those of a chunk without white space.
    pub(crate) fn encode(
        &self,
        text: &str,
        encode: impl Fn(&str) -> Result<Encoding>,
    ) -> Result<Encoding> {
        let mut encoding = Encoding::default();
        let mut new: Vec<(&str, Tokens)> = Vec::new();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        for (start, chunk) in chunks(text) {
            if let Some(tokens) = known.get(chunk) {
                let tokens = tokens
                    .iter()
                    .map(|&(id, from, to)| (id, (usize::from(from), usize::from(to))));
                push(&mut encoding, start, tokens);
                continue;
            }
            let tokens = encode(chunk)?;
            new.extend(compact(chunk, &tokens).map(|tokens| (chunk, tokens)));
            push(
                &mut encoding,
                start,
                tokens.ids.into_iter().zip(tokens.offsets),
            );
        }
        let has_room = known.len() < MAX_CHUNKS;
        drop(known);
        if has_room {
            self.remember(new);
        }
        Ok(encoding)
    }

    /// Another thread may be writing: what is not remembered now is remembered the next time.
    fn remember(&self, new: Vec<(&str, Tokens)>) {
        if let Ok(mut known) = self.known.try_write() {
            known.extend(
                new.into_iter()
                    .map(|(chunk, tokens)| (Box::from(chunk), tokens)),
            );
        }
    }
}

/// The parts of a text between white space, with their first bytes.
fn chunks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = text.as_ptr().addr();
    text.split(divides)
        .filter(|chunk| !chunk.is_empty())
        .map(move |chunk| (chunk.as_ptr().addr() - start, chunk))
}

/// White space at which every tokenizer that splits at white space does so. BERT's deletes control characters first,
/// and counts these three alone as white space.
fn divides(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c.is_whitespace() && !c.is_control())
}

/// The tokens of a chunk that is worth remembering.
fn compact(chunk: &str, tokens: &Encoding) -> Option<Tokens> {
    let small = |offset: usize| u8::try_from(offset).ok();
    let token =
        |(&id, &(start, end)): (&u32, &(usize, usize))| Some((id, small(start)?, small(end)?));
    let tokens = tokens.ids.iter().zip(&tokens.offsets);
    (chunk.len() <= MAX_CHUNK_BYTES).then(|| tokens.map(token).collect())?
}

fn push(
    encoding: &mut Encoding,
    offset: usize,
    tokens: impl Iterator<Item = (u32, (usize, usize))>,
) {
    for (id, (start, end)) in tokens {
        encoding.ids.push(id);
        encoding.offsets.push((offset + start, offset + end));
    }
}

/// Whether a tokenizer treats the parts of a text between white space each for itself. When in doubt, no.
pub(crate) fn splits_at_white_space(tokenizer: &tokenizers::Tokenizer) -> bool {
    let all_special = tokenizer
        .get_added_tokens_decoder()
        .values()
        .all(|token| token.special);
    all_special
        && tokenizer.get_pre_tokenizer().is_some_and(drops_white_space)
        && tokenizer.get_normalizer().is_none_or(looks_at_characters)
}

/// Whether the first that is done is to split at white space.
fn drops_white_space(pre_tokenizer: &PreTokenizerWrapper) -> bool {
    match pre_tokenizer {
        PreTokenizerWrapper::BertPreTokenizer(_) | PreTokenizerWrapper::WhitespaceSplit(_) => true,
        PreTokenizerWrapper::Sequence(parts) => {
            parts.as_ref().first().is_some_and(drops_white_space)
        }
        _ => false,
    }
}

/// Whether the normalizer looks at characters and what composes with them, never at white space.
fn looks_at_characters(normalizer: &NormalizerWrapper) -> bool {
    use NormalizerWrapper as N;
    match normalizer {
        N::NFC(_)
        | N::NFD(_)
        | N::NFKC(_)
        | N::NFKD(_)
        | N::Lowercase(_)
        | N::StripAccents(_)
        | N::BertNormalizer(_) => true,
        N::Sequence(parts) => parts.as_ref().iter().all(looks_at_characters),
        N::Replace(replace) => CHARACTER_REPLACEMENTS.iter().any(|(pattern, content)| {
            Replace::new(ReplacePattern::Regex((*pattern).to_owned()), *content)
                .is_ok_and(|ours| ours == *replace)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One token for each chunk; its id is its length.
    fn lengths(chunk: &str) -> Result<Encoding> {
        Ok(Encoding {
            ids: vec![chunk.len() as u32],
            offsets: vec![(0, chunk.len())],
        })
    }

    #[test]
    fn chunks_are_remembered_and_put_in_their_place() {
        let cache = ChunkCache::default();
        let expected = Encoding {
            ids: vec![2, 4, 2],
            offsets: vec![(1, 3), (4, 8), (10, 12)],
        };
        assert_eq!(cache.encode(" й\tйй\u{A0}й\n", lengths).unwrap(), expected);
        assert_eq!(cache.known.read().unwrap().len(), 2);
        let unseen = |chunk: &str| panic!("{chunk} was forgotten");
        assert_eq!(cache.encode(" й\tйй\u{A0}й\n", unseen).unwrap(), expected);
    }

    #[test]
    fn long_chunks_are_not_remembered() {
        let cache = ChunkCache::default();
        cache.encode(&"й".repeat(MAX_CHUNK_BYTES), lengths).unwrap();
        assert!(cache.known.read().unwrap().is_empty());
        assert_eq!(cache.encode("", lengths).unwrap(), Encoding::default());
    }
}
