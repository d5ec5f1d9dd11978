//! JSON lines with named entities.

use vestnik_core::{Document, Entity};
use vestnik_data::{Corpus, Error, Position, Problem, read_ner};

use crate::folder::Folder;

/// `label:text` of each entity.
pub(crate) fn names(document: &Document) -> Vec<String> {
    let name =
        |entity: &Entity| format!("{}:{}", entity.label, document.slice(entity.span).unwrap());
    document.entities().iter().map(name).collect()
}

fn read(lines: &str) -> Corpus {
    let folder = Folder::new();
    read_ner(&folder.write("corpus.jsonl", lines)).unwrap()
}

#[test]
fn a_record_becomes_a_document() {
    let corpus = read(concat!(
        r#"{"id":"a","lang":"uk","source":"Тест","topic":"мир","text":"У Києві 🕊 NATO","#,
        r#""entities":[{"start":10,"end":14,"label":"ORG"},"#,
        r#"{"start":2,"end":7,"label":"LOC","lemma":"Київ","link":"GPE-Kyiv","score":0.5}],"#,
        r#""annotated":["LOC","ORG"]}"#
    ));
    assert_eq!(corpus.issues, []);
    let document = &corpus.documents[0];
    assert_eq!(
        (document.id(), document.lang(), document.source()),
        ("a", Some("uk"), Some("Тест"))
    );
    assert_eq!(document.annotated().unwrap(), ["LOC", "ORG"]);
    assert_eq!(names(document), ["LOC:Києві", "ORG:NATO"]);
    let kyiv = &document.entities()[0];
    assert_eq!(
        (kyiv.lemma.as_deref(), kyiv.link.as_deref()),
        (Some("Київ"), Some("GPE-Kyiv"))
    );
    assert_eq!(kyiv.score, Some(0.5));
}

#[test]
fn only_text_and_entities_are_needed() {
    let corpus = read(
        "\u{feff}{\"text\":\"Рим\",\"entities\":[],\"lang\":null}\r\n\r\n{\"id\":5,\"text\":\"Рим\",\"entities\":[]}",
    );
    assert_eq!(corpus.issues, []);
    let ids: Vec<_> = corpus.documents.iter().map(Document::id).collect();
    assert_eq!(ids, ["corpus.jsonl:1", "5"]);
    assert_eq!(corpus.documents[0].annotated(), None);
    assert_eq!(corpus.positions[1].line, 3);
}

#[test]
fn own_output_is_read_in_the_unit_that_it_names() {
    for (unit, start, end) in [("byte", 11, 19), ("char", 6, 10), ("utf16", 7, 11)] {
        let corpus = read(&format!(
            r#"{{"text":"\ud83d\udd4a и в Риме","entities":[{{"start":{start},"end":{end},"text":"Риме","label":"LOC"}}],"vestnik":{{"offset_unit":"{unit}"}}}}"#
        ));
        assert_eq!(corpus.issues, [], "{unit}");
        assert_eq!(names(&corpus.documents[0]), ["LOC:Риме"]);
    }
}

#[test]
fn a_record_with_a_defect_is_set_aside_and_all_its_defects_are_named() {
    let corpus = read(concat!(
        r#"{"id":"a","lang":1,"text":"Рим и Милан","entities":["#,
        r#"{"start":0,"end":3,"label":"PER"},{"start":3,"end":3,"label":""},7],"annotated":["LOC"]}"#,
        "\n",
        r#"{"id":"b","text":"Рим","entities":[]}"#
    ));
    assert_eq!(corpus.documents.len(), 1);
    assert_eq!(corpus.positions.len(), 1);
    assert_eq!(corpus.documents[0].id(), "b");
    let problems: Vec<_> = corpus
        .issues
        .iter()
        .map(|issue| issue.problem.to_string())
        .collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn ids_are_unique() {
    let record = r#"{"id":"a","text":"Рим","entities":[]}"#;
    let corpus = read(&format!("{record}\n{record}\n"));
    assert_eq!(corpus.documents.len(), 1);
    let problem = Problem::DuplicateId {
        id: "a".to_owned(),
        first_line: 1,
    };
    assert_eq!(
        (corpus.issues[0].line, &corpus.issues[0].problem),
        (Some(2), &problem)
    );
}

#[test]
fn nested_entities_are_read_and_can_be_refused() {
    let corpus = read(concat!(
        r#"{"text":"Bank of Rome","entities":[{"start":8,"end":12,"label":"LOC"},"#,
        r#"{"start":0,"end":12,"label":"ORG"},{"start":0,"end":4,"label":"ORG"}]}"#
    ));
    assert_eq!(
        names(&corpus.documents[0]),
        ["ORG:Bank", "ORG:Bank of Rome", "LOC:Rome"]
    );
    let issues = corpus.overlaps();
    assert_eq!(issues.len(), 2);
    assert!(issues[1].to_string().ends_with(
        r#"corpus.jsonl:1: the LOC "Rome" overlaps "Bank of Rome", expected entities side by side"#
    ));
}

#[test]
fn entities_that_touch_do_not_overlap() {
    let corpus = read(
        r#"{"text":"ЛНР/ДНР","entities":[{"start":0,"end":3,"label":"LOC"},{"start":3,"end":7,"label":"LOC"}]}"#,
    );
    assert_eq!(corpus.overlaps(), []);
}

#[test]
fn content_shows_the_format_where_the_name_does_not() {
    let folder = Folder::new();
    let json = folder.write("corpus.data", " \n{\"text\":\"Рим\",\"entities\":[]}");
    assert_eq!(read_ner(&json).unwrap().documents.len(), 1);
    let columns = folder.write("corpus.txt", "Рим B-LOC\n");
    assert_eq!(
        names(&read_ner(&columns).unwrap().documents[0]),
        ["LOC:Рим"]
    );
}

#[test]
fn compressed_corpora_are_read() {
    let folder = Folder::new();
    for name in ["corpus.jsonl.gz", "corpus.jsonl.zst"] {
        let path = folder.write_compressed(name, "{\"text\":\"Рим\",\"entities\":[]}\n");
        assert_eq!(read_ner(&path).unwrap().documents.len(), 1, "{name}");
        let misnamed = folder.path("misnamed.jsonl");
        std::fs::copy(&path, &misnamed).unwrap();
        assert_eq!(read_ner(&misnamed).unwrap().documents.len(), 1, "{name}");
    }
}

#[test]
fn what_stops_a_file_is_an_error() {
    let folder = Folder::new();
    let missing = read_ner(&folder.path("missing.jsonl")).unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    let directory = read_ner(&folder.path("")).unwrap_err();
    assert!(matches!(directory, Error::NoCorpus { .. }));
    let whole = std::fs::read(
        folder.write_compressed("a.jsonl.gz", "{\"text\":\"Рим\",\"entities\":[]}\n"),
    )
    .unwrap();
    let cut = read_ner(&folder.write("cut.jsonl.gz", &whole[..whole.len() - 9])).unwrap_err();
    assert!(matches!(cut, Error::Input(issue) if issue.problem.ends_input()));
}

#[test]
fn corpora_are_joined() {
    let mut corpus = read(r#"{"text":"Рим","entities":[{"start":0,"end":3,"label":"LOC"}]}"#);
    corpus.append(read("{\"text\":\"Рим\",\"entities\":[]}\n{}"));
    assert_eq!(
        (
            corpus.documents.len(),
            corpus.positions.len(),
            corpus.n_entities()
        ),
        (2, 2, 1)
    );
    assert_eq!(corpus.issues.len(), 2);
    assert!(matches!(corpus.positions[1], Position { line: 1, .. }));
}
