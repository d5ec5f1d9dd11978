//! Formats of dumps, in and out.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const TEXTS: [&str; 2] = [
    "Президент прибыл в Софию. Kyiv waits.",
    "Kyiv waits for O'Neill in Sofia.",
];

fn news() -> String {
    let line = |(n, text): (usize, &&str)| {
        format!(
            "{{\"id\":\"a{n}\",\"n\":1E400,\"d\":0.10,\"text\":{}}}\n",
            Value::from(*text)
        )
    };
    TEXTS.iter().enumerate().map(line).collect()
}

fn with_news() -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", news());
    sandbox
}

/// What is found in each article of some input.
fn entities(sandbox: &Sandbox, args: &str) -> Vec<Value> {
    sandbox
        .tag(args)
        .records()
        .iter()
        .map(|record| record["entities"].clone())
        .collect()
}

#[test]
fn dumps_of_all_formats_say_the_same() {
    let sandbox = with_news();
    let expected = entities(&sandbox, "news.jsonl");
    assert!(
        expected
            .iter()
            .any(|found| found.as_array().is_some_and(|found| !found.is_empty()))
    );
    let [a, b] = TEXTS;
    sandbox.write(
        "array.json",
        format!("[\n{{\"text\":\"{a}\"}},\n{{\n\"text\":\"{b}\"}}]"),
    );
    sandbox.write("news.csv", format!("id;text\n1;\"{a}\"\n2;{b}\n"));
    sandbox.write("news.tsv", format!("id\ttext\n1\t{a}\n2\t{b}\n"));
    sandbox.write("wiki.xml", format!(
        "<mediawiki><page><title>A</title><ns>0</ns><revision><text>{a}</text></revision></page>\
         <page><title>B</title><ns>0</ns><revision><text>{b}</text></revision></page></mediawiki>"
    ));
    let record = |text: &str| {
        format!(
            "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}\r\n\r\n",
            text.len()
        )
    };
    sandbox.write("crawl.warc", record(a) + &record(b));
    for input in [
        "array.json",
        "news.csv",
        "news.tsv",
        "wiki.xml",
        "crawl.warc",
        "news.js*",
    ] {
        assert_eq!(entities(&sandbox, input), expected, "{input}");
    }
    let old: Vec<u8> = news()
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c as u8
            } else {
                (c as u32 - 0x350) as u8
            }
        })
        .collect();
    sandbox.write("old.jsonl", old);
    assert_eq!(
        entities(&sandbox, "old.jsonl --encoding windows-1251"),
        expected
    );
}

#[test]
fn parquet_goes_in_and_out() {
    let sandbox = with_news();
    let ran = sandbox.tag("news.jsonl -o tagged.parquet --entities-table mentions.parquet");
    assert_eq!(ran.code, 0, "{ran}");
    let expected = sandbox.tag("news.jsonl").records();
    let mut again = sandbox.tag("tagged.parquet").records();
    for (record, expected) in again.iter_mut().zip(&expected) {
        // No type keeps 1E400: the column is its text.
        assert_eq!(record["n"], "1E400");
        assert_eq!(record["text"], expected["text"]);
        assert_eq!(record["entities"], expected["entities"]);
    }
    assert_eq!(sandbox.tag("tagged.parquet -o again.parquet").code, 0);
    let twice = sandbox.tag("again.parquet").records();
    assert_eq!(twice, again);
    let names = sandbox.names();
    assert_eq!(
        names,
        [
            "again.parquet",
            "mentions.parquet",
            "news.jsonl",
            "tagged.parquet"
        ]
    );
}

#[test]
fn mentions_are_rows_of_csv() {
    let sandbox = with_news();
    assert_eq!(sandbox.tag("news.jsonl -o mentions.csv").code, 0);
    let csv = String::from_utf8(sandbox.read("mentions.csv")).unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("article,id,lang,field,start,end,text,label,score,stance,stance_score")
    );
    let n: usize = entities(&sandbox, "news.jsonl")
        .iter()
        .map(|found| found.as_array().unwrap().len())
        .sum();
    assert_eq!(lines.count(), n);
}

#[test]
fn annotators_get_their_formats() {
    let sandbox = with_news();
    let expected = entities(&sandbox, "news.jsonl");
    let spans = |found: &Value, names: [&str; 3]| -> Vec<Value> {
        let found = found.as_array().unwrap().iter();
        found
            .map(|entity| json!(names.map(|name| entity[name].clone())))
            .collect()
    };
    let n: usize = expected
        .iter()
        .map(|found| found.as_array().unwrap().len())
        .sum();
    for (format, output) in [
        ("doccano", "d.jsonl"),
        ("label-studio", "l.json"),
        ("spacy", "s.jsonl"),
        ("conll", "c.conll"),
        ("brat", "b"),
    ] {
        let ran = sandbox.tag(&format!("news.jsonl -o {output} --output-format {format}"));
        assert_eq!(ran.code, 0, "{ran}");
    }
    for (record, expected) in sandbox.records("d.jsonl").iter().zip(&expected) {
        assert_eq!(
            record["label"],
            Value::from(spans(expected, ["start", "end", "label"]))
        );
    }
    for (record, expected) in sandbox.records("s.jsonl").iter().zip(&expected) {
        assert_eq!(
            spans(&record["ents"], ["start", "end", "label"]),
            spans(expected, ["start", "end", "label"])
        );
    }
    let tasks: Value = serde_json::from_slice(&sandbox.read("l.json")).unwrap();
    let results = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["predictions"][0]["result"].as_array().unwrap().len());
    assert_eq!(results.sum::<usize>(), n);
    let conll = String::from_utf8(sandbox.read("c.conll")).unwrap();
    assert_eq!(
        conll.lines().filter(|line| line.contains("\tB-")).count(),
        n
    );
    let annotations: String = ["a0", "a1"]
        .map(|id| String::from_utf8(sandbox.read(&format!("b/{id}.ann"))).unwrap())
        .concat();
    assert_eq!(
        annotations
            .lines()
            .filter(|line| line.starts_with('T'))
            .count(),
        n
    );
}

#[test]
fn several_fields_have_offsets_of_their_own() {
    let sandbox = Sandbox::with_model();
    let record = json!({"title": TEXTS[0], "meta": {"body": TEXTS[1]}});
    sandbox.write("news.jsonl", record.to_string());
    let tagged = sandbox
        .tag("news.jsonl --text-field title,meta.body")
        .records();
    let found = tagged[0]["entities"].as_array().unwrap();
    assert!(!found.is_empty());
    for entity in found {
        let text = if entity["field"] == "title" {
            TEXTS[0]
        } else {
            TEXTS[1]
        };
        let at = |name: &str| entity[name].as_u64().unwrap() as usize;
        let covered: String = text.chars().take(at("end")).skip(at("start")).collect();
        assert_eq!(entity["text"], covered);
    }
    assert_eq!(
        sandbox
            .tag("news.jsonl --text-field title,meta.body -o d.jsonl --output-format doccano")
            .code,
        0
    );
    assert_eq!(
        sandbox.records("d.jsonl")[0]["label"]
            .as_array()
            .unwrap()
            .len(),
        found.len()
    );
}

#[test]
fn languages_are_recognised_and_chosen() {
    let sandbox = Sandbox::with_model();
    let bulgarian = "Министър-председателят заяви, че правителството ще обсъди бюджета за следващата година в сряда.";
    let english = "The prime minister said that the government would discuss next year's budget on Wednesday.";
    let lines = [
        json!({"text": bulgarian}),
        json!({"text": english}),
        json!({"text": english, "lang": "bg-BG"}),
    ];
    sandbox.write(
        "news.jsonl",
        lines.map(|line| line.to_string() + "\n").concat(),
    );
    let langs = |args: &str| -> Vec<Value> {
        sandbox
            .tag(args)
            .records()
            .iter()
            .map(|record| record["vestnik"]["lang"].clone())
            .collect()
    };
    assert_eq!(langs("news.jsonl"), [json!("bg"), json!("en"), json!(null)]);
    assert_eq!(
        langs("news.jsonl --only-lang bg"),
        [json!("bg"), json!(null)]
    );
    assert_eq!(
        langs("news.jsonl --no-lang"),
        [json!(null), json!(null), json!(null)]
    );
}

#[test]
fn a_dry_run_needs_no_model() {
    let sandbox = Sandbox::new();
    sandbox.write("news.jsonl", news() + "no json\n");
    let ran = sandbox.run("tag --dry-run --progress none news.jsonl -o out.jsonl");
    assert_eq!(ran.code, 1, "{ran}");
    let out = String::from_utf8(sandbox.read("out.jsonl")).unwrap();
    assert!(
        out.starts_with("{\"id\":\"a0\",\"n\":1E400,\"d\":0.10,\"text\":"),
        "{out}"
    );
    assert_eq!(out.lines().count(), 2);
}

#[test]
fn mistakes_about_formats() {
    let sandbox = with_news();
    assert_snapshot!(sandbox.tag("news.jsonl --output-format csv"), @r#"
    exit 2
    --- stderr
    error: csv cannot be written to standard output
    hint: name a file with -o
    "#);
    sandbox.write("taken/a.txt", "precious");
    assert_snapshot!(sandbox.tag("news.jsonl --output-format brat -o taken"), @r#"
    exit 2
    --- stderr
    error: taken exists and is no empty folder
    hint: brat is a folder of files: name a new one
    "#);
    sandbox.write("a.csv", "id,text,text\n1,a,b\n");
    assert_snapshot!(sandbox.tag("a.csv"), @r#"
    exit 2
    --- stderr
    error: a.csv: the field "text" is there twice, expected each field once
    "#);
    sandbox.write("b.csv", "id,body\n1,a\n");
    assert_snapshot!(sandbox.tag("b.csv"), @r#"
    exit 2
    --- stderr
    error: b.csv:2: no field "text", found "id", "body"
    "#);
    sandbox.write("c.parquet", "PAR1 and nothing else");
    let ran = sandbox.tag("c.parquet");
    assert!(
        ran.code == 2
            && ran
                .stderr
                .starts_with("error: c.parquet: cannot be read as Parquet"),
        "{ran}"
    );
    assert_snapshot!(sandbox.tag("'*.warc'"), @r#"
    exit 2
    --- stderr
    error: '*.warc': no such file or folder
    "#);
}

#[test]
fn reprints_are_tagged_once() {
    let sandbox = Sandbox::with_model();
    let story = |n: usize| {
        let words = (0..60).map(|word| format!("w{}", word * 7 + n * 1000));
        format!(
            "Президент прибыл в Софию. {} Kyiv waits.",
            words.collect::<Vec<_>>().join(" ")
        )
    };
    let line = |id: &str, text: &str| json!({"id": id, "text": text}).to_string() + "\n";
    let dump = line("a", &story(1))
        + &line("b", &story(2))
        + &line("a2", &story(1))
        + &line("a3", &format!("(AP) {}", story(1)));
    sandbox.write("news.jsonl", dump);
    let whole = sandbox.tag("news.jsonl").records();
    let found = sandbox.tag("news.jsonl --dedup").records();
    let copied: Vec<Value> = found
        .iter()
        .map(|record| record["vestnik"]["copied_from"]["id"].clone())
        .collect();
    assert_eq!(copied, [json!(null), json!(null), json!("a"), json!("a")]);
    assert_eq!(found[2]["entities"], whole[2]["entities"]);
    let text: Vec<char> = found[3]["text"].as_str().unwrap().chars().collect();
    let entities = found[3]["entities"].as_array().unwrap();
    assert_eq!(
        entities.len(),
        found[0]["entities"].as_array().unwrap().len()
    );
    for entity in entities {
        let at = |name: &str| entity[name].as_u64().unwrap() as usize;
        assert_eq!(
            entity["text"],
            text[at("start")..at("end")].iter().collect::<String>()
        );
    }
    assert!(sandbox.tag("news.jsonl --dedup=1").records()[3]["vestnik"]["copied_from"].is_null());
}
