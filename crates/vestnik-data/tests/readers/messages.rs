//! The message of each mistake that people make, as they see it.

use vestnik_data::{ArticleOptions, ArticleReader, AtomicFile, Error, read_ner, refuse_existing};

use crate::folder::Folder;

/// The messages of reading a file as articles.
fn articles(folder: &Folder, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.write(name, content);
    let options = ArticleOptions {
        max_line_bytes: 1000,
        ..ArticleOptions::default()
    };
    match ArticleReader::open(&[path], options) {
        Ok(articles) => folder.messages(articles.filter_map(Result::err)),
        Err(error) => folder.messages([error]),
    }
}

/// The messages of reading a file as a corpus.
fn corpus(folder: &Folder, name: &str, content: impl AsRef<[u8]>) -> String {
    match read_ner(&folder.write(name, content)) {
        Ok(corpus) => folder.issues(&corpus.issues),
        Err(error) => folder.messages([error]),
    }
}

#[test]
fn mistakes_in_articles() {
    let folder = Folder::new();
    let cases: [(&str, &[u8]); 24] = [
        ("empty.jsonl", b""),
        ("blank.jsonl", b"\n \r\n"),
        ("empty.txt", b""),
        ("no-text.jsonl", br#"{"id":1,"body":"a","title":"b"}"#),
        ("no-fields.jsonl", b"{}"),
        ("text-number.jsonl", br#"{"text":12}"#),
        ("text-null.jsonl", br#"{"text":null}"#),
        ("text-list.jsonl", br#"{"id":true,"text":["a"]}"#),
        ("array.json", b"[{\"text\":\"a\"},\n{\"text\":\"b\"}]"),
        ("pretty.json", b"{\n  \"text\": \"a\"\n}"),
        ("string.jsonl", b"\"a\""),
        ("number.jsonl", b"-12"),
        ("prose.jsonl", "Вчера в Риме".as_bytes()),
        ("python.jsonl", b"{'text': 'a'}"),
        ("cut.jsonl", b"{\"text\":\"a"),
        ("twice.jsonl", br#"{"text":"a","text":"b"}"#),
        ("surrogate.jsonl", br#"{"text":"\ud800"}"#),
        ("cp1251.jsonl", b"{\"text\":\"\xd0\xe8\xec\"}"),
        ("cp1251.txt", b"Rome\nand \xd0\xe8\xec"),
        ("utf16.jsonl", b"\xff\xfe{\0\"\0t\0"),
        ("utf16.txt", b"\xfe\xff\0R\0o\0m\0e"),
        ("table.csv", b"id,text\n1,a\n"),
        ("dump.jsonl.xz", b"\xfd7zXZ\0\0\x04"),
        ("cut.jsonl.gz", b"\x1f\x8b\x08\0\0\0\0\0"),
    ];
    let mut messages: Vec<_> = cases
        .iter()
        .map(|(name, content)| articles(&folder, name, content))
        .collect();
    messages.push(articles(&folder, "long.txt", "a".repeat(1001)));
    messages.push(articles(&folder, "long.jsonl", "a".repeat(1001)));
    messages.push(articles(&folder, "notes/readme.md", ""));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn mistakes_in_corpora() {
    let folder = Folder::new();
    let record = |entities: &str| format!("{{\"text\":\"Рим и я\",\"entities\":{entities}}}");
    let cases = [
        ("no-entities.jsonl", "{\"text\":\"a\"}".to_owned()),
        ("empty-text.jsonl", "{\"text\":\"  \",\"entities\":[]}".to_owned()),
        ("object.jsonl", record("{}")),
        ("doccano.jsonl", record("[[0,3,\"LOC\"]]")),
        ("no-label.jsonl", record("[{\"start\":0,\"end\":3,\"type\":\"LOC\"}]")),
        ("empty-label.jsonl", record("[{\"start\":0,\"end\":3,\"label\":\"\"}]")),
        ("text-offsets.jsonl", record("[{\"start\":\"0\",\"end\":3.5,\"label\":\"LOC\"}]")),
        ("negative.jsonl", record("[{\"start\":-1,\"end\":3,\"label\":\"LOC\"}]")),
        ("bytes.jsonl", record("[{\"start\":0,\"end\":13,\"label\":\"LOC\"}]")),
        ("inclusive.jsonl", record("[{\"start\":6,\"end\":6,\"label\":\"PER\"}]")),
        ("reversed.jsonl", record("[{\"start\":3,\"end\":0,\"label\":\"LOC\"}]")),
        ("space.jsonl", record("[{\"start\":3,\"end\":4,\"label\":\"LOC\"}]")),
        ("quote.jsonl", record("[{\"start\":1,\"end\":4,\"label\":\"LOC\",\"text\":\"Рим\"}]")),
        ("lemma.jsonl", record("[{\"start\":0,\"end\":3,\"label\":\"LOC\",\"lemma\":1,\"score\":\"1\"}]")),
        ("annotated.jsonl", "{\"text\":\"Рим\",\"entities\":[{\"start\":0,\"end\":3,\"label\":\"GPE\"}],\"annotated\":[\"PER\",\"LOC\"]}".to_owned()),
        ("unit.jsonl", "{\"text\":\"Рим\",\"entities\":[],\"vestnik\":{\"offset_unit\":\"bytes\"}}".to_owned()),
        ("inside.jsonl", "{\"text\":\"Рим\",\"entities\":[{\"start\":0,\"end\":3,\"label\":\"LOC\"}],\"vestnik\":{\"offset_unit\":\"byte\"}}".to_owned()),
        ("twice.jsonl", "{\"id\":1,\"text\":\"a\",\"entities\":[]}\n{\"id\":\"1\",\"text\":\"b\",\"entities\":[]}".to_owned()),
        ("tokens.conll", "Рим\nи\n".to_owned()),
        ("io.conll", "Рим LOC\n".to_owned()),
        ("orphan.conll", "Рим B-LOC\nи O\nя B-PER\nя I-LOC\n".to_owned()),
        ("open.conll", "Рим S-LOC\nАнна B-PER\nи O\n".to_owned()),
        ("mixed.conll", "Рим B-LOC\nи O\n\nя U-PER\nя U-PER\nя S-PER\n".to_owned()),
        ("prose.conll", "Вчера в Риме было солнечно.\n".repeat(20)),
    ];
    let messages: Vec<_> = cases
        .iter()
        .map(|(name, content)| corpus(&folder, name, content))
        .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn mistakes_with_paths() {
    let folder = Folder::new();
    let here = folder.write("out.jsonl", "");
    folder.write("docs/readme.md", "");
    let open = |name: &str| {
        let paths = [folder.path(name)];
        ArticleReader::open(&paths, ArticleOptions::default())
            .map(drop)
            .unwrap_err()
    };
    let messages: Vec<Error> = vec![
        open("missing.jsonl"),
        open("docs"),
        read_ner(&folder.path("missing.conll")).unwrap_err(),
        read_ner(&folder.path("docs")).unwrap_err(),
        refuse_existing(&here, false).unwrap_err(),
        refuse_existing(&folder.path("docs"), true).unwrap_err(),
        AtomicFile::create(&folder.path("no/such/out.jsonl"))
            .map(drop)
            .unwrap_err(),
    ];
    insta::assert_snapshot!(folder.messages(messages));
}

#[test]
fn long_values_stay_short_and_on_one_line() {
    let folder = Folder::new();
    let fields: Vec<String> = (0..20).map(|n| format!("\"f{n}\":\"\"")).collect();
    let record = format!("{{{},\"a\\nb{}\":0}}", fields.join(","), "я".repeat(100));
    let many = articles(&folder, "many.jsonl", record);
    let one = articles(
        &folder,
        "one.jsonl",
        format!("{{\"a\\nb{}\":0}}", "я".repeat(100)),
    );
    insta::assert_snapshot!(format!("{many}\n{one}"));
}
