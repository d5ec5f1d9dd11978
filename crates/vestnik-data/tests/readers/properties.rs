//! Readers on random input: nothing panics, nothing is lost, and every span slices its text.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use vestnik_data::{
    ArticleOptions, ArticleReader, Corpus, read_ner, read_nli, read_stance, read_topics,
};

use crate::folder::Folder;

/// Bytes that look like input here and there.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{\"text\":\"",
        "\",\"entities\":[",
        "{\"start\":",
        "\"end\":",
        "\"label\":\"LOC\"",
        "}",
        "]",
        ",",
        "0",
        "7",
        "\n",
        "\t",
        " ",
        "Рим",
        "B-LOC",
        "E-LOC",
        "O",
        "-DOCSTART-",
        "\"id\":1",
        "{}",
        "[",
        "# ",
        "\u{1f}",
        "null",
    ]);
    let piece = prop_oneof![
        8 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
        1 => prop::sample::select(vec![&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xef\xbb\xbf"])
            .prop_map(<[u8]>::to_vec),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn check_corpus(corpus: &Corpus) {
    assert_eq!(corpus.documents.len(), corpus.positions.len());
    for document in &corpus.documents {
        for entity in document.entities() {
            let name = document.slice(entity.span).unwrap();
            assert!(!name.trim().is_empty());
        }
    }
    for issue in corpus.issues.iter().chain(&corpus.overlaps()) {
        assert!(!issue.to_string().contains('\n'));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn readers_never_panic(bytes in bytes()) {
        let folder = Folder::new();
        for name in ["a.jsonl", "a.conll", "a"] {
            let path = folder.write(name, &bytes);
            if let Ok(corpus) = read_ner(&path) {
                check_corpus(&corpus);
            }
            // Only whether they come back is asked here.
            let _ = (read_stance(&path), read_topics(&path), read_nli(&path));
        }
        let options = ArticleOptions { max_line_bytes: 100, ..ArticleOptions::default() };
        folder.write("a.txt", &bytes);
        let paths = [folder.path(""), folder.path("a")];
        let found = ArticleReader::open(&paths, options).unwrap().count();
        prop_assert!(found > 0);
    }

    #[test]
    fn every_article_comes_back(texts in vec(any::<String>(), 1..8), extension in "|\\.gz|\\.zst") {
        let line = |text: &String| format!("{}\n", json!({ "n": 1.0, "text": text, "é": [text] }));
        let lines: String = texts.iter().map(line).collect();
        let folder = Folder::new();
        let path = folder.write_compressed(&format!("a.jsonl{extension}"), &lines);
        let found = ArticleReader::open(&[path], ArticleOptions::default()).unwrap();
        let mut read = String::new();
        for (article, text) in found.zip(&texts) {
            let article = article.unwrap();
            prop_assert_eq!(&article.text, text);
            read += &format!("{}\n", article.fields);
        }
        prop_assert_eq!(read, lines);
    }

    #[test]
    fn character_offsets_become_the_same_text(text in "[а-яё🕊a-z\u{301} ]{1,40}", cut in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let n_chars = text.chars().count();
        let (a, b) = (cut.0.index(n_chars + 1), cut.1.index(n_chars + 1));
        let (start, end) = (a.min(b), a.max(b));
        let covered: String = text.chars().take(end).skip(start).collect();
        prop_assume!(!covered.trim().is_empty());
        let record = json!({ "text": text, "entities": [{ "start": start, "end": end, "label": "X" }] });
        let folder = Folder::new();
        let corpus = read_ner(&folder.write("a.jsonl", record.to_string())).unwrap();
        let document = &corpus.documents[0];
        prop_assert_eq!(document.slice(document.entities()[0].span).unwrap(), covered);
    }

    #[test]
    fn columns_rebuild_their_tokens(tokens in vec(("[^\\s\\p{C}]{1,8}", prop::sample::select(vec!["O", "B-PER", "B-LOC"])), 1..20)) {
        let lines: String = tokens.iter().map(|(token, tag)| format!("{token}\t{tag}\n")).collect();
        prop_assume!(!tokens.iter().any(|(token, _)| token == "-DOCSTART-"));
        let folder = Folder::new();
        let corpus = read_ner(&folder.write("a.conll", lines)).unwrap();
        prop_assert_eq!(&corpus.issues, &[]);
        let document = &corpus.documents[0];
        let names: Vec<_> = document.entities().iter().map(|entity| document.slice(entity.span).unwrap()).collect();
        let expected: Vec<_> = tokens.iter().filter(|(_, tag)| *tag != "O").map(|(token, _)| token.as_str()).collect();
        prop_assert_eq!(names, expected);
    }

    #[test]
    fn compressed_streams_never_panic(text in ".{0,60}", place in any::<prop::sample::Index>(), byte in any::<u8>(), gzip in any::<bool>()) {
        let folder = Folder::new();
        let name = if gzip { "a.jsonl.gz" } else { "a.jsonl.zst" };
        let mut bytes = std::fs::read(folder.write_compressed(name, &text)).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(articles) = ArticleReader::from_reader(Cursor::new(bytes), ArticleOptions::default()) {
            prop_assert!(articles.count() < 100);
        }
    }
}
