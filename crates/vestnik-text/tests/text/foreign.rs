//! Tokenizers that others trained.

use vestnik_text::{SpecialTokens, TokenizedText, Tokenizer};

/// Like XLM-RoBERTa's: pieces with the space before them, `<unk>` instead of bytes; and with lengths in the file.
const UNIGRAM: &str = r#"{
  "version": "1.0",
  "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
  "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>"},
  "added_tokens": [
    {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 1, "content": "<pad>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
    {"id": 9, "content": "<mask>", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": true}
  ],
  "normalizer": null,
  "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
  "post_processor": null,
  "decoder": null,
  "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": [
    ["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0],
    ["▁", -2.0], ["▁Лев", -3.0], ["▁Тол", -3.0], ["стой", -3.0], ["»,", -3.0]
  ]}
}"#;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes(UNIGRAM.as_bytes()).expect("a tokenizer")
}

#[test]
fn special_tokens_have_other_names() {
    let expected = SpecialTokens {
        cls: 0,
        sep: 2,
        pad: 1,
        mask: Some(9),
        unk: Some(3),
    };
    assert_eq!(tokenizer().special(), expected);
    assert_eq!(tokenizer().vocab_size(), 10);
}

#[test]
fn spaces_in_pieces_are_no_part_of_their_spans() {
    let text = "Лев  Толстой <mask>";
    let tokens = tokenizer().encode(text).unwrap();
    let pieces: Vec<_> = tokens
        .ids
        .iter()
        .map(|&id| tokenizer().token(id).unwrap().to_owned())
        .collect();
    assert_eq!(pieces[..4], ["▁Лев", "▁", "▁Тол", "стой"]);
    let written: Vec<&str> = tokens
        .offsets
        .iter()
        .map(|&(start, end)| &text[start..end])
        .collect();
    assert_eq!(written[..4], ["Лев", "", "Тол", "стой"]);
    // Neither cut nor filled up, and the mask is text.
    assert!(tokens.len() > 4 && !tokens.ids.contains(&9) && !tokens.ids.contains(&1));
}

#[test]
fn tokens_go_to_the_word_that_they_overlap_most() {
    let text = "«Лев», Толстой 漢字";
    let tokenized = TokenizedText::new(&tokenizer(), text).unwrap();
    let words: Vec<&str> = tokenized
        .words
        .iter()
        .map(|word| &text[word.range()])
        .collect();
    assert_eq!(words, ["«", "Лев", "»", ",", "Толстой", "漢", "字"]);
    let of = |word: usize| {
        let tokens = 0..tokenized.tokens.len();
        tokens
            .filter(|&token| tokenized.token_word[token] == Some(word as u32))
            .count()
    };
    // `»,` is one piece; it stands for the first of the two words, and the other has none.
    assert_eq!((of(2), of(3), tokenized.word_first_token[3]), (1, 0, None));
    assert_eq!(of(4), 2);
}
