//! The message of each mistake in files of tools, as people see it: file, line, what was found, what was expected.

use vestnik_data::read_ner;

use crate::folder::Folder;

/// The messages of reading a file among others.
fn messages(name: &str, files: &[(&str, &str)]) -> String {
    let folder = Folder::new();
    for (name, content) in files {
        folder.write(name, content);
    }
    match read_ner(&folder.path(name)) {
        Ok(corpus) => folder.issues(&corpus.issues),
        Err(error) => folder.messages([error]),
    }
}

fn table(cases: &[(&str, &str)]) -> String {
    let all = cases.iter().map(|case| {
        let found = messages(case.0, &[*case]);
        assert!(!found.is_empty(), "{}: no message", case.0);
        found
    });
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_in_conllu() {
    let line = |columns: &str| format!("{columns}\n\n");
    let cases = [
        ("few.conllu", line("1\tRome\tNER=B-LOC")),
        ("tag.conllu", line("1\tRome\t_\t_\t_\t_\t_\t_\t_\tNER=LOC")),
        ("number.conllu", line("one\tRome\t_\t_\t_\t_\t_\t_\t_\t_")),
        ("range.conllu", line("3-2\tRome\t_\t_\t_\t_\t_\t_\t_\t_")),
        ("form.conllu", line("1\t\t_\t_\t_\t_\t_\t_\t_\t_")),
        (
            "text.conllu",
            line("# text = Rome\n1\tParis\t_\t_\t_\t_\t_\t_\t_\t_"),
        ),
        ("empty.conllu", String::new()),
        (
            "orphan.conllu",
            line("1\ta\t_\t_\t_\t_\t_\t_\t_\tNER=B-PER\n2\tb\t_\t_\t_\t_\t_\t_\t_\tNER=I-LOC"),
        ),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    insta::assert_snapshot!(table(&cases));
}

#[test]
fn words_are_counted_from_1() {
    let found = messages(
        "zero.conllu",
        &[("zero.conllu", "0\tRome\t_\t_\t_\t_\t_\t_\t_\t_\n\n")],
    );
    assert!(found.starts_with("zero.conllu:1:"), "{found}");
}

#[test]
fn mistakes_in_brat() {
    let pair = |ann: &str| messages("a.ann", &[("a.txt", "Анна чекає"), ("a.ann", ann)]);
    let all = [
        pair("T1\tPER 0 40\tАнна"),
        pair("T1\tPER 0 4\tОльга"),
        pair("T1\tPER 4 0\tАнна"),
        pair("T1\tPER 4 5\t "),
        pair("T1 PER 0 4 Анна"),
        pair("T1\tPER x 4\tАнна"),
        pair("PER\t0\t4"),
        pair("T1\tPER 0 2;5 99\tАн ч"),
        messages("b.ann", &[("b.ann", "T1\tPER 0 4\tАнна")]),
        messages("folder", &[("folder/b.ann", "T1\tPER 0 4\tАнна")]),
        messages("c.ann", &[("c.txt", " "), ("c.ann", "")]),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn mistakes_in_doccano() {
    insta::assert_snapshot!(table(&[
        ("order.jsonl", r#"{"text":"Рим","label":[["LOC",0,3]]}"#),
        ("short.jsonl", r#"{"text":"Рим","label":[[0,3]]}"#),
        ("bounds.jsonl", r#"{"text":"Рим","label":[[0,6,"LOC"]]}"#),
        ("empty.jsonl", r#"{"text":"Рим","label":[[0,3,""]]}"#),
        ("text.jsonl", r#"{"label":[[0,3,"LOC"]]}"#),
        (
            "entity.jsonl",
            r#"{"text":"Рим","entities":[{"start_offset":0,"label":"LOC"}]}"#
        ),
        (
            "object.jsonl",
            r#"{"text":"Рим","entities":[{"start_offset":0,"end_offset":3,"label":7}]}"#
        ),
        ("blank.jsonl", r#"{"text":" ","label":[]}"#),
    ]));
}

#[test]
fn mistakes_in_label_studio() {
    let task = |region: &str| {
        format!(r#"[{{"id":1,"data":{{"text":"🕊 Рим"}},"annotations":[{{"result":[{region}]}}]}}]"#)
    };
    let cases = [
        ("bounds.json", task(r#"{"type":"labels","value":{"start":3,"end":9,"labels":["LOC"]}}"#)),
        ("quote.json", task(r#"{"type":"labels","value":{"start":3,"end":6,"text":"Мир","labels":["LOC"]}}"#)),
        ("inside.json", task(r#"{"type":"labels","value":{"start":1,"end":6,"labels":["LOC"]}}"#)),
        ("label.json", task(r#"{"type":"labels","value":{"start":3,"end":6,"labels":"LOC"}}"#)),
        ("html.json", task(r#"{"type":"hypertextlabels","value":{}}"#)),
        ("type.json", task(r#"{"value":{"start":3,"end":6,"labels":["LOC"]}}"#)),
        ("field.json", r#"[{"data":{"title":"a","body":"b"},"annotations":[{"result":[]}]}]"#.to_owned()),
        ("number.json", "[{\"data\":{\"text\":\"a\"},\"annotations\":[{\"result\":[]}]},\n7]".to_owned()),
        ("cut.json", "[{\"data\":{\"text\":\"a\"},\n\"annotations\":[".to_owned()),
        ("min.json", r#"[{"id":1,"text":"Рим","label":[{"start":0,"end":9,"labels":["LOC"]}],"annotation_id":1}]"#.to_owned()),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    insta::assert_snapshot!(table(&cases));
}

#[test]
fn mistakes_in_webanno() {
    const HEADER: &str = "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n";
    let file = |lines: &str| format!("{HEADER}\n{lines}\n");
    let cases = [
        ("unit.tsv", file("#Text=Рим\n1-1\tzero\tРим\t_\t_\t")),
        ("quote.tsv", file("#Text=Рим\n1-1\t0-3\tМир\t_\t_\t")),
        ("bounds.tsv", file("#Text=Рим\n1-1\t0-9\tРим\t*\tLOC\t")),
        (
            "order.tsv",
            file("#Text=Рим\n1-1\t0-3\tРим\t_\t_\t\n\n#Text=Мир\n2-1\t0-3\tМир\t_\t_\t"),
        ),
        ("empty.tsv", file("")),
        (
            "layer.tsv",
            "#FORMAT=WebAnno TSV 3.3\n#T_SP=a.Pos|x|y\n\n\n#Text=a\n1-1\t0-1\ta\t_\t_\t\n"
                .to_owned(),
        ),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    insta::assert_snapshot!(table(&cases));
}

#[test]
fn mistakes_in_cas() {
    const SOFA: &str =
        r#"{"%ID":1,"%TYPE":"uima.cas.Sofa","sofaID":"_InitialView","sofaString":"🕊 Рим"}"#;
    const ENTITY: &str = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity";
    let cas = |rest: &str| {
        format!("{{\"%TYPES\":{{}},\"%FEATURE_STRUCTURES\":[{SOFA}{rest}],\"%VIEWS\":{{}}}}")
    };
    let entity = |offsets: &str| {
        cas(&format!(
            r#",{{"%ID":2,"%TYPE":"{ENTITY}","@sofa":1,{offsets}}}"#
        ))
    };
    let cases = [
        ("bounds.json", entity(r#""begin":3,"end":9,"value":"LOC""#)),
        ("inside.json", entity(r#""begin":1,"end":6,"value":"LOC""#)),
        ("reversed.json", entity(r#""begin":6,"end":3,"value":"LOC""#)),
        ("begin.json", entity(r#""end":6,"value":"LOC""#)),
        ("value.json", entity(r#""begin":3,"end":6,"value":7"#)),
        ("type.json", cas(r#",{"%ID":2}"#)),
        ("number.json", cas(",7")),
        ("layers.json", cas(r#",{"%ID":2,"%TYPE":"own.A","@sofa":1,"begin":3,"end":6,"value":"x"},{"%ID":3,"%TYPE":"own.B","@sofa":1,"begin":3,"end":6,"value":"x"}"#)),
        ("no-sofa.json", r#"{"%TYPES":{},"%FEATURE_STRUCTURES":[]}"#.to_owned()),
        ("no-text.json", r#"{"%TYPES":{},"%FEATURE_STRUCTURES":[{"%ID":1,"%TYPE":"uima.cas.Sofa","sofaURI":"a.pdf"}]}"#.to_owned()),
        ("none.json", r#"{"%TYPES":{}}"#.to_owned()),
        ("unit.json", r#"{"%HEADER":{"%OFFSET_ENCODING":"graphemes"},"%FEATURE_STRUCTURES":[]}"#.to_owned()),
        ("cut.json", "{\"%TYPES\":{},\n\"%FEATURE".to_owned()),
    ];
    let cases: Vec<(&str, &str)> = cases
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    insta::assert_snapshot!(table(&cases));
}

#[test]
fn mistakes_in_hugging_face_json() {
    insta::assert_snapshot!(table(&[
        ("count.jsonl", r#"{"tokens":["a","b"],"ner_tags":["O"]}"#),
        ("number.jsonl", r#"{"tokens":["a"],"ner_tags":[3]}"#),
        ("negative.jsonl", r#"{"tokens":["a"],"ner_tags":[-1]}"#),
        ("tag.jsonl", r#"{"tokens":["a"],"ner_tags":["PER"]}"#),
        ("none.jsonl", r#"{"tokens":["a"]}"#),
        ("token.jsonl", r#"{"tokens":["a",""],"ner_tags":["O","O"]}"#),
        (
            "text.jsonl",
            r#"{"tokens":["a"],"ner_tags":["O"],"text":"b"}"#
        ),
        ("empty.jsonl", r#"{"tokens":[],"ner_tags":[]}"#),
        ("string.jsonl", r#"{"tokens":["a"],"ner_tags":"O"}"#),
        (
            "orphan.jsonl",
            r#"{"tokens":["a","b"],"ner_tags":["B-PER","I-LOC"]}"#
        ),
    ]));
}
