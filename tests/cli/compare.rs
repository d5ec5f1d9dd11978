//! `evaluate --compare`: two models, two files of predictions, mistakes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const TEXT: &str = "Anna met Boris in Sofia.";

/// Documents 0..6 with three entities each; `wrong` says in which documents LOC is not found.
fn documents(found: impl Fn(usize) -> bool) -> String {
    let document = |id: usize| {
        let mut entities = vec![
            json!({"start": 0, "end": 4, "label": "PER"}),
            json!({"start": 9, "end": 14, "label": "PER"}),
        ];
        if found(id) {
            entities.push(json!({"start": 18, "end": 23, "label": "LOC"}));
        }
        json!({"id": id.to_string(), "lang": "en", "text": TEXT, "entities": entities}).to_string()
    };
    (0..6).map(document).collect::<Vec<_>>().join("\n")
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.write("gold.jsonl", documents(|_| true));
    sandbox.write("a.jsonl", documents(|id| id % 2 == 0));
    sandbox.write("b.jsonl", documents(|_| true));
    sandbox
}

fn compare(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "evaluate --data gold.jsonl --device cpu --progress none --compare {args}"
    ))
}

#[test]
fn two_files_of_predictions() {
    let sandbox = sandbox();
    assert_snapshot!(compare(&sandbox, "a.jsonl b.jsonl"), @r#"
    exit 0
    --- stdout
    A: a.jsonl
    B: b.jsonl
    F1                     A       B    B - A         95 % interval       p    gold
    strict            0.9091  1.0000  +0.0909    +0.0286 to +0.1613  0.0400      18
    spans only        0.9091  1.0000  +0.0909    +0.0286 to +0.1613  0.0400      18
    LOC               0.6667  1.0000  +0.3333    +0.0909 to +0.7143  0.1389       6
    PER               1.0000  1.0000  +0.0000    +0.0000 to +0.0000  1.0000      12
    en                0.9091  1.0000  +0.0909    +0.0286 to +0.1613  0.0400      18
    6 documents; paired bootstrap over documents, 1000 resamples; p: two-sided
    "#);
    let report = compare(&sandbox, "a.jsonl b.jsonl --json")
        .records()
        .remove(0);
    let overall = &report["groups"]["overall"][0];
    assert_eq!(
        (&overall["a_f1"], &overall["b_f1"]),
        (&json!(30.0 / 33.0), &json!(1.0))
    );
    let interval = &overall["interval"];
    assert!(interval[0].as_f64().unwrap() >= 0.0);
    assert!(interval[1].as_f64().unwrap() > 0.09);
    let p = |row: &Value| row["p_value"].as_f64().unwrap();
    assert!(p(overall) < 0.2, "{report}");
    assert_eq!(p(&report["groups"]["label"][1]), 1.0, "PER does not differ");
    assert_eq!(report["bootstrap"]["resamples"], 1000);
}

#[test]
fn the_order_of_a_file_and_the_number_of_threads_do_not_matter() {
    let sandbox = sandbox();
    let lines = documents(|id| id % 2 == 0);
    let reversed: Vec<&str> = lines.lines().rev().collect();
    sandbox.write("c.jsonl", reversed.join("\n"));
    let groups = |args: &str| compare(&sandbox, args).records().remove(0)["groups"].clone();
    let expected = groups("a.jsonl b.jsonl --json");
    assert_eq!(groups("c.jsonl b.jsonl --json --threads 1"), expected);
    assert_ne!(groups("a.jsonl b.jsonl --json --resamples 10"), expected);
}

#[test]
fn a_model_against_itself_and_against_its_predictions() {
    let sandbox = sandbox();
    let ran = sandbox.run(
        "evaluate --model tiny --data gold.jsonl --device cpu --progress none --predictions own.jsonl",
    );
    assert_eq!(ran.code, 0, "{ran}");
    for sides in ["tiny tiny --threads 1", "own.jsonl tiny"] {
        let report = compare(&sandbox, &format!("{sides} --json"))
            .records()
            .remove(0);
        let overall = &report["groups"]["overall"][0];
        assert_eq!(
            (&overall["difference"], &overall["p_value"]),
            (&json!(0.0), &json!(1.0))
        );
    }
}

#[test]
fn files_over_other_documents() {
    let sandbox = sandbox();
    let b = documents(|_| true);
    let lines: Vec<&str> = b.lines().collect();
    sandbox.write("few.jsonl", lines[..4].join("\n"));
    sandbox.write(
        "many.jsonl",
        format!("{b}\n{}", lines[0].replace("\"0\"", "\"7\"")),
    );
    sandbox.write("changed.jsonl", b.replace("Sofia", "Varna"));
    assert_snapshot!(compare(&sandbox, "a.jsonl few.jsonl"), @r#"
    exit 2
    --- stderr
    error: few.jsonl lacks the document "4" of the data
    hint: both sides must be over the documents of --data
    "#);
    assert_snapshot!(compare(&sandbox, "many.jsonl a.jsonl"), @r#"
    exit 2
    --- stderr
    error: many.jsonl has the document "7", which the data do not have
    hint: both sides must be over the documents of --data
    "#);
    assert_snapshot!(compare(&sandbox, "tiny changed.jsonl"), @r#"
    exit 2
    --- stderr
    error: changed.jsonl has another text for the document "0" than the data
    hint: both sides must be over the documents of --data
    "#);
    assert_snapshot!(compare(&sandbox, "nowhere a.jsonl"), @r#"
    exit 2
    --- stderr
    error: nowhere: no such model directory
    hint: a model is a directory, the built-in model vestnik-news, or a name on the hub: ORG/NAME or ORG/NAME@REVISION
    "#);
}

#[test]
fn one_document_allows_no_conclusion() {
    let sandbox = sandbox();
    let first = |text: String| text.lines().next().unwrap().to_owned();
    sandbox.write("gold.jsonl", first(documents(|_| true)));
    sandbox.write("a.jsonl", first(documents(|_| false)));
    sandbox.write("b.jsonl", first(documents(|_| true)));
    assert_snapshot!(compare(&sandbox, "a.jsonl b.jsonl"), @r#"
    exit 0
    --- stdout
    A: a.jsonl
    B: b.jsonl
    F1                     A       B    B - A         95 % interval       p    gold
    strict            0.8000  1.0000  +0.2000          one document               3
    spans only        0.8000  1.0000  +0.2000          one document               3
    LOC               0.0000  1.0000  +1.0000          one document               1
    PER               1.0000  1.0000  +0.0000          one document               2
    en                0.8000  1.0000  +0.2000          one document               3
    1 documents; paired bootstrap over documents, 1000 resamples; p: two-sided
    "#);
}

#[test]
fn nothing_to_compare() {
    let sandbox = sandbox();
    sandbox.write(
        "gold.jsonl",
        json!({"id": "1", "text": TEXT, "entities": []}).to_string(),
    );
    assert_snapshot!(compare(&sandbox, "gold.jsonl gold.jsonl"), @r#"
    exit 0
    --- stdout
    A: gold.jsonl
    B: gold.jsonl
    F1                     A       B    B - A         95 % interval       p    gold
    neither gold entities nor predictions: nothing could be compared
    1 documents; paired bootstrap over documents, 1000 resamples; p: two-sided
    "#);
    assert_snapshot!(compare(&sandbox, "gold.jsonl gold.jsonl --model tiny"), @r#"
    exit 2
    --- stderr
    error: the argument '--compare <A> <B>' cannot be used with '--model <DIR|ID>'

    Usage: vestnik evaluate --data <FILE>... --device <DEVICE> --progress <PROGRESS> --compare <A> <B>

    For more information, try '--help'.
    "#);
}

/// Entities and their scores as seqeval 1.2.2 in its strict mode gives them: `scripts/record_entity_scores.py`.
const RECORDED: &str = include_str!("../../crates/vestnik-core/tests/fixtures/entity_scores.json");

#[test]
fn f1_is_that_of_an_independent_scorer() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let sandbox = Sandbox::new();
    for side in ["gold", "predicted"] {
        let record = |document: &Value| {
            let entities = document[side].as_array().unwrap().iter();
            let entity = |e: &Value| json!({"start": e[0], "end": e[1], "label": e[2]});
            let entities: Vec<Value> = entities.map(entity).collect();
            json!({"id": document["id"], "lang": document["lang"], "text": document["text"], "entities": entities})
                .to_string()
        };
        let documents = recorded["documents"].as_array().unwrap().iter();
        let lines: Vec<String> = documents.map(record).collect();
        sandbox.write(&format!("{side}.jsonl"), lines.join("\n"));
    }
    let ran = sandbox.run(
        "evaluate --compare predicted.jsonl predicted.jsonl --data gold.jsonl --json --progress none",
    );
    let groups = ran.records().remove(0)["groups"].clone();
    let check = |row: &Value, scores: &Value| {
        let (found, expected) = (row["a_f1"].as_f64().unwrap(), scores[2].as_f64().unwrap());
        assert!((found - expected).abs() < 1e-12, "{row} {scores}");
        assert_eq!(row["gold"], scores[3], "{row}");
    };
    check(&groups["overall"][0], &recorded["micro"]);
    for (facet, field) in [("label", "per_label"), ("language", "per_lang")] {
        let rows = groups[facet].as_array().unwrap();
        assert_eq!(rows.len(), recorded[field].as_object().unwrap().len());
        for row in rows {
            check(row, &recorded[field][row["name"].as_str().unwrap()]);
        }
    }
}
