//! Files in the shapes that annotation tools and corpora have: what is read, and that everything else is listed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use vestnik_data::{Corpus, Format, ReadOptions, read_corpus, read_ner};

use crate::ner::names;

fn fixture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tools");
    folder.join(name)
}

/// The format, each document with its entities, what is lost, and what is wrong.
fn shown(name: &str) -> String {
    let path = fixture(name);
    let format = Format::detect(&path).unwrap();
    let corpus = read_ner(&path).unwrap();
    format!("{format}\n{}", content(&corpus))
}

fn content(corpus: &Corpus) -> String {
    let here = fixture("").display().to_string();
    let mut shown = String::new();
    for (document, fields) in corpus.documents.iter().zip(&corpus.fields) {
        let lang = document.lang().unwrap_or("-");
        let _ = writeln!(shown, "{} {lang} {:?}", document.id(), document.text());
        let links = document
            .entities()
            .iter()
            .filter_map(|entity| entity.link.as_ref());
        let links: Vec<&String> = links.collect();
        let _ = writeln!(
            shown,
            "  {:?} {links:?} {:?}",
            names(document),
            fields.keys()
        );
    }
    for loss in &corpus.losses {
        let _ = writeln!(shown, "lost: {}", loss.to_string().replace(&here, ""));
    }
    for issue in &corpus.issues {
        let _ = writeln!(shown, "wrong: {}", issue.to_string().replace(&here, ""));
    }
    shown
}

#[test]
fn exports_of_tools_are_read_and_what_is_not_kept_is_listed() {
    let names = [
        "doccano-relations.jsonl",
        "doccano-label.jsonl",
        "doccano-labels.jsonl",
        "label-studio.json",
        "label-studio-min.json",
        "brat",
        "webanno.tsv",
        "cas.json",
    ];
    let all = names.map(|name| format!("== {name}: {}", shown(name)));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn corpora_with_tokens_are_read_and_what_is_not_kept_is_listed() {
    let names = [
        "ewt.conllu",
        "uner.iob2",
        "conll2003.txt",
        "conll2002.esp",
        "hf/train.jsonl",
    ];
    let all = names.map(|name| format!("== {name}: {}", shown(name)));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_annotator_can_be_chosen() {
    let read = |name: &str, annotator: &str| {
        let options = ReadOptions {
            annotator: Some(annotator.to_owned()),
            ..ReadOptions::default()
        };
        let corpus = read_corpus(&fixture(name), &options).unwrap();
        assert_eq!(corpus.issues, []);
        corpus.documents.iter().flat_map(names).collect::<Vec<_>>()
    };
    for name in ["label-studio.json", "label-studio-min.json"] {
        assert_eq!(read(name, "5"), ["PER:Лис"], "{name}");
    }
    let olha = ["PER:Ганна Лис", "ORG:Рідний Край", "LOC:Львові"];
    assert_eq!(read("label-studio.json", "olha@example.org"), olha);
}
