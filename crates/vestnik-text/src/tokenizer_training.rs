//! Training of a Unigram tokenizer from texts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::{NFKC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::tokenizer::{
    AddedToken, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer, SplitDelimiterBehavior,
};
use tokenizers::{DecoderWrapper, NormalizerWrapper, PreTokenizerWrapper};

use crate::error::TokenizersError;
use crate::unigram::{self, Goal, Piece, Word};
use crate::{Error, Result, Tokenizer};

/// The mark that begins every pre-token, as in SentencePiece.
const WORD_START: char = '▁';
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const UNKNOWN_ID: usize = 1;
/// Characters that are replaced after NFKC, each for itself, and what with.
pub(crate) const CHARACTER_REPLACEMENTS: &[(&str, &str)] = &[
    // Soft hyphens, zero-width and direction marks, variation selectors; stress marks that compose with no letter.
    (
        r"[\x{00AD}\x{0300}\x{0301}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FE00}-\x{FE0F}\x{FEFF}]",
        "",
    ),
    // Apostrophes.
    (r"[\x{2018}\x{2019}\x{02BC}]", "'"),
    // The hyphen that NFKC makes of the one that does not break.
    (r"\x{2010}", "-"),
];
/// No longer string is a word.
const MAX_WORD_CHARS: usize = 64;

/// How a tokenizer is trained: a cased Unigram model (Kudo 2018, <https://arxiv.org/abs/1804.10959>) over pre-tokens.
///
/// Texts are brought to NFKC, invisible characters and stress marks are taken out, and the three apostrophes become one.
/// Pre-tokens are split at white space and around every punctuation mark and digit; each begins with `▁`, so a word is
/// spelt with the same pieces behind a space, a quotation mark, a hyphen or a bracket.
/// Characters outside of the alphabet are spelt in UTF-8 bytes, `<0x00>` to `<0xFF>`: there is no unknown text.
#[derive(Debug, Clone)]
pub struct TokenizerTraining {
    /// Number of pieces altogether: special tokens, bytes, characters and all others. Default 32,000.
    pub vocab_size: usize,
    /// Longest piece in characters. Default 16.
    pub max_piece_chars: usize,
    /// Characters that get a piece of their own however rare they are. Default: ASCII, the Latin letters of Europe, the
    /// Cyrillic letters of the Slavic languages, quotation marks, dashes and currency signs.
    pub alphabet: Vec<char>,
    /// How often another character must occur to get a piece of its own; words with a rarer one are left out of the
    /// training. Default 100.
    pub min_char_count: u64,
}

impl Default for TokenizerTraining {
    fn default() -> Self {
        Self {
            vocab_size: 32_000,
            max_piece_chars: 16,
            alphabet: default_alphabet(),
            min_char_count: 100,
        }
    }
}

impl TokenizerTraining {
    /// Trains a tokenizer on texts of any length.
    ///
    /// Memory grows with the number of different words, not with the texts.
    ///
    /// # Errors
    /// [`Error::NoTrainingText`] when no word is found, [`Error::VocabularyTooSmall`] when the alphabet and the bytes fill
    /// the vocabulary, [`Error::Training`] when the trainer fails.
    pub fn train<I>(&self, texts: I) -> Result<Tokenizer>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let pipeline = Pipeline::new().map_err(training_error)?;
        let counts = pipeline.count_words(texts)?;
        let alphabet = pipeline.alphabet(&self.characters(&counts))?;
        let words = usable_words(counts, &alphabet);
        if words.is_empty() {
            return Err(Error::NoTrainingText);
        }
        let goal = Goal {
            n_pieces: self.vocab_size,
            max_chars: self.max_piece_chars,
        };
        let pieces = unigram::train(&words, goal);
        let vocab = self.vocabulary(pieces, &alphabet)?;
        Tokenizer::new(pipeline.into_tokenizer(vocab).map_err(training_error)?)
    }

    /// The alphabet asked for, and every other character that is frequent enough.
    fn characters(&self, words: &HashMap<String, u32>) -> BTreeSet<char> {
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        #[expect(
            clippy::iter_over_hash_type,
            reason = "the order of sums of integers does not matter"
        )]
        for (word, count) in words {
            for c in word.chars() {
                *counts.entry(c).or_default() += u64::from(*count);
            }
        }
        let frequent = counts
            .iter()
            .filter(|(_, count)| **count >= self.min_char_count);
        frequent
            .map(|(c, _)| *c)
            .chain(self.alphabet.iter().copied())
            .collect()
    }

    /// Special tokens, bytes, the alphabet, and the most likely of the other pieces, likely ones first.
    fn vocabulary(&self, trained: Vec<Piece>, alphabet: &Alphabet) -> Result<Vec<Piece>> {
        let floor = lowest_score(&trained);
        let mut required: BTreeMap<String, f64> =
            alphabet.pieces().map(|piece| (piece, floor)).collect();
        let mut optional = Vec::new();
        for (piece, score) in trained {
            if alphabet.is_never_produced(&piece) {
                continue;
            }
            if required.contains_key(&piece) || piece.chars().count() == 1 {
                required.insert(piece, score);
            } else {
                optional.push((piece, score));
            }
        }
        let needed = SPECIAL.len() + 256 + required.len();
        let room = self.vocab_size.checked_sub(needed);
        let room = room.ok_or(Error::VocabularyTooSmall {
            vocab_size: self.vocab_size,
            needed,
        })?;
        sort_by_score(&mut optional);
        optional.truncate(room);
        optional.extend(required);
        sort_by_score(&mut optional);
        let special = SPECIAL.iter().map(|token| ((*token).to_owned(), 0.0));
        let bytes = (0..=255_u8).map(|byte| (format!("<0x{byte:02X}>"), floor));
        Ok(special.chain(bytes).chain(optional).collect())
    }
}

/// Leaves out words that are too long, hold a rare character or have only one spelling; in a fixed order, for equal
/// results.
fn usable_words(words: HashMap<String, u32>, alphabet: &Alphabet) -> Vec<Word> {
    let usable = |c| alphabet.characters.contains(&c) && !alphabet.isolated.contains(&c);
    let mut words: Vec<Word> = words.into_iter().collect();
    words.retain(|(word, _)| word.chars().count() <= MAX_WORD_CHARS && word.chars().all(usable));
    words.sort_unstable();
    words
}

fn sort_by_score(pieces: &mut [Piece]) {
    pieces.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

fn lowest_score(pieces: &[Piece]) -> f64 {
    pieces.iter().map(|(_, score)| *score).fold(0.0, f64::min)
}

/// The characters that are spelt without bytes.
struct Alphabet {
    /// All of them, and the mark of a word start.
    characters: BTreeSet<char>,
    /// Those that the pre-tokenizer isolates: they occur only behind the mark of a word start.
    isolated: BTreeSet<char>,
}

impl Alphabet {
    /// The pieces that spell the alphabet.
    fn pieces(&self) -> impl Iterator<Item = String> + '_ {
        let isolated = self.isolated.iter().map(|c| format!("{WORD_START}{c}"));
        let others = self.characters.difference(&self.isolated);
        isolated.chain(others.map(char::to_string))
    }

    /// Whether the piece is an isolated character without the mark, which no text leads to.
    fn is_never_produced(&self, piece: &str) -> bool {
        let mut chars = piece.chars();
        matches!((chars.next(), chars.next()), (Some(c), None) if self.isolated.contains(&c))
    }
}

/// What happens to a text before the model sees it.
struct Pipeline {
    normalizer: NormalizerWrapper,
    pre_tokenizer: PreTokenizerWrapper,
}

impl Pipeline {
    fn new() -> std::result::Result<Self, TokenizersError> {
        let mut normalizers = vec![NFKC.into()];
        for (pattern, content) in CHARACTER_REPLACEMENTS {
            let pattern = ReplacePattern::Regex((*pattern).to_owned());
            normalizers.push(Replace::new(pattern, *content)?.into());
        }
        let pre_tokenizer = PreTokenizers::new(vec![
            WhitespaceSplit.into(),
            Punctuation::new(SplitDelimiterBehavior::Isolated).into(),
            Digits::new(true).into(),
            Metaspace::new(WORD_START, PrependScheme::Always, true).into(),
        ]);
        Ok(Self {
            normalizer: Normalizers::new(normalizers).into(),
            pre_tokenizer: pre_tokenizer.into(),
        })
    }

    fn pre_tokens(&self, text: &str) -> std::result::Result<Vec<String>, TokenizersError> {
        let mut normalized = NormalizedString::from(text);
        self.normalizer.normalize(&mut normalized)?;
        let mut pre_tokenized = PreTokenizedString::from(normalized);
        self.pre_tokenizer.pre_tokenize(&mut pre_tokenized)?;
        let splits = pre_tokenized.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        Ok(splits.into_iter().map(|(s, _, _)| s.to_owned()).collect())
    }

    fn count_words<I>(&self, texts: I) -> Result<HashMap<String, u32>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for text in texts {
            for word in self.pre_tokens(text.as_ref()).map_err(training_error)? {
                let count = counts.entry(word).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(counts)
    }

    /// Those of the characters that normalisation leaves alone, and which of them stand alone.
    fn alphabet(&self, characters: &BTreeSet<char>) -> Result<Alphabet> {
        let mut alphabet = Alphabet {
            characters: BTreeSet::from([WORD_START]),
            isolated: BTreeSet::new(),
        };
        for &c in characters {
            // A letter that composes with no combining mark.
            let probe = format!("щ{c}щ");
            let parts = self.pre_tokens(&probe).map_err(training_error)?;
            if c == '\0' || parts.concat().replace(WORD_START, "") != probe {
                continue;
            }
            alphabet.characters.insert(c);
            if parts.len() == 3 {
                alphabet.isolated.insert(c);
            }
        }
        Ok(alphabet)
    }

    fn into_tokenizer(
        self,
        vocab: Vec<Piece>,
    ) -> std::result::Result<tokenizers::Tokenizer, TokenizersError> {
        let model = Unigram::from(vocab, Some(UNKNOWN_ID), true)?;
        let id = |token: &str| SPECIAL.iter().position(|s| *s == token).unwrap_or_default() as u32;
        let template = TemplateProcessing::builder()
            .try_single("[CLS] $A [SEP]")?
            .try_pair("[CLS] $A [SEP] $B:1 [SEP]:1")?
            .special_tokens(vec![("[CLS]", id("[CLS]")), ("[SEP]", id("[SEP]"))])
            .build()?;
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        tokenizer.with_normalizer(Some(self.normalizer))?;
        tokenizer.with_pre_tokenizer(Some(self.pre_tokenizer));
        tokenizer.with_post_processor(Some(template));
        tokenizer.with_decoder(Some(decoder()));
        tokenizer.add_special_tokens(SPECIAL.map(|token| AddedToken::from(token, true)))?;
        Ok(tokenizer)
    }
}

fn decoder() -> DecoderWrapper {
    use tokenizers::decoders::{byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence};
    let metaspace = Metaspace::new(WORD_START, PrependScheme::Always, true);
    Sequence::new(vec![
        ByteFallback::default().into(),
        metaspace.into(),
        Fuse::default().into(),
    ])
    .into()
}

fn default_alphabet() -> Vec<char> {
    let ranges = ['!'..='~', 'À'..='ſ', 'Ș'..='ț', 'Ѐ'..='џ', 'Ґ'..='ґ'];
    let marks = "„“”«»‹›‚–—‒−…•·°§©®†₴₽€£¥№";
    ranges.into_iter().flatten().chain(marks.chars()).collect()
}

fn training_error(source: TokenizersError) -> Error {
    Error::Training { source }
}
