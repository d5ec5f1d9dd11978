//! Files in the shapes that annotation tools and corpora have: what is read, and that everything else is listed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use vestnik_data::{Corpus, Format, ReadOptions, read_corpus, read_ner};

use crate::folder::Folder;
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

/// A file of each format that is one file; of brat the annotations.
const FILES: [&str; 12] = [
    "doccano-relations.jsonl",
    "doccano-label.jsonl",
    "label-studio.json",
    "label-studio-min.json",
    "brat/crlf.ann",
    "webanno.tsv",
    "cas.json",
    "ewt.conllu",
    "uner.iob2",
    "conll2003.txt",
    "conll2002.esp",
    "hf/train.jsonl",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Bytes are cut out and others put in their place: something is read or named, and spans lie inside their texts.
    #[test]
    fn damaged_files_never_panic(name in prop::sample::select(FILES.to_vec()), at in any::<Index>(), n_cut in 0..40_usize, put in "[0-9\\t\\n\"{}\\[\\],:а🕊_|*-]{0,6}") {
        let whole = std::fs::read(fixture(name)).unwrap();
        let at = at.index(whole.len());
        let rest = &whole[(at + n_cut).min(whole.len())..];
        let folder = Folder::new();
        let changed = folder.write(name, [&whole[..at], put.as_bytes(), rest].concat());
        if name.ends_with(".ann") {
            std::fs::copy(fixture("brat/crlf.txt"), changed.with_extension("txt")).unwrap();
        }
        let options = ReadOptions {
            format: Some(Format::detect(&fixture(name)).unwrap()),
            ..ReadOptions::default()
        };
        for read in [read_corpus(&changed, &options), read_ner(&changed)].into_iter().flatten() {
            for document in &read.documents {
                prop_assert!(document.entities().iter().all(|entity| document.slice(entity.span).is_ok()));
            }
            prop_assert!(read.issues.iter().all(|issue| issue.to_string().lines().count() == 1));
        }
    }
}

#[test]
fn structures_of_a_cas_may_have_their_ids_as_keys() {
    let folder = Folder::new();
    let cas = r#"{"%FEATURE_STRUCTURES": {
        "1": {"%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": "Paris waits"},
        "2": {"%TYPE": "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity",
              "@sofa": 1, "begin": 0, "end": 5, "value": "LOC"}}}"#;
    folder.write("a.json", cas);
    let corpus = read_ner(&folder.path("a.json")).unwrap();
    assert_eq!(corpus.documents[0].entities().len(), 1);
    assert!(corpus.losses.is_empty(), "{:?}", corpus.losses);
}
