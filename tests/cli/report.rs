//! `evaluate --report`: a page and an object with the same numbers, mistakes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const TEXT: &str = "Kyiv waits; the <script>alert(1)</script> & “Rada” met in Sofia with O'Neill.";

fn document(id: &str, lang: &str, entities: &Value) -> String {
    json!({"id": id, "lang": lang, "text": TEXT, "entities": entities}).to_string()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let lines = [
        document(
            "1",
            "en",
            &json!([{"start": 0, "end": 4, "label": "LOC"}, {"start": 0, "end": 10, "label": "PER"}]),
        ),
        document(
            "<b>2</b>",
            "bg",
            &json!([{"start": 0, "end": 4, "label": "PER"}]),
        ),
        json!({"id": "3", "text": "Sofia", "entities": [], "annotated": ["PER"], "source": "x<i>"})
            .to_string(),
    ];
    sandbox.write("gold.jsonl", lines.join("\n"));
    sandbox
}

fn evaluate(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "evaluate --model tiny --device cpu --progress none {args}"
    ))
}

#[test]
fn the_object_has_all_the_numbers() {
    let sandbox = sandbox();
    let printed = evaluate(&sandbox, "--data gold.jsonl --json --report out/report");
    let printed = printed.records().remove(0);
    let report = sandbox.records_of("out/report/report.json");
    assert_eq!(report["format_version"], 1);
    assert_eq!(
        report["model"],
        json!({"name": "tiny", "labels": ["PER", "LOC"]})
    );
    assert_eq!(report["data"][0]["path"], "gold.jsonl");
    assert_eq!(report["data"][0]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(report["data"][0]["documents"], 3);
    let groups = &report["evaluation"]["groups"];
    let strict = &groups["overall"][0];
    for field in ["tp", "fp", "fn", "f1"] {
        assert_eq!(strict[field], printed["micro"][field], "{field}");
    }
    assert_eq!(strict["interval"], printed["micro_f1_interval"]);
    assert_eq!(report["evaluation"]["macro_f1"], printed["macro_f1"]);
    let names = |facet: &str| -> Vec<&str> {
        let rows = groups[facet].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap()).collect()
    };
    assert_eq!(names("label"), ["LOC", "PER"]);
    assert!(names("source").contains(&"gold.jsonl"), "{groups}");
    assert!(names("language").contains(&"bg"), "{groups}");
    assert!(!groups.as_object().unwrap().contains_key("seen"));
    let bins = report["evaluation"]["reliability"]["bins"]
        .as_array()
        .unwrap();
    let n: u64 = bins.iter().map(|bin| bin["n"].as_u64().unwrap()).sum();
    assert_eq!(n, strict["predicted"].as_u64().unwrap());
    assert!(report["curves"].is_null());
}

#[test]
fn the_page_needs_nothing_and_runs_nothing() {
    let sandbox = sandbox();
    let ran = evaluate(&sandbox, "--data gold.jsonl --report report");
    assert_eq!(ran.code, 0, "{ran}");
    let page = String::from_utf8(sandbox.read("report/report.html")).unwrap();
    for forbidden in [
        "<script", "<b>2", "x<i>", "src=", "href=", "@import", "url(", "http:", "https:",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert!(page.contains("&lt;b&gt;2&lt;/b&gt;"));
    assert!(page.contains("default-src 'none'"));
    let report = sandbox.records_of("report/report.json");
    let f1 = report["evaluation"]["groups"]["overall"][0]["f1"]
        .as_f64()
        .unwrap();
    assert!(page.contains(&format!("{f1:.4} [")), "{f1}");
    assert_well_formed(&page);
}

/// Every element is closed where it has to be, attributes are quoted, and there is no stray markup.
fn assert_well_formed(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>").unwrap();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        let end = at + rest[at..].find('>').unwrap();
        let tag = &rest[at + 1..end];
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        let is_name = |c: char| c.is_ascii_alphanumeric();
        assert!(!name.is_empty() && name.chars().all(is_name), "<{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "<{tag}> after {}", &rest[..at]);
        } else if name != "meta" && !tag.ends_with('/') {
            // A paragraph ends where a table or a list begins; here it is closed before.
            assert!(
                !(open.contains(&"p") && ["p", "table", "div", "section"].contains(&name)),
                "<{tag}>"
            );
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new());
    let entities = page.split('&').skip(1);
    for entity in entities {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(
            known.iter().any(|known| entity.starts_with(known)),
            "&{}",
            &entity[..entity.len().min(10)]
        );
    }
}

#[test]
fn names_of_the_training_data_are_told_apart() {
    let sandbox = sandbox();
    let known =
        json!({"text": "KYIV and Sofia", "entities": [{"start": 0, "end": 4, "label": "PER"}]});
    sandbox.write("train.jsonl", known.to_string());
    let ran = evaluate(
        &sandbox,
        "--data gold.jsonl --report report --train-data train.jsonl",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let groups = sandbox.records_of("report/report.json")["evaluation"]["groups"].clone();
    let gold = |facet: &str, name: &str| {
        let rows = groups[facet].as_array().unwrap().iter();
        rows.filter(|row| row["name"] == name)
            .map(|row| row["gold"].clone())
            .next()
    };
    // Gold: Kyiv as LOC and as PER, "Kyiv waits" as PER.
    assert_eq!(gold("seen", "not seen in training"), Some(json!(3)));
    assert_eq!(
        gold("seen_ignoring_case", "seen in training"),
        Some(json!(1))
    );
    assert_eq!(
        gold("seen_ignoring_case", "seen with other labels"),
        Some(json!(1))
    );
    assert_eq!(gold("language_label", "en LOC"), Some(json!(1)));
    assert_eq!(gold("language_label", "bg PER"), Some(json!(1)));
    let page = String::from_utf8(sandbox.read("report/report.html")).unwrap();
    assert!(page.contains("By language and label") && page.contains("in capital or small letters"));

    let ran = evaluate(
        &sandbox,
        "--data gold.jsonl --report other --train-data missing.jsonl",
    );
    assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{ran}");
    assert!(!sandbox.path("other").exists());
}

#[test]
fn reports_are_the_same_whatever_the_threads() {
    let sandbox = sandbox();
    for threads in [1, 2] {
        let args = format!("--data gold.jsonl --report r{threads} --threads {threads}");
        assert_eq!(evaluate(&sandbox, &args).code, 0);
    }
    let evaluation = |name: &str| sandbox.records_of(name)["evaluation"].clone();
    assert_eq!(evaluation("r1/report.json"), evaluation("r2/report.json"));
}

#[test]
fn reports_are_not_overwritten() {
    let sandbox = sandbox();
    assert_eq!(
        evaluate(&sandbox, "--data gold.jsonl --report report").code,
        0
    );
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl --report report"), @r#"
    exit 2
    --- stderr
    error: report/report.html exists
    hint: --force overwrites it
    "#);
    assert_eq!(
        evaluate(&sandbox, "--data gold.jsonl --report report --force").code,
        0
    );
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl --report gold.jsonl"), @r#"
    exit 2
    --- stderr
    error: gold.jsonl is a file
    hint: name a folder for the report
    "#);
    assert_snapshot!(evaluate(&sandbox, "--data gold.jsonl --report gold.jsonl/report"), @r#"
    exit 2
    --- stderr
    error: cannot make the folder gold.jsonl/report: Not a directory (os error 20)
    "#);
}

#[test]
fn a_failed_evaluation_leaves_nothing() {
    let sandbox = sandbox();
    sandbox.write("empty.jsonl", "");
    assert_eq!(
        evaluate(&sandbox, "--data empty.jsonl --report report").code,
        2
    );
    assert_eq!(sandbox.names(), ["empty.jsonl", "gold.jsonl"]);
    let record = json!({"text": "Sofia", "entities": [{"start": 0, "end": 5, "label": "EVT"}]});
    sandbox.write("other.jsonl", record.to_string());
    assert_eq!(
        evaluate(&sandbox, "--data other.jsonl --report report").code,
        2
    );
    assert!(!sandbox.path("report").exists());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox();
    sandbox.write("closed/file", "");
    let closed = sandbox.path("closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = std::fs::write(closed.join("probe"), "").is_ok();
    let ran = evaluate(&sandbox, "--data gold.jsonl --report closed");
    if !is_root {
        assert_eq!(ran.code, 2, "{ran}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
        assert!(ran.stderr.contains("closed"), "{ran}");
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn no_entities_at_all_and_a_single_document() {
    let sandbox = sandbox();
    sandbox.write(
        "gold.jsonl",
        json!({"id": "1", "text": "Sofia", "entities": [], "annotated": ["ORG"]}).to_string(),
    );
    assert_eq!(
        evaluate(&sandbox, "--data gold.jsonl --report none").code,
        0
    );
    let report = sandbox.records_of("none/report.json");
    assert_eq!(report["evaluation"]["groups"], json!({}));
    assert!(report["evaluation"]["reliability"].is_null());
    let page = String::from_utf8(sandbox.read("none/report.html")).unwrap();
    assert!(page.contains("nothing could be measured"));

    sandbox.write(
        "gold.jsonl",
        document("1", "en", &json!([{"start": 0, "end": 4, "label": "LOC"}])),
    );
    assert_eq!(evaluate(&sandbox, "--data gold.jsonl --report one").code, 0);
    let report = sandbox.records_of("one/report.json");
    assert!(report["evaluation"]["groups"]["overall"][0]["interval"].is_null());
}
