//! Raw texts.

use vestnik_data::{Error, read_raw_texts, read_texts};

use crate::folder::Folder;

#[test]
fn texts_come_with_language_and_source() {
    let folder = Folder::new();
    let paths = [
        folder.write_compressed(
            "a.jsonl.gz",
            "{\"id\":\"1\",\"lang\":\"bg\",\"source\":\"Тест\",\"text\":\"Рим\"}\n",
        ),
        folder.write("b.txt", "Милан"),
    ];
    let texts: Vec<_> = read_raw_texts(&paths).map(Result::unwrap).collect();
    assert_eq!(
        (texts[0].id.as_deref(), texts[0].lang.as_deref()),
        (Some("1"), Some("bg"))
    );
    assert_eq!(
        (texts[0].source.as_deref(), texts[1].lang.as_deref()),
        (Some("Тест"), None)
    );
    let texts: Vec<_> = read_texts(&paths).map(Result::unwrap).collect();
    assert_eq!(texts, ["Рим", "Милан"]);
}

#[test]
fn blank_texts_and_wrong_fields_are_named() {
    let folder = Folder::new();
    let path = folder.write(
        "a.jsonl",
        "{\"text\":\" \",\"lang\":1}\n{\"text\":\"Рим\"}\n{}\n",
    );
    let (texts, errors): (Vec<_>, Vec<_>) = read_texts(&[path]).partition(Result::is_ok);
    assert_eq!(texts.len(), 1);
    let errors = errors.into_iter().map(Result::unwrap_err);
    insta::assert_snapshot!(folder.messages(errors));
}

#[test]
fn a_missing_file_is_the_only_item() {
    let folder = Folder::new();
    let path = folder.write("a.jsonl", "{\"text\":\"Рим\"}");
    let found: Vec<_> = read_texts(&[path, folder.path("missing")]).collect();
    assert!(matches!(found.as_slice(), [Err(Error::NotFound { .. })]));
}
