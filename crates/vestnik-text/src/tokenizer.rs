//! Sub-word tokenizers in the `tokenizer.json` format.

use std::path::Path;
use std::sync::Arc;

use crate::chunk_cache::{ChunkCache, splits_at_white_space};
use crate::{Error, Result, byte_tokens};

mod model_input;

pub use model_input::ModelInput;

const FIRST: &[&str] = &["[CLS]", "<s>", "<cls>", "<bos>", "<|startoftext|>"];
const LAST: &[&str] = &["[SEP]", "</s>", "<sep>", "<eos>", "<|endoftext|>"];
const PADDING: &[&str] = &["[PAD]", "<pad>", "<|padding|>"];
const MASK: &[&str] = &["[MASK]", "<mask>"];
const UNKNOWN: &[&str] = &["[UNK]", "<unk>"];

/// The ids of the tokens that a model gives a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialTokens {
    /// First token of every sequence: `[CLS]` or `<s>`.
    pub cls: u32,
    /// Last token of every sequence: `[SEP]` or `</s>`.
    pub sep: u32,
    /// Fills sequences up where an engine needs equal lengths: `[PAD]` or `<pad>`.
    pub pad: u32,
    /// Stands for a hidden token in masked language modelling.
    pub mask: Option<u32>,
    /// Stands for what the vocabulary cannot spell.
    pub unk: Option<u32>,
}

/// The tokens of one text, without special tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// For each id the UTF-8 bytes `start..end` of the original text, end-exclusive, on character boundaries,
    /// without white space at the edges. A token that stands for no visible character is empty (`start == end`).
    /// Tokens may share bytes: each of the four byte tokens that spell a character has the span of the character.
    pub offsets: Vec<(usize, usize)>,
}

impl Encoding {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// A sub-word tokenizer. Cloning is cheap: clones share the vocabulary.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    /// There when the tokenizer treats what stands between white space apart.
    chunks: Option<Arc<ChunkCache>>,
    tokens: Arc<[Option<String>]>,
    special: SpecialTokens,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::TokenizerFile`] when the file cannot be read, and those of [`Tokenizer::from_bytes`].
    pub fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::TokenizerFile {
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }

    /// Reads the content of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::TokenizerFormat`] when the bytes are no tokenizer, [`Error::SpecialTokenMissing`] when its template says
    /// no first and last token and none has a usual name, or it has no padding token under one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|source| Error::TokenizerFormat { source })?;
        Self::new(inner)
    }

    pub(crate) fn new(mut inner: tokenizers::Tokenizer) -> Result<Self> {
        // Lengths are decided by windows and batches; and an article that says "[MASK]" means these six characters.
        inner
            .with_truncation(None)
            .map_err(|source| Error::TokenizerFormat { source })?;
        inner.with_padding(None);
        inner.set_encode_special_tokens(true);
        let special = special_tokens(&inner)?;
        let tokens = token_table(&inner);
        Ok(Self {
            chunks: splits_at_white_space(&inner).then(Arc::default),
            inner: Arc::new(inner),
            tokens,
            special,
        })
    }

    /// Writes the tokenizer as `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::TokenizerFile`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_json()?).map_err(|source| Error::TokenizerFile {
            path: path.to_owned(),
            source,
        })
    }

    /// The tokenizer in the `tokenizer.json` format, on one line.
    ///
    /// # Errors
    /// [`Error::TokenizerFormat`] when a part of the tokenizer has no JSON form.
    pub fn to_json(&self) -> Result<String> {
        self.inner
            .to_string(false)
            .map_err(|source| Error::TokenizerFormat { source })
    }

    /// One more than the largest id, added tokens counted: the rows that an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }

    /// The ids of the special tokens.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// The piece of an id, as it is written in the vocabulary.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize)?.as_deref()
    }

    /// The id of a piece, as it is written in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Turns a text into tokens: no special tokens added or recognised, nothing cut, nothing padded.
    ///
    /// Memory and time grow with the text; [`TokenizedText`](crate::TokenizedText) feeds long texts in pieces. Tokens of
    /// words are remembered (shared by clones, bounded), so that what comes again is found quickly.
    ///
    /// # Errors
    /// [`Error::Encode`] when the text has a character that the vocabulary can neither spell nor call unknown.
    pub fn encode(&self, text: &str) -> Result<Encoding> {
        match &self.chunks {
            Some(chunks) => chunks.encode(text, |chunk| self.encode_all(chunk)),
            None => self.encode_all(text),
        }
    }

    fn encode_all(&self, text: &str) -> Result<Encoding> {
        let encoded = self
            .inner
            .encode(text, false)
            .map_err(|source| Error::Encode {
                n_bytes: text.len(),
                source,
            })?;
        let ids = encoded.get_ids().to_vec();
        let spans = encoded.get_offsets().iter();
        let mut offsets = spans.map(|&span| tidy_span(text, span)).collect::<Vec<_>>();
        let bytes: Vec<_> = ids.iter().map(|&id| self.byte_of(id)).collect();
        byte_tokens::narrow(text, &bytes, &mut offsets);
        Ok(Encoding { ids, offsets })
    }

    fn byte_of(&self, id: u32) -> Option<u8> {
        self.token(id).and_then(byte_tokens::byte_of)
    }
}

/// Puts a span on character boundaries (outwards) and takes white space off its edges.
fn tidy_span(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let start = text.floor_char_boundary(start.min(text.len()));
    let end = text.ceil_char_boundary(end.min(text.len())).max(start);
    let slice = &text[start..end];
    let start = start + (slice.len() - slice.trim_start().len());
    (start, start + slice.trim().len())
}

fn special_tokens(inner: &tokenizers::Tokenizer) -> Result<SpecialTokens> {
    let find = |names: &[&str]| names.iter().find_map(|name| inner.token_to_id(name));
    let require = |role, names: &'static [&'static str]| {
        find(names).ok_or(Error::SpecialTokenMissing { role, names })
    };
    let (cls, sep) = match around_a_text(inner) {
        Some(tokens) => tokens,
        None => (require("first", FIRST)?, require("last", LAST)?),
    };
    Ok(SpecialTokens {
        cls,
        sep,
        pad: require("padding", PADDING)?,
        mask: find(MASK),
        unk: find(UNKNOWN),
    })
}

/// The tokens that the tokenizer's own template puts before and after a text, if it puts one on each side.
fn around_a_text(inner: &tokenizers::Tokenizer) -> Option<(u32, u32)> {
    let nothing = inner.encode("", true).ok()?;
    match (nothing.get_ids(), nothing.get_special_tokens_mask()) {
        (&[first, last], [1, 1]) => Some((first, last)),
        _ => None,
    }
}

fn token_table(inner: &tokenizers::Tokenizer) -> Arc<[Option<String>]> {
    let mut pieces: Vec<(String, u32)> = inner.get_vocab(true).into_iter().collect();
    pieces.sort_unstable_by_key(|&(_, id)| id);
    let size = pieces.last().map_or(0, |&(_, id)| id as usize + 1);
    let mut table = vec![None; size];
    for (piece, id) in pieces {
        table[id as usize] = Some(piece);
    }
    table.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenizerTraining;
    use proptest::prelude::*;

    fn tokenizer() -> Tokenizer {
        let training = TokenizerTraining {
            vocab_size: 800,
            ..TokenizerTraining::default()
        };
        training
            .train(["Слово и слово, word for word."; 3])
            .unwrap()
    }

    #[test]
    fn own_tokenizers_remember_words() {
        let tokenizer = tokenizer();
        assert!(tokenizer.chunks.is_some());
        let json = tokenizer.to_json().unwrap();
        for (part, other) in [
            ("WhitespaceSplit", "Whitespace"),
            (r"\\x{2010}", r"\\s-"),
            ("NFKC", "Nmt"),
        ] {
            let changed = json.replace(&format!("{part}\""), &format!("{other}\""));
            assert_ne!(changed, json);
            assert!(
                Tokenizer::from_bytes(changed.as_bytes())
                    .unwrap()
                    .chunks
                    .is_none(),
                "{other}"
            );
        }
    }

    #[test]
    fn remembered_tokens_are_those_of_the_whole_text() {
        let tokenizer = tokenizer();
        let parts = [
            "слово",
            "word",
            " ",
            "\n",
            "\u{A0}",
            "\u{301}",
            "и",
            "\u{306}",
            "’",
            "漢",
            "🙂",
            "´",
            "\0",
            "-",
            "▁",
            "ﬁ",
            "\u{AD}",
        ];
        let texts = prop::collection::vec(prop::sample::select(parts.to_vec()), 0..20);
        proptest!(|(text in texts)| {
            let text = text.concat();
            prop_assert_eq!(tokenizer.encode(&text).unwrap(), tokenizer.encode_all(&text).unwrap());
        });
    }
}
