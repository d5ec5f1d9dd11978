//! A small tokenizer, and texts that are hard on it.

use std::sync::LazyLock;

use proptest::prelude::*;
use vestnik_text::{Tokenizer, TokenizerTraining};

/// Sentences to learn pieces from; words that occur twice can become pieces.
const SENTENCES: &[&str] = &[
    "Министърът на външните работи пристигна в София, за да се срещне с министъра на Гърция.",
    "Министр иностранных дел, которые обсуждали договор, прибыл в Москву; которые молчали, остались.",
    "Міністр закордонних справ прибув до Києва, щоб обговорити угоду з міністром Польщі.",
    "The minister of foreign affairs arrived in London to discuss the treaty with the minister of Spain.",
    "Ministr zahraničí přijel do Prahy, aby jednal o smlouvě s ministrem Polska.",
    "Minister spraw zagranicznych przybył do Warszawy, by omówić umowę z ministrem Czech.",
    "Minister za zunanje zadeve je prispel v Ljubljano, da bi razpravljal o pogodbi z ministrom.",
];

/// Trains a tokenizer with bytes.
pub(crate) fn train() -> Tokenizer {
    let training = TokenizerTraining {
        vocab_size: 900,
        ..TokenizerTraining::default()
    };
    let texts = SENTENCES.iter().cycle().take(5 * SENTENCES.len());
    training.train(texts).expect("enough text")
}

/// That tokenizer, trained once.
pub(crate) fn tokenizer() -> &'static Tokenizer {
    static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(train);
    &TOKENIZER
}

/// Texts of many scripts, with marks, quotation marks and characters that are not seen.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        6 => prop::sample::select(PARTS).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[а-яёіїґ]{1,9}",
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(parts, 0..40).prop_map(|parts| parts.concat())
}

const PARTS: &[&str] = &[
    " ",
    " ",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\u{A0}",
    "\0",
    "\u{FEFF}",
    "\u{AD}",
    "\u{200B}",
    "\u{200D}",
    "\u{202E}",
    ".",
    ",",
    "!",
    "?",
    "…",
    "...",
    ":",
    ";",
    "-",
    "–",
    "—",
    "/",
    "&",
    "_",
    "'",
    "’",
    "ʼ",
    "\"",
    "«",
    "»",
    "„",
    "“",
    "(",
    ")",
    "№",
    "%",
    "€",
    "1",
    "24.02.2022",
    "3,5",
    "½",
    "①",
    "Нью-Йорк",
    "О'Нил",
    "п’ять",
    "министр",
    "U.S.",
    "т.е.",
    "г.",
    "Lenta.ru",
    "й",
    "и\u{306}",
    "е\u{308}",
    "e\u{301}",
    "\u{301}",
    "ﬁ",
    "ＡＢ",
    "Ǆ",
    "ß",
    "İ",
    "ﷺ",
    "שלום",
    "עברית",
    "مرحبا",
    "سلام",
    "नमस्ते",
    "ไทย",
    "漢字",
    "かな",
    "カナ",
    "한국어",
    "각",
    "🙂",
    "👩‍👩‍👧",
    "🇧🇬",
    "❤\u{FE0F}",
    "𝔘",
    "\u{10FFFF}",
    "\u{E000}",
    "[MASK]",
    "<0x41>",
    "▁",
    "▁а",
    "s",
];
