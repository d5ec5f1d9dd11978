//! Properties of spans, documents and offsets over texts in many scripts.

use proptest::prelude::*;
use vestnik_core::{Document, Entity, OffsetMap, OffsetUnit, Span};

/// Pieces of text that go wrong when offsets do.
const PIECES: &[&str] = &[
    "a",
    "U.S.",
    " ",
    "\n",
    "\u{0}",
    "Łódź",
    "Москва",
    "Київ",
    // й and ё as letters with combining marks
    "и\u{306}",
    "е\u{308}",
    "o\u{323}\u{301}",
    "га\u{ad}зе\u{ad}та",
    "שָׁלוֹם",
    "مرحبا",
    "\u{200f}",
    "\u{feff}",
    "東京",
    "한국",
    "नमस्ते",
    "🙂",
    "👩\u{200d}👩\u{200d}👧",
    "🇧🇬",
    "𝒳",
    "«",
];

/// A text of up to `n` pieces.
pub(crate) fn text(n: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..=n).prop_map(|pieces| pieces.concat())
}

/// Spans of the parts of a text between whitespace.
pub(crate) fn words(text: &str) -> Vec<Span> {
    let mut start = 0;
    let mut words = Vec::new();
    for part in text.split_inclusive(char::is_whitespace) {
        words.extend(Span::new(start, start + part.trim_end().len()).ok());
        start += part.len();
    }
    words
}

/// A text, and two numbers that may or may not be places in it.
fn text_and_places() -> impl Strategy<Value = (String, usize, usize)> {
    text(12).prop_flat_map(|text| {
        let len = text.len();
        (Just(text), 0..len + 4, 0..len + 4)
    })
}

proptest! {
    #[test]
    fn slices_are_those_of_the_standard_library((text, start, end) in text_and_places()) {
        match Span::new(start, end) {
            Ok(span) => prop_assert_eq!(span.slice(&text).ok(), text.get(start..end)),
            Err(_) => prop_assert!(start >= end),
        }
    }

    #[test]
    fn a_document_takes_what_it_can_slice(
        text in text(12),
        places in prop::collection::vec((0_usize..80, 0_usize..80), 0..12),
    ) {
        let mut document = Document::new("1", text.clone());
        let mut taken = Vec::new();
        for (start, end) in places {
            let Ok(span) = Span::new(start, end) else { continue };
            let pushed = document.push_entity(Entity::new(span, "X"));
            prop_assert_eq!(pushed.is_ok(), text.get(start..end).is_some());
            taken.extend(pushed.map(|()| span));
        }
        taken.sort();
        let spans: Vec<Span> = document.entities().iter().map(|entity| entity.span).collect();
        prop_assert_eq!(&spans, &taken);
        prop_assert!(spans.iter().all(|&span| document.slice(span).is_ok()));
    }

    #[test]
    fn offsets_follow_their_definition(text in text(60)) {
        let chars = OffsetMap::new(&text, OffsetUnit::Char);
        let utf16 = OffsetMap::new(&text, OffsetUnit::Utf16);
        let bytes = OffsetMap::new(&text, OffsetUnit::Byte);
        for (byte, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = &text[..byte];
            prop_assert_eq!(chars.from_byte(byte), before.chars().count());
            prop_assert_eq!(utf16.from_byte(byte), before.encode_utf16().count());
            prop_assert_eq!(bytes.from_byte(byte), byte);
        }
    }

    #[test]
    fn offsets_come_back(text in text(60)) {
        for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
            let map = OffsetMap::new(&text, unit);
            for byte in 0..text.len() + 2 {
                let back = map.to_byte(map.from_byte(byte));
                let expected = text.floor_char_boundary(byte);
                prop_assert_eq!(back, Some(expected), "byte {} by {}", byte, unit);
            }
            for offset in 0..map.len() + 3 {
                if let Some(byte) = map.to_byte(offset) {
                    prop_assert!(text.is_char_boundary(byte));
                    prop_assert_eq!(map.from_byte(byte), offset);
                }
            }
        }
    }

    #[test]
    fn spans_come_back_from_every_unit(text in text(60)) {
        let words = words(&text);
        for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
            let map = OffsetMap::new(&text, unit);
            for &word in &words {
                let range = map.from_span(word);
                prop_assert_eq!(map.to_span(range.start, range.end), Ok(word));
            }
        }
    }
}

#[test]
fn offsets_in_a_text_of_five_megabytes() {
    let text = "Кмет\u{ad}ът 🙂 ".repeat(250_000);
    let map = OffsetMap::new(&text, OffsetUnit::Utf16);
    let middle = text.len() / 2;
    assert!(text.len() >= 5_000_000 && text.is_char_boundary(middle));
    let offset = text[..middle].encode_utf16().count();
    assert_eq!(
        (map.from_byte(middle), map.to_byte(offset)),
        (offset, Some(middle))
    );
    assert_eq!(map.len(), text.encode_utf16().count());
}
