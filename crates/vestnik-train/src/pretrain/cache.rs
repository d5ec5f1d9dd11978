//! Token caches: the texts of a file, tokenised once, in files that are mapped into memory.
//!
//! A cache is a folder that appears whole under its name:
//!
//! | file | holds, numbers little-endian |
//! |---|---|
//! | `ids` | the id of each token: 2 bytes for vocabularies up to 65,536, else 4 |
//! | `word_starts` | a bit for each token, the lowest of a byte first: whether a word begins there |
//! | `ends` | 8 bytes for each piece: the token behind its last one |
//! | `languages` | 2 bytes for each piece: its place in the `languages` of `cache.json` |
//! | `cache.json` | what the cache was made of, and the sizes of the above |
//! | `SHA256SUMS` | the hashes of all of them |

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vestnik_text::Tokenizer;

use crate::error::{Error, Result};
use crate::files::{self, NewFolder};
use crate::mapped::MappedFile;
use crate::pretrain::cutting::Tokens;
use crate::stream::Stream;
use crate::sums;

const FORMAT_VERSION: u32 = 1;
const IDS: &str = "ids";
const WORD_STARTS: &str = "word_starts";
const ENDS: &str = "ends";
const LANGUAGES: &str = "languages";
const CONTENTS: &str = "cache.json";

/// Vocabularies up to this size are kept in 2 bytes a token.
const SMALL_VOCABULARY: usize = 1 << 16;
const END_BYTES: usize = 8;
const LANGUAGE_BYTES: usize = 2;

/// Texts that are tokenised at a time: enough for all threads, few enough to stay small in memory.
const TEXTS_AT_A_TIME: usize = 256;

/// A text with its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The text.
    pub text: String,
    /// The language, an ISO 639-1 code.
    pub lang: Option<String>,
}

/// All that the pieces of a file depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) format_version: u32,
    /// Version of this crate: what a word is may change between versions.
    pub(super) crate_version: String,
    pub(super) tokenizer_sha256: String,
    pub(super) source_sha256: String,
    pub(super) piece_tokens: usize,
}

impl Key {
    pub(super) fn new(tokenizer_sha256: &str, source_sha256: &str, piece_tokens: usize) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            crate_version: env!("CARGO_PKG_VERSION").to_owned(),
            tokenizer_sha256: tokenizer_sha256.to_owned(),
            source_sha256: source_sha256.to_owned(),
            piece_tokens,
        }
    }

    /// The folder of the cache of a file with this name.
    pub(super) fn folder(&self, caches: &Path, name: &str) -> PathBuf {
        let mut hash = Sha256::new();
        let Self {
            format_version,
            crate_version,
            tokenizer_sha256,
            source_sha256,
            piece_tokens,
        } = self;
        hash.update(format!(
            "{format_version} {crate_version} {tokenizer_sha256} {source_sha256} {piece_tokens}"
        ));
        let digest = format!("{:x}", hash.finalize());
        caches.join(format!("{name}-{}", &digest[..16]))
    }
}

/// `cache.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Contents {
    key: Key,
    id_bytes: usize,
    texts: usize,
    tokens: usize,
    pieces: usize,
    languages: Vec<Option<String>>,
}

/// The pieces of a file.
#[derive(Debug, Clone)]
pub(super) struct TokenCache {
    contents: Contents,
    ids: MappedFile,
    word_starts: MappedFile,
    ends: MappedFile,
    languages: MappedFile,
    /// Hash of all pieces with their languages.
    pub(super) digest: String,
}

impl TokenCache {
    /// Opens a cache; or says what is wrong with it.
    pub(super) fn open(folder: &Path, key: &Key) -> std::result::Result<Self, String> {
        if let Some(problem) = sums::problem(folder) {
            return Err(problem);
        }
        let cache = Self::map(folder).map_err(|error| error.to_string())?;
        if cache.contents.key != *key {
            return Err("it was made of something else".to_owned());
        }
        match cache.is_consistent() {
            true => Ok(cache),
            false => Err("its files do not fit together".to_owned()),
        }
    }

    fn map(folder: &Path) -> Result<Self> {
        let open = |name: &str| MappedFile::open(&folder.join(name));
        Ok(Self {
            contents: files::read_json(&folder.join(CONTENTS))?,
            ids: open(IDS)?,
            word_starts: open(WORD_STARTS)?,
            ends: open(ENDS)?,
            languages: open(LANGUAGES)?,
            digest: sums::digest(folder, &[IDS, WORD_STARTS, ENDS, LANGUAGES])?,
        })
    }

    fn is_consistent(&self) -> bool {
        let Contents {
            id_bytes,
            tokens,
            pieces,
            ..
        } = self.contents;
        let last = (0..pieces).last().map_or(0, |piece| self.range(piece).end);
        self.ids.bytes().len() == tokens * id_bytes
            && self.word_starts.bytes().len() == tokens.div_ceil(8)
            && self.ends.bytes().len() == pieces * END_BYTES
            && self.languages.bytes().len() == pieces * LANGUAGE_BYTES
            && last == tokens
    }

    pub(super) fn n_texts(&self) -> usize {
        self.contents.texts
    }

    pub(super) fn n_tokens(&self) -> usize {
        self.contents.tokens
    }

    pub(super) fn n_pieces(&self) -> usize {
        self.contents.pieces
    }

    /// The languages of the texts, in the order in which they first came.
    pub(super) fn languages(&self) -> &[Option<String>] {
        &self.contents.languages
    }

    /// Which of [`Self::languages`] a piece has.
    pub(super) fn language(&self, piece: usize) -> usize {
        number(self.languages.bytes(), piece, LANGUAGE_BYTES)
    }

    /// Tokens of a piece.
    pub(super) fn range(&self, piece: usize) -> Range<usize> {
        let end = |piece| number(self.ends.bytes(), piece, END_BYTES);
        piece.checked_sub(1).map_or(0, end)..end(piece)
    }

    /// Token ids of a piece, and for each whether a word begins there.
    pub(super) fn piece(&self, piece: usize) -> (Vec<u32>, Vec<bool>) {
        let (ids, word_starts) = (self.ids.bytes(), self.word_starts.bytes());
        let id = |token| number(ids, token, self.contents.id_bytes) as u32;
        let begins = |token: usize| word_starts[token / 8] >> (token % 8) & 1 == 1;
        let range = self.range(piece);
        (range.clone().map(id).collect(), range.map(begins).collect())
    }
}

/// A number of `width` bytes.
fn number(bytes: &[u8], place: usize, width: usize) -> usize {
    let bytes = &bytes[place * width..][..width];
    let digits = bytes.iter().rev();
    digits.fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// A cache in the making: texts are tokenised and written as they come, so memory does not depend on how many there are.
///
/// Dropped without [`CacheWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct CacheWriter<'a> {
    tokenizer: &'a Tokenizer,
    target: PathBuf,
    folder: NewFolder,
    contents: Contents,
    ids: Stream,
    word_starts: BitStream,
    ends: Stream,
    languages: Stream,
}

impl<'a> CacheWriter<'a> {
    pub(super) fn create(tokenizer: &'a Tokenizer, target: PathBuf, key: Key) -> Result<Self> {
        let folder = NewFolder::create(&target)?;
        let stream = |name| Stream::create(folder.path().join(name));
        let small = tokenizer.vocab_size() <= SMALL_VOCABULARY;
        Ok(Self {
            tokenizer,
            target,
            contents: Contents {
                key,
                id_bytes: if small { 2 } else { 4 },
                texts: 0,
                tokens: 0,
                pieces: 0,
                languages: Vec::new(),
            },
            ids: stream(IDS)?,
            word_starts: BitStream::new(stream(WORD_STARTS)?),
            ends: stream(ENDS)?,
            languages: stream(LANGUAGES)?,
            folder,
        })
    }

    /// Tokenises texts on all threads and writes their pieces in their order.
    ///
    /// # Errors
    /// [`Error::Text`] when the tokenizer refuses a text, [`Error::Io`] when a file cannot be written.
    pub fn add_texts(&mut self, texts: impl IntoIterator<Item = SourceText>) -> Result<()> {
        let mut texts = texts.into_iter();
        loop {
            let some: Vec<SourceText> = texts.by_ref().take(TEXTS_AT_A_TIME).collect();
            if some.is_empty() {
                return Ok(());
            }
            let tokenized: Vec<_> = some
                .par_iter()
                .map(|text| Tokens::of(self.tokenizer, &text.text))
                .collect();
            for (tokens, text) in tokenized.into_iter().zip(some) {
                self.add(&tokens?, text.lang)?;
            }
        }
    }

    fn add(&mut self, tokens: &Tokens, lang: Option<String>) -> Result<()> {
        let language = self.language(lang)?;
        for piece in tokens.pieces(self.contents.key.piece_tokens) {
            for token in piece.clone() {
                let id = tokens.ids[token].to_le_bytes();
                self.ids.write(&id[..self.contents.id_bytes])?;
                self.word_starts.write(tokens.word_starts[token])?;
            }
            self.contents.tokens += piece.len();
            self.contents.pieces += 1;
            let end = self.contents.tokens as u64;
            self.ends.write(&end.to_le_bytes())?;
            self.languages.write(&language.to_le_bytes())?;
        }
        self.contents.texts += 1;
        Ok(())
    }

    /// Languages are few, so a list is searched.
    fn language(&mut self, lang: Option<String>) -> Result<u16> {
        let languages = &mut self.contents.languages;
        let known = languages.iter().position(|known| *known == lang);
        let place = known.unwrap_or_else(|| {
            languages.push(lang);
            languages.len() - 1
        });
        u16::try_from(place).map_err(|_| Error::TooManyLanguages {
            most: usize::from(u16::MAX),
        })
    }

    /// Puts the cache in its place.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be written.
    pub fn finish(self) -> Result<()> {
        self.ids.finish()?;
        self.word_starts.finish()?;
        self.ends.finish()?;
        self.languages.finish()?;
        files::write_json(&self.folder.path().join(CONTENTS), &self.contents)?;
        sums::write(self.folder.path())?;
        files::remove_folder(&self.target)?;
        self.folder.commit()
    }
}

/// A [`Stream`] of bits, eight to a byte.
#[derive(Debug)]
struct BitStream {
    stream: Stream,
    byte: u8,
    n_bits: u32,
}

impl BitStream {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            byte: 0,
            n_bits: 0,
        }
    }

    fn write(&mut self, bit: bool) -> Result<()> {
        self.byte |= u8::from(bit) << self.n_bits;
        self.n_bits += 1;
        if self.n_bits < u8::BITS {
            return Ok(());
        }
        self.n_bits = 0;
        self.stream.write(&[std::mem::take(&mut self.byte)])
    }

    fn finish(mut self) -> Result<()> {
        if self.n_bits > 0 {
            self.stream.write(&[self.byte])?;
        }
        self.stream.finish()
    }
}
