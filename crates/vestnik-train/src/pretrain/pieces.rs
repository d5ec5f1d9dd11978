//! All texts of a run as pieces of token ids, in caches on disk.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vestnik_text::Tokenizer;

use crate::error::Result;
use crate::pretrain::cache::{CacheWriter, Key, TokenCache};

/// All texts of a run, tokenised and cut into pieces.
///
/// Tokens lie in caches that are mapped into memory, one for each file; here are only a few numbers for each file.
#[derive(Debug, Clone)]
pub struct Pieces {
    tokenizer: Tokenizer,
    tokenizer_sha256: String,
    piece_tokens: usize,
    caches: PathBuf,
    sources: Vec<Source>,
}

/// A file of texts by its name and contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// What the folder of its cache begins with.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What was found in place of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// The cache; its pieces were added.
    Added {
        /// Texts in the file.
        texts: usize,
    },
    /// Nothing.
    Missing,
    /// A cache that cannot be used.
    Damaged {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Debug, Clone)]
struct Source {
    cache: TokenCache,
    /// Number of its first piece.
    first: usize,
}

impl Pieces {
    /// No texts yet; pieces will have at most `piece_tokens` tokens, special tokens not counted. Caches are in the folder
    /// `caches`.
    ///
    /// # Errors
    /// [`crate::Error::Text`] when the tokenizer has no JSON form.
    pub fn new(tokenizer: Tokenizer, piece_tokens: usize, caches: &Path) -> Result<Self> {
        let tokenizer_sha256 = format!("{:x}", Sha256::digest(tokenizer.to_json()?));
        Ok(Self {
            tokenizer,
            tokenizer_sha256,
            piece_tokens: piece_tokens.max(1),
            caches: caches.to_owned(),
            sources: Vec::new(),
        })
    }

    /// Adds the pieces of a file from its cache, if there is one that is whole.
    #[must_use]
    pub fn add_cached(&mut self, file: &TextFile) -> Cached {
        let (key, path) = self.place(file);
        if !path.exists() {
            return Cached::Missing;
        }
        match TokenCache::open(&path, &key) {
            Ok(cache) => {
                let texts = cache.n_texts();
                let first = self.len();
                self.sources.push(Source { cache, first });
                Cached::Added { texts }
            }
            Err(problem) => Cached::Damaged { path, problem },
        }
    }

    /// Starts the cache of a file; to be added once it is finished.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when its folder cannot be made.
    pub fn write(&self, file: &TextFile) -> Result<CacheWriter<'_>> {
        let (key, path) = self.place(file);
        CacheWriter::create(&self.tokenizer, path, key)
    }

    pub(super) fn place(&self, file: &TextFile) -> (Key, PathBuf) {
        let key = Key::new(&self.tokenizer_sha256, &file.sha256, self.piece_tokens);
        let path = key.folder(&self.caches, &file.name);
        (key, path)
    }

    /// Number of pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        let last = self.sources.last();
        last.map_or(0, |source| source.first + source.cache.n_pieces())
    }

    /// Number of files.
    #[must_use]
    pub fn n_files(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are no pieces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of tokens in all pieces.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        let tokens = self.sources.iter().map(|source| source.cache.n_tokens());
        tokens.sum()
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens of a piece.
    pub(super) fn length(&self, piece: usize) -> usize {
        let (source, piece) = self.locate(piece);
        self.sources[source].cache.range(piece).len()
    }

    /// Token ids of a piece, and for each whether a word begins there.
    pub(super) fn piece(&self, piece: usize) -> (Vec<u32>, Vec<bool>) {
        let (source, piece) = self.locate(piece);
        self.sources[source].cache.piece(piece)
    }

    /// The file of a piece, and which of the file's languages it has.
    pub(super) fn origin(&self, piece: usize) -> (usize, usize) {
        let (source, piece) = self.locate(piece);
        (source, self.sources[source].cache.language(piece))
    }

    /// The languages of each file, in the order in which they first came.
    pub(super) fn languages(&self) -> impl Iterator<Item = &[Option<String>]> {
        self.sources.iter().map(|source| source.cache.languages())
    }

    /// Hash of all pieces in their order.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for source in &self.sources {
            hash.update(&source.cache.digest);
        }
        format!("{:x}", hash.finalize())
    }

    /// The file of a piece and its number there.
    fn locate(&self, piece: usize) -> (usize, usize) {
        let behind = self.sources.partition_point(|source| source.first <= piece);
        let source = behind.saturating_sub(1);
        (source, piece - self.sources[source].first)
    }
}
