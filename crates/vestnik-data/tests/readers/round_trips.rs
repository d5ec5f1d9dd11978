//! Every format: what is written is read again, and what is missing then was listed.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;
use vestnik_core::{ColumnScheme, Document, Entity, Span};
use vestnik_data::{
    Corpus, Format, Loss, LossKind, WriteOptions, read_ner, sha256_documents, write_beside,
    write_corpus, write_folder,
};

use crate::folder::Folder;
use crate::segments::{options, segments};

/// Texts of what is hard: several scripts and directions, marks on their own, emoji, signs of the formats, white space.
const CHARACTERS: &str =
    "[аЯёй\u{306}a-dZąß0-9א-ג🕊👩\u{200d}„“\"«»'\\\\|_#*\\[\\];,.-]|[ \\t\\n\\r\u{a0}]";

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(CHARACTERS, 1..40).prop_map(|chars| format!("{}x", chars.concat()))
}

fn document() -> impl Strategy<Value = Document> {
    let label = prop::sample::select(vec!["PER", "LOC", "ЛИЦО", "A-B_c"]);
    let entities = prop::collection::vec((any::<Index>(), any::<Index>(), label), 0..5);
    let lang = prop::option::of(prop::sample::select(vec!["bg", "uk"]));
    let places = (text(), entities, lang, any::<bool>());
    places.prop_map(|(text, entities, lang, partly)| {
        let mut document = Document::new("", text.as_str());
        if let Some(lang) = lang {
            document = document.with_lang(lang).with_source("a | b");
        }
        if partly {
            document = document.with_annotated(["PER", "LOC", "ЛИЦО", "A-B_c"]);
        }
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for (a, b, label) in entities {
            let (a, b) = (*a.get(&borders), *b.get(&borders));
            let Ok(span) = Span::new(a.min(b), a.max(b)) else {
                continue;
            };
            if !text[span.range()].trim().is_empty() {
                document.push_entity(Entity::new(span, label)).unwrap();
            }
        }
        document
    })
}

/// A corpus as it would be read, with ids in their order.
fn corpus(folder: &Folder, documents: &[Document]) -> Corpus {
    let path = folder.path("all.jsonl");
    let mut corpus =
        read_ner(&folder.write("one.jsonl", "{\"text\":\"x\",\"entities\":[]}")).unwrap();
    let (position, others) = (corpus.positions.remove(0), corpus.fields.remove(0));
    corpus.documents.clear();
    for (number, source) in documents.iter().enumerate() {
        let mut document = Document::new(format!("d{number}"), source.text());
        if let (Some(lang), Some(outlet)) = (source.lang(), source.source()) {
            document = document.with_lang(lang).with_source(outlet);
        }
        if let Some(labels) = source.annotated() {
            document = document.with_annotated(labels);
        }
        document.set_entities(source.entities().to_vec()).unwrap();
        corpus.documents.push(document);
        corpus.positions.push(position.clone());
        corpus.fields.push(others.clone());
    }
    drop(path);
    corpus
}

fn written(
    folder: &Folder,
    corpus: &Corpus,
    format: Format,
    options: &WriteOptions<'_>,
) -> (PathBuf, Vec<Loss>) {
    if format.is_folder() {
        let path = folder.path(&format!("{format}"));
        let losses = write_folder(corpus, format, options, &path, false).unwrap();
        return (path, losses);
    }
    let path = folder.path(&format!("{format}{}", format.extension()));
    let losses = write_beside(&path, |out| write_corpus(corpus, format, options, out)).unwrap();
    (path, losses)
}

fn shown(document: &Document) -> Vec<String> {
    let mut shown: Vec<String> = document
        .entities()
        .iter()
        .map(|entity| format!("{} {}", entity.span, entity.label))
        .collect();
    shown.sort();
    shown
}

/// The entities that are listed as lost.
fn lost(document: &Document, losses: &[Loss]) -> Vec<String> {
    let own = losses
        .iter()
        .filter(|loss| loss.document.as_deref() == Some(document.id()));
    own.filter_map(|loss| loss.entity.as_ref())
        .map(|entity| {
            let chars: Vec<usize> = document.text().char_indices().map(|(at, _)| at).collect();
            let byte = |at: usize| chars.get(at).copied().unwrap_or(document.text().len());
            format!(
                "{}..{} {}",
                byte(entity.start),
                byte(entity.end),
                entity.label
            )
        })
        .collect()
}

fn check(documents: &[Document], scheme: ColumnScheme) {
    for format in Format::ALL {
        let folder = Folder::new();
        let corpus = corpus(&folder, documents);
        let options = WriteOptions {
            scheme,
            segmenter: &segments,
            labels: &[],
        };
        let (path, losses) = written(&folder, &corpus, format, &options);
        let read = read_ner(&path).unwrap();
        let issues = folder.issues(&read.issues);
        assert_eq!(issues, "", "{format}: {:?}", corpus.documents);
        assert_eq!(read.losses, [], "{format}");
        assert_eq!(read.documents.len(), documents.len(), "{format}");
        for (document, back) in corpus.documents.iter().zip(&read.documents) {
            check_document(format, document, back, &losses);
        }
        let lossless = [Format::Vestnik, Format::Doccano, Format::LabelStudio];
        if lossless.contains(&format) {
            assert_eq!(losses, [], "{format}");
            assert_eq!(read.documents, corpus.documents, "{format}");
        }
    }
}

fn check_document(format: Format, document: &Document, back: &Document, losses: &[Loss]) {
    let kinds: BTreeSet<&LossKind> = losses
        .iter()
        .filter(|loss| loss.document.as_deref() == Some(document.id()))
        .map(|loss| &loss.kind)
        .collect();
    let field = |name: &str| kinds.contains(&LossKind::Field(name.to_owned()));
    assert!(back.id() == document.id() || field("id"), "{format}");
    assert!(back.lang() == document.lang() || field("lang"), "{format}");
    assert!(
        back.source() == document.source() || field("source"),
        "{format}"
    );
    assert!(
        back.annotated() == document.annotated() || field("annotated"),
        "{format}"
    );
    assert_eq!(back.text(), document.text(), "{format}");
    let mut expected = shown(document);
    let lost = lost(document, losses);
    if matches!(format, Format::Brat | Format::WebAnno) {
        // White space is trimmed from their edges: they are there, and shorter.
        let back = shown(back);
        assert_eq!(back.len(), expected.len(), "{format} {document:?}");
        expected.retain(|entity| !lost.contains(entity));
        assert!(
            expected.iter().all(|entity| back.contains(entity)),
            "{format} {document:?}"
        );
        return;
    }
    for entity in &lost {
        let place = expected.iter().position(|known| known == entity);
        expected.remove(place.expect("what is lost was there"));
    }
    assert_eq!(shown(back), expected, "{format} {document:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_missing_was_listed(documents in prop::collection::vec(document(), 1..4), scheme in prop::sample::select(vec!["iob1", "iob2", "bioes", "bilou"])) {
        check(&documents, scheme.parse().unwrap());
    }
}

/// Names at words, in texts with one space between words.
const NEWS: &str = r#"{"id":"a","lang":"bg","text":"Румен Радев посети Киев.","entities":[{"start":0,"end":11,"label":"PER"},{"start":19,"end":23,"label":"LOC"}]}
{"id":"b","lang":"uk","text":"Україна 🕊 чекає, каже Зеленський\nКиїв","entities":[{"start":0,"end":7,"label":"LOC"},{"start":22,"end":32,"label":"PER"},{"start":33,"end":37,"label":"LOC"}]}
{"id":"c","lang":"pl","text":"„Gazeta Wyborcza” pisze.","entities":[{"start":1,"end":16,"label":"ORG"}]}
"#;

#[test]
fn copies_in_all_formats_give_the_same_examples() {
    let folder = Folder::new();
    let corpus = read_ner(&folder.write("news.jsonl", NEWS)).unwrap();
    assert_eq!(folder.issues(&corpus.issues), "");
    let hash = sha256_documents(&corpus.documents);
    for format in Format::ALL {
        let (path, losses) = written(&folder, &corpus, format, &options());
        assert!(
            losses.iter().all(|loss| loss.entity.is_none()),
            "{format}: {losses:?}"
        );
        let read = read_ner(&path).unwrap();
        assert_eq!(sha256_documents(&read.documents), hash, "{format}");
        assert_eq!(Format::detect(&path).unwrap(), format);
    }
}

#[test]
fn other_fields_are_kept_where_records_can_have_them() {
    let folder = Folder::new();
    let line = r#"{"id":"a","text":"Sofia","entities":[{"start":0,"end":5,"label":"LOC","lemma":"Sofia","link":"Q472","score":0.75,"stance":"neutral"}],"outlet":"dnevnik","date":null}"#;
    let corpus = read_ner(&folder.write("a.jsonl", line)).unwrap();
    insta::assert_snapshot!(folder.messages(&corpus.losses), @"a.jsonl:1: no place for the field entities[].stance");
    let mut listed = String::new();
    for format in Format::ALL {
        let (path, losses) = written(&folder, &corpus, format, &options());
        let read = read_ner(&path).unwrap();
        let kept = read.fields[0].keys().cloned().collect::<Vec<_>>();
        let losses: Vec<String> = losses.iter().map(|loss| loss.kind.to_string()).collect();
        listed.push_str(&format!("{format}: kept {kept:?}, {}\n", losses.join(", ")));
    }
    insta::assert_snapshot!(listed);
    let (path, _) = written(&folder, &corpus, Format::Vestnik, &options());
    let mut again = read_ner(&path).unwrap();
    again.positions.clone_from(&corpus.positions);
    again.losses.clone_from(&corpus.losses);
    assert_eq!(again, corpus);
}

#[test]
fn compressed_copies_are_read() {
    let folder = Folder::new();
    let corpus = read_ner(&folder.write("news.jsonl", NEWS)).unwrap();
    for name in ["news.conllu.gz", "news.json.zst", "copy.jsonl.gz"] {
        let path = folder.path(name);
        let format = Format::of_output(&path).unwrap();
        let mut out = Vec::new();
        write_corpus(&corpus, format, &options(), &mut out).unwrap();
        write_beside(&path, |file| file.write_all(&out)).unwrap();
        let read = read_ner(&path).unwrap();
        assert_eq!(read.documents, corpus.documents, "{name}");
    }
}
