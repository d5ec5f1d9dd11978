//! Column files.

use std::path::Path;

use vestnik_core::Document;
use vestnik_data::{ColumnOptions, Corpus, read_columns, read_ner};

use crate::folder::Folder;
use crate::ner::names;

fn read(lines: &str) -> Corpus {
    let folder = Folder::new();
    let mut corpus = read_ner(&folder.write("corpus.conll", lines)).unwrap();
    for issue in &mut corpus.issues {
        issue.path = Path::new("corpus.conll").to_path_buf();
    }
    corpus
}

fn issues(lines: &str) -> Vec<String> {
    read(lines).issues.iter().map(ToString::to_string).collect()
}

#[test]
fn sentences_are_documents_where_nothing_starts_documents() {
    let corpus = read("# source = our own\nВ O\nНью-Йорке B-LOC\n\n\nООН B-ORG\nмолчит O");
    assert_eq!(corpus.issues, []);
    let [first, second] = corpus.documents.as_slice() else {
        panic!("{corpus:?}")
    };
    assert_eq!(
        (first.id(), first.text()),
        ("corpus.conll#1", "В Нью-Йорке")
    );
    assert_eq!(
        (second.id(), second.text()),
        ("corpus.conll#2", "ООН молчит")
    );
    assert_eq!(names(first), ["LOC:Нью-Йорке"]);
    assert_eq!(names(second), ["ORG:ООН"]);
    assert_eq!(corpus.positions[1].line, 6);
}

#[test]
fn document_starts_join_sentences() {
    let corpus = read(concat!(
        "-DOCSTART- -X- -X- O\r\n\r\nEU NNP B-NP S-ORG\r\nspoke VBD B-VP O\r\n\r\n",
        "Peter NNP B-NP B-PER\r\nBlack NNP I-NP E-PER\r\n\r\n",
        "-DOCSTART- -X- -X- O\r\n\r\nRome NNP B-NP S-LOC\r\n"
    ));
    assert_eq!(corpus.issues, []);
    let texts: Vec<_> = corpus.documents.iter().map(Document::text).collect();
    assert_eq!(texts, ["EU spoke\nPeter Black", "Rome"]);
    assert_eq!(names(&corpus.documents[0]), ["ORG:EU", "PER:Peter Black"]);
}

#[test]
fn all_schemes_mean_the_same() {
    let files = [
        "Рим I-LOC\nМилан B-LOC\nи O\nАнна I-PER\nРосси I-PER\nДжованна I-PER\n",
        "Рим B-LOC\nМилан B-LOC\nи O\nАнна B-PER\nРосси I-PER\nДжованна I-PER\n",
        "Рим S-LOC\nМилан S-LOC\nи O\nАнна B-PER\nРосси I-PER\nДжованна E-PER\n",
        "Рим U-LOC\nМилан U-LOC\nи O\nАнна B-PER\nРосси I-PER\nДжованна L-PER\n",
    ];
    for file in files {
        let corpus = read(file);
        assert_eq!(corpus.issues, []);
        assert_eq!(
            names(&corpus.documents[0]),
            ["LOC:Рим", "LOC:Милан", "PER:Анна Росси Джованна"]
        );
    }
}

#[test]
fn tabs_keep_spaces_inside_tokens() {
    let corpus = read("10 000\tO\n#\tO\nНью Йорк\tB-LOC\n");
    assert_eq!(corpus.issues, []);
    assert_eq!(corpus.documents[0].text(), "10 000 # Нью Йорк");
    assert_eq!(names(&corpus.documents[0]), ["LOC:Нью Йорк"]);
}

#[test]
fn other_columns_can_be_chosen() {
    let folder = Folder::new();
    let path = folder.write("ewt.iob2", "# text = Rome\n1\tRome\tB-LOC\t-\t-\n");
    let options = ColumnOptions {
        token_column: 1,
        tag_column: Some(2),
    };
    let corpus = read_columns(&path, &options).unwrap();
    assert_eq!(names(&corpus.documents[0]), ["LOC:Rome"]);
    assert_eq!(corpus.documents, read_ner(&path).unwrap().documents);
    let wrong = ColumnOptions {
        token_column: 1,
        tag_column: Some(usize::MAX),
    };
    assert_eq!(read_columns(&path, &wrong).unwrap().issues.len(), 1);
}

#[test]
fn comments_give_the_text_of_sentences() {
    let corpus = read(concat!(
        "# sent_id = 1\n# text = Рим, B-12?\n1\tРим\tB-LOC\t-\ta\n2\t,\tO\t-\ta\n3\tB-12\tO\t-\ta\n4\t?\tO\t-\ta\n\n",
        "# sent_id = 2\n# text = Do Rio\n1\tDe\tO\t-\ta\n2\to\tO\t-\ta\n3\tRio\tB-LOC\t-\ta\n",
    ));
    assert_eq!(corpus.issues, []);
    let texts: Vec<_> = corpus.documents.iter().map(Document::text).collect();
    assert_eq!(texts, ["Рим, B-12?", "De o Rio"]);
    assert_eq!(names(&corpus.documents[1]), ["LOC:Rio"]);
    assert_eq!(corpus.losses.len(), 2, "the other columns, and this text");
    assert!(
        corpus.losses[1]
            .to_string()
            .ends_with(":10: the white space between words is not kept")
    );
}

#[test]
fn the_start_of_a_document_may_say_its_text_and_fields() {
    let start = r#"{"id":7,"lang":"ru","annotated":["LOC"],"text":"«Рим»,\tМилан\n","outlet":"a"}"#;
    let lines = "\n«\tO\nРим\tB-LOC\n»\tO\n,\tO\n\nМилан\tB-LOC\n";
    let corpus = read(&format!("-DOCSTART-\t{start}\tO\n{lines}"));
    assert_eq!(corpus.issues, []);
    let document = &corpus.documents[0];
    assert_eq!((document.id(), document.lang()), ("7", Some("ru")));
    assert_eq!(document.text(), "«Рим»,\tМилан\n");
    assert_eq!(names(document), ["LOC:Рим", "LOC:Милан"]);
    assert_eq!(corpus.fields[0]["outlet"], "a");
    for (start, message) in [
        ("{\"id\":7", "corpus.conll:1: invalid JSON at column 7"),
        (
            "{\"text\":\"Рим, Милан\"}",
            "corpus.conll:1: the tokens do not make the text \"Рим, Милан\", they make",
        ),
    ] {
        let corpus = read(&format!("-DOCSTART-\t{start}\tO\n{lines}"));
        assert!(corpus.documents.is_empty());
        assert_eq!(corpus.issues.len(), 1);
        let found = corpus.issues[0].to_string();
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn every_bad_line_is_named_and_its_sentence_set_aside() {
    let lines = concat!(
        "Рим S-LOC\n\n",
        "и\nМилан LOC\nи O O\n\n",
        "\u{a0}\tO\n\n",
        "Анна B-PER\nРосси I-LOC\n\n",
        "Росси L-PER\n\n",
        "Пьемонт S-LOC\n"
    );
    insta::assert_snapshot!(issues(lines).join("\n"));
    let ids: Vec<_> = read(lines)
        .documents
        .iter()
        .map(|document| document.id().to_owned())
        .collect();
    assert_eq!(ids, ["corpus.conll#1", "corpus.conll#6"]);
}

#[test]
fn a_file_without_columns_is_one_issue() {
    assert_eq!(
        issues(&"Первая строка обычного текста.\n".repeat(50)).len(),
        1
    );
    assert_eq!(
        issues(""),
        ["corpus.conll: the file is empty, expected at least one record"]
    );
    assert_eq!(issues("\n \n-DOCSTART- O\n").len(), 1);
}

#[test]
fn compressed_columns_are_read() {
    let folder = Folder::new();
    for name in ["corpus.bio.gz", "corpus.tsv.zst"] {
        let path = folder.write_compressed(name, "Рим\tB-LOC\n");
        assert_eq!(names(&read_ner(&path).unwrap().documents[0]), ["LOC:Рим"]);
    }
}
