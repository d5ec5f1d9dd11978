//! Stance, topic and inference corpora.

use vestnik_data::{read_nli, read_stance, read_topics};

use crate::folder::Folder;

#[test]
fn stance_targets_may_overlap_and_keep_their_other_fields() {
    let folder = Folder::new();
    let path = folder.write("stance.jsonl", concat!(
        r#"{"id":"a","lang":"ru","text":"Мэр Рима","targets":[{"start":0,"end":8,"label":"favour","type":"PER"},"#,
        r#"{"start":4,"end":8,"label":"neutral","role":{"main":"Innocent","fine":[]}}]}"#, "\n",
        r#"{"id":"b","text":"Рим","targets":[{"start":0,"end":3,"label":"pro"},{"start":1,"end":9,"label":"against"}]}"#
    ));
    let corpus = read_stance(&path).unwrap();
    let [record] = corpus.records.as_slice() else {
        panic!("{corpus:?}")
    };
    assert_eq!(
        (record.id.as_str(), record.lang.as_deref()),
        ("a", Some("ru"))
    );
    let targets: Vec<_> = record
        .targets
        .iter()
        .map(|target| target.span.slice(&record.text).unwrap())
        .collect();
    assert_eq!(targets, ["Мэр Рима", "Рима"]);
    assert_eq!(record.targets[0].fields["type"], "PER");
    assert_eq!(record.targets[1].fields["role"]["main"], "Innocent");
    insta::assert_snapshot!(folder.issues(&corpus.issues));
}

#[test]
fn topics_are_lists_of_labels() {
    let folder = Folder::new();
    let path = folder.write(
        "topics.jsonl",
        concat!(
            r#"{"id":"a","title":"Выборы","text":"В Риме","labels":["politics","mir"]}"#,
            "\n",
            r#"{"id":"b","text":"В Риме","labels":[]}"#,
            "\n",
            r#"{"id":"c","text":"","labels":"politics"}"#,
            "\n",
            r#"{"id":"d","title":1,"text":"В Риме","labels":["politics",""]}"#
        ),
    );
    let corpus = read_topics(&path).unwrap();
    assert_eq!(corpus.records.len(), 2);
    assert_eq!(corpus.records[0].title.as_deref(), Some("Выборы"));
    assert_eq!(corpus.records[0].labels, ["politics", "mir"]);
    insta::assert_snapshot!(folder.issues(&corpus.issues));
}

#[test]
fn inference_records_have_two_texts() {
    let folder = Folder::new();
    let path = folder.write(
        "nli.jsonl",
        concat!(
            r#"{"id":"a","premise":"Идёт дождь.","hypothesis":"Сухо.","label":"not_entailment"}"#,
            "\n",
            r#"{"id":"b","premise":" ","hypothesis":null,"label":""}"#
        ),
    );
    let corpus = read_nli(&path).unwrap();
    assert_eq!(corpus.records.len(), 1);
    assert_eq!(corpus.positions[0].line, 1);
    assert_eq!(corpus.records[0].label, "not_entailment");
    insta::assert_snapshot!(folder.issues(&corpus.issues));
}
