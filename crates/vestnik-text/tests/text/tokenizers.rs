//! Training, files and special cases of tokenizers.

use vestnik_text::{Error, SpecialTokens, Tokenizer, TokenizerTraining};

use crate::support::{tokenizer, train};

fn pieces(text: &str) -> Vec<&'static str> {
    let ids = tokenizer().encode(text).expect("bytes spell all text").ids;
    ids.into_iter()
        .filter_map(|id| tokenizer().token(id))
        .collect()
}

#[test]
fn special_tokens_and_bytes_come_first() {
    let special = tokenizer().special();
    let expected = SpecialTokens {
        pad: 0,
        unk: Some(1),
        cls: 2,
        sep: 3,
        mask: Some(4),
    };
    assert_eq!(special, expected);
    assert_eq!(tokenizer().token(5), Some("<0x00>"));
    assert_eq!(tokenizer().id("<0xFF>"), Some(260));
    assert_eq!(tokenizer().token(260 + 100_000), None);
    assert!(tokenizer().vocab_size() <= 900);
}

#[test]
fn whole_word_forms_become_pieces() {
    // It begins no other word: the trainer alone would not find it.
    assert_eq!(pieces("которые"), ["▁которые"]);
    assert_eq!(pieces("«которые»"), ["▁«", "▁которые", "▁»"]);
    assert_eq!(
        pieces("minister-minister"),
        ["▁minister", "▁-", "▁minister"]
    );
}

#[test]
fn letters_and_marks_are_spelt_without_bytes() {
    let text = "ЁёІіЇїЄєҐґЪъЫыЭэ áčďéěíňóřšťúůýž ąćęłńóśźż „“«»‹›–—…№€$%’ʼ'\"()[]{}/\\";
    assert!(
        pieces(text).iter().all(|piece| !piece.starts_with("<0x")),
        "{:?}",
        pieces(text)
    );
    assert_eq!(pieces("2022"), ["▁2", "▁0", "▁2", "▁2"]);
}

#[test]
fn what_is_read_alike_is_spelt_alike() {
    assert_eq!(pieces("п’ять"), pieces("п'ять"));
    assert_eq!(pieces("пʼять"), pieces("п'ять"));
    assert_eq!(pieces("и\u{306}"), pieces("й"));
    assert_eq!(pieces("Нью\u{2011}Йорк"), pieces("Нью-Йорк"));
    assert_eq!(pieces("Ки\u{301}\u{AD}єва"), pieces("Києва"));
}

#[test]
fn other_characters_are_bytes_with_their_own_span() {
    let tokens = tokenizer().encode("漢字 🙂").unwrap();
    let spans: Vec<_> = tokens
        .ids
        .iter()
        .zip(&tokens.offsets)
        .filter(|(id, _)| **id >= 5 && **id < 261)
        .collect();
    let expected = [(0, 3); 3]
        .into_iter()
        .chain([(3, 6); 3])
        .chain([(7, 11); 4]);
    assert_eq!(
        spans.into_iter().map(|(_, span)| *span).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
}

#[test]
fn special_tokens_in_a_text_are_ordinary_characters() {
    let ids = tokenizer().encode("[MASK] [PAD] <0x41>").unwrap().ids;
    assert!(ids.iter().all(|&id| id > 260));
}

#[test]
fn files_give_the_same_tokens() {
    let path = std::env::temp_dir().join(format!("vestnik-text-{}.json", std::process::id()));
    tokenizer().save(&path).unwrap();
    let read = Tokenizer::from_file(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let text = "Министърът „Прага“ 漢 24 \0";
    assert_eq!(
        read.encode(text).unwrap(),
        tokenizer().encode(text).unwrap()
    );
    assert_eq!(read.to_json().unwrap(), tokenizer().to_json().unwrap());
    assert_eq!(
        (read.special(), read.vocab_size()),
        (tokenizer().special(), tokenizer().vocab_size())
    );
}

#[test]
fn what_is_no_tokenizer_is_an_error() {
    for bytes in [&b""[..], b"{}", b"\xFF\xFE", b"[1,2]"] {
        assert!(matches!(
            Tokenizer::from_bytes(bytes),
            Err(Error::TokenizerFormat { .. })
        ));
    }
    let missing = Tokenizer::from_file("no/such/tokenizer.json".as_ref());
    assert!(matches!(missing, Err(Error::TokenizerFile { .. })));
    let renamed = tokenizer().to_json().unwrap().replace("[PAD]", "[FILL]");
    let error = Tokenizer::from_bytes(renamed.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("padding token"), "{error}");
}

#[test]
fn the_template_says_what_stands_around_a_text() {
    let renamed = tokenizer().to_json().unwrap();
    let renamed = renamed
        .replace("[CLS]", "[BEGIN]")
        .replace("[SEP]", "[END]");
    let foreign = Tokenizer::from_bytes(renamed.as_bytes()).unwrap();
    assert_eq!(foreign.special(), tokenizer().special());
}

#[test]
fn training_again_gives_the_same_tokenizer() {
    let again = train();
    assert!(again.to_json().unwrap() == tokenizer().to_json().unwrap());
}

#[test]
fn training_says_what_it_lacks() {
    let training = TokenizerTraining::default();
    assert!(matches!(
        training.train(Vec::<String>::new()),
        Err(Error::NoTrainingText)
    ));
    assert!(matches!(
        training.train([" \0 ", "…"]),
        Err(Error::NoTrainingText)
    ));
    let small = TokenizerTraining {
        vocab_size: 300,
        ..training
    };
    assert!(matches!(
        small.train(["слово слово"]),
        Err(Error::VocabularyTooSmall {
            vocab_size: 300,
            ..
        })
    ));
}
