//! Pages of tagged articles.

use insta::assert_snapshot;
use serde_json::json;

use crate::sandbox::Sandbox;

fn tagged() -> String {
    let record = |id: usize, text: &str, name: &str, stance: &str| {
        let byte = text.find(name).unwrap();
        let start = text[..byte].chars().count();
        json!({
            "id": id, "date": format!("2024-05-{:02}", id + 1), "text": text,
            "entities": [{"start": start, "end": start + name.chars().count(), "text": name, "label": "LOC", "score": 0.9876,
                          "stance": {"label": stance, "score": 0.75}}],
            "topics": [{"label": "politics", "score": 0.8}],
            "vestnik": {"offset_unit": "char", "lang": "uk"},
        })
        .to_string()
            + "\n"
    };
    record(0, "Сьогодні <b>Київ</b> чекає & мовчить.", "Київ", "favour")
        + &record(1, "Вчора Київ чекав.", "Київ", "against")
        + &record(2, "שלום ירושלים היקרה", "ירושלים", "neutral")
}

#[test]
fn names_are_marked_and_texts_are_no_markup() {
    let sandbox = Sandbox::new();
    sandbox.write("tagged.jsonl", tagged());
    assert_eq!(sandbox.run("show tagged.jsonl -o page.html").code, 0);
    let page = String::from_utf8(sandbox.read("page.html")).unwrap();
    assert!(
        page.contains("Сьогодні &lt;b&gt;<mark class=\"t2 favour\" data-label=\"LOC\""),
        "{page}"
    );
    assert!(page.contains("title=\"LOC 0.988 · favour 0.750\">Київ<sup>LOC</sup></mark>&lt;/b&gt; чекає &amp; мовчить."), "{page}");
    assert!(
        page.contains("<div class=\"text\" dir=\"auto\">שלום <mark"),
        "{page}"
    );
    assert!(page.contains("<bdi>Київ</bdi> <small>2</small>"), "{page}");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page needs something else"
    );
}

#[test]
fn a_report_counts_what_was_found() {
    let sandbox = Sandbox::new();
    sandbox.write("tagged.jsonl", tagged());
    let page = sandbox.run("show --report tagged.jsonl").stdout;
    assert!(
        page.contains("3 articles, 3 mentions of 2 names, 2024-05-01 to 2024-05-03"),
        "{page}"
    );
    assert!(page.contains("<title>2 in 2 articles</title>"), "{page}");
    assert!(page.contains("against: 1 of 2"), "{page}");
    assert!(page.contains("<title>2024-05-02: 1</title>"), "{page}");
}

#[test]
fn only_tagged_records_are_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("news.jsonl", "{\"text\":\"Sofia\"}\n");
    assert_snapshot!(sandbox.run("show news.jsonl -o page.html"), @r#"
    exit 2
    --- stderr
    error: no record has "entities" or "topics"
    hint: show takes what vestnik tag has written
    "#);
    assert_eq!(sandbox.run("show --report news.jsonl -o page.html").code, 2);
    assert_eq!(sandbox.names(), ["news.jsonl"]);
}
