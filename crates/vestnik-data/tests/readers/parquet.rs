//! Parquet files of other programs (made by `scripts/make_parquet.py`), damaged ones, and our own.

use std::path::PathBuf;

use vestnik_core::Document;
use vestnik_data::{
    Corpus, Format, ReadOptions, read_corpus, read_ner, write_beside, write_corpus,
};

use crate::folder::Folder;
use crate::ner::names;
use crate::segments::options;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

const NAMES: [&[&str]; 3] = [
    &["PER:Ірина Мороз", "LOC:Полтаві"],
    &[],
    &["PER:Άννα", "LOC:Νέα Αγχίαλο"],
];

#[track_caller]
fn check_documents(corpus: &Corpus) {
    assert_eq!(corpus.issues, []);
    let ids: Vec<&str> = corpus.documents.iter().map(Document::id).collect();
    assert_eq!(ids, ["7", "8", "9"]);
    for (document, expected) in corpus.documents.iter().zip(NAMES) {
        assert_eq!(names(document), expected);
    }
    assert_eq!(corpus.documents[2].text(), "Η Άννα 🕊 είδε τη Νέα Αγχίαλο");
    let rows: Vec<u64> = corpus
        .positions
        .iter()
        .map(|position| position.line)
        .collect();
    assert_eq!(rows, [1, 2, 3]);
}

#[test]
fn files_of_other_programs_are_read() {
    let corpus = read_ner(&fixture("datasets.parquet")).unwrap();
    check_documents(&corpus);
    assert_eq!(corpus.documents[0].lang(), Some("uk"));
    assert_eq!(corpus.fields[1]["pos_tags"].to_string(), "[0,0,0]");
    assert_eq!(corpus.losses, []);
    let corpus = read_ner(&fixture("pandas.parquet")).unwrap();
    check_documents(&corpus);
    assert_eq!(corpus.documents[2].lang(), Some("el"));
    assert_eq!(corpus.fields[2]["score"].to_string(), "0.1");
    assert_eq!(corpus.fields[0].len(), 1);
}

#[test]
fn numbers_need_names_and_columns_that_are_skipped_are_listed() {
    let path = fixture("others.parquet");
    let corpus = read_ner(&path).unwrap();
    assert!(corpus.documents.is_empty());
    assert_eq!(corpus.issues.len(), 1, "one mistake, one message");
    let issue = corpus.issues[0].to_string();
    assert!(
        issue.contains("others.parquet:1: ner_tags[0] is the number 1, expected a name"),
        "{issue}"
    );
    let options = ReadOptions {
        tag_names: Some(
            ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
                .map(str::to_owned)
                .into(),
        ),
        ..ReadOptions::default()
    };
    let corpus = read_corpus(&path, &options).unwrap();
    check_documents(&corpus);
    let lost: Vec<String> = corpus
        .losses
        .iter()
        .map(|loss| loss.kind.to_string())
        .collect();
    assert_eq!(
        lost,
        [
            "no place for the field date",
            "no place for the field image"
        ]
    );
}

/// Row groups, columns of other fields, documents without a value, and what a column cannot hold.
#[test]
fn large_corpora_are_written_in_row_groups() {
    let folder = Folder::new();
    let lines: Vec<String> = (0..2500)
        .map(|n| {
            let outlet = if n % 2 == 0 { ",\"outlet\":\"a\"" } else { "" };
            format!(
                r#"{{"id":"{n}","text":"Рим {n}","entities":[{{"start":0,"end":3,"label":"L{}"}}],"n":{n},"x":{n}.5,"b":true,"mixed":{}{outlet}}}"#,
                n % 40,
                if n == 2000 { "1" } else { "\"s\"" }
            )
        })
        .collect();
    let corpus = read_ner(&folder.write("a.jsonl", lines.join("\n"))).unwrap();
    assert_eq!(corpus.issues, []);
    let path = folder.path("a.parquet");
    let losses = write_beside(&path, |out| {
        write_corpus(&corpus, Format::HfParquet, &options(), out)
    });
    assert_eq!(losses.unwrap().len(), 2500, "the field with two types");
    let read = read_ner(&path).unwrap();
    assert_eq!(read.issues, []);
    assert_eq!(read.documents, corpus.documents);
    assert_eq!(read.fields[2]["x"].to_string(), "2.5");
    assert_eq!(read.fields[3]["outlet"].to_string(), "null");
}

#[test]
fn a_corpus_without_documents_is_a_file_without_rows() {
    let folder = Folder::new();
    let path = folder.path("none.parquet");
    let none = Corpus::default();
    write_beside(&path, |out| {
        write_corpus(&none, Format::HfParquet, &options(), out)
    })
    .unwrap();
    let read = read_ner(&path).unwrap();
    assert_eq!(
        folder.issues(&read.issues),
        "none.parquet: the file is empty, expected at least one record"
    );
}

#[test]
fn columns_that_are_missing_are_named_once() {
    let folder = Folder::new();
    let path = folder.path("text.parquet");
    let column: arrow_array::ArrayRef =
        std::sync::Arc::new(arrow_array::StringArray::from(vec!["a"; 9]));
    let write = |name: &str| {
        let batch = arrow_array::RecordBatch::try_from_iter([(name, column.clone())]).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        folder.issues(&read_ner(&path).unwrap().issues)
    };
    assert_eq!(
        write("text"),
        r#"text.parquet: no field "tokens", found "text""#
    );
    assert_eq!(
        write("tokens"),
        r#"text.parquet: no field "ner_tags", found "tokens""#
    );
}

#[test]
fn damaged_files_are_named_and_never_panic() {
    let folder = Folder::new();
    for name in ["datasets.parquet", "pandas.parquet"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in [0, 3, 8, whole.len() / 2, whole.len() - 1] {
            let path = folder.write("cut.parquet", &whole[..length]);
            let message = folder.messages([read_ner(&path).unwrap_err()]);
            assert!(
                message.starts_with("cut.parquet: cannot be read as Parquet: "),
                "{message}"
            );
        }
        for at in (0..whole.len()).step_by(17) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            let _ = read_ner(&folder.write("changed.parquet", bytes));
        }
    }
}
