//! `data check` and `tokenizer train`.

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

#[test]
fn check_lists_every_defect() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bad.jsonl",
        "{\"text\":\"Sofia\",\"entities\":[{\"start\":0,\"end\":9,\"label\":\"LOC\"},{\"start\":2,\"end\":2,\"label\":\"\"}]}\nSofia\n",
    );
    sandbox.write(
        "good.jsonl",
        "{\"text\":\"Sofia\",\"entities\":[{\"start\":0,\"end\":5,\"label\":\"LOC\"}]}\n",
    );
    assert_snapshot!(sandbox.run("data check bad.jsonl good.jsonl"), @r#"
    exit 1
    --- stdout
    bad.jsonl:1: entities[0] is 0..9, expected at most 5; hint: offsets count Unicode code points, ends exclusive
    bad.jsonl:1: entities[1] is empty: 2..2, expected start < end; hint: ends are exclusive
    bad.jsonl:1: entities[1].label is empty, expected a label
    bad.jsonl:2: invalid JSON at column 1 (expected value), expected one JSON object
    --- stderr
    1 sound documents with 1 entities, 4 defects
    "#);
    assert_snapshot!(sandbox.run("data check good.jsonl"), @r#"
    exit 0
    --- stderr
    1 sound documents with 1 entities, 0 defects
    "#);
    assert_snapshot!(sandbox.run("data check missing.jsonl"), @r#"
    exit 2
    --- stderr
    error: missing.jsonl: no such file or folder
    "#);
}

#[test]
fn check_as_json() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.conll", "Sofia\tB-LOC\nis\n");
    let ran = sandbox.run("data check --json bad.conll");
    assert_eq!(ran.code, 1, "{ran}");
    let issue: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&issue["path"], &issue["line"]),
        (&"bad.conll".into(), &2.into())
    );
}

#[test]
fn a_tokenizer_is_trained_on_text() {
    let sandbox = Sandbox::new();
    let text = "Президент прибыл в Софию, а Румен Радев остался. Kyiv waits for the president. ";
    sandbox.write("text/a.txt", text.repeat(50));
    sandbox.write(
        "b.jsonl",
        serde_json::json!({"text": text.repeat(3)}).to_string(),
    );
    let ran = sandbox.run("tokenizer train --vocab-size 800 -o tokenizer.json text b.jsonl");
    assert_eq!(ran.code, 0, "{ran}");
    let tokenizer: serde_json::Value =
        serde_json::from_slice(&sandbox.read("tokenizer.json")).unwrap();
    assert_eq!(tokenizer["model"]["type"], "Unigram");
    assert_snapshot!(sandbox.run("tokenizer train -o tokenizer.json b.jsonl"), @r#"
    exit 2
    --- stderr
    error: tokenizer.json exists
    hint: --force overwrites it
    "#);
}

#[test]
fn a_tokenizer_needs_sound_text() {
    let sandbox = Sandbox::new();
    sandbox.write("a.jsonl", "{\"text\":\"Sofia\"}\n{\"body\":\"Sofia\"}\n");
    assert_snapshot!(sandbox.run("tokenizer train -o tokenizer.json a.jsonl"), @r#"
    exit 2
    --- stderr
    error: a.jsonl:2: no field "text", found "body"
    "#);
    assert_snapshot!(sandbox.run("tokenizer train -o tokenizer.json missing.jsonl"), @r#"
    exit 2
    --- stderr
    error: missing.jsonl: no such file or folder
    "#);
    sandbox.write("b.jsonl", "{\"text\":\"Sofia\"}\n");
    assert_snapshot!(sandbox.run("tokenizer train --vocab-size 20 -o tokenizer.json b.jsonl"), @r#"
    exit 2
    --- stderr
    error: a vocabulary of 20 pieces is too small: at least 668 are needed
    "#);
    assert_eq!(sandbox.names(), ["a.jsonl", "b.jsonl"]);
}
