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

    finding  number
    defect        4

    language  documents  words  characters  entities
    unknown           1      1           5         1

    label  all  unknown
    LOC      1        1

    length              min  10 %  median  90 %  99 %  max
    words of documents    1     1       1     1     1    1
    words of sentences    1     1       1     1     1    1
    --- stderr
    1 sound documents with 1 entities, 4 findings
    "#);
    assert_snapshot!(sandbox.run("data check good.jsonl"), @r#"
    exit 0
    --- stdout
    language  documents  words  characters  entities
    unknown           1      1           5         1

    label  all  unknown
    LOC      1        1

    length              min  10 %  median  90 %  99 %  max
    words of documents    1     1       1     1     1    1
    words of sentences    1     1       1     1     1    1
    --- stderr
    1 sound documents with 1 entities, 0 findings
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
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["counts"], serde_json::json!({"defect": 1}));
    let issue = &found["findings"][0];
    assert_eq!(
        (&issue["path"], &issue["line"]),
        (&"bad.conll".into(), &2.into())
    );
}

/// Two documents with a name that cuts a word, a misspelt label, and a text that is in both files.
fn corpora(sandbox: &Sandbox) {
    let line = |id: &str, text: &str, end: usize, label: &str| {
        let entities = serde_json::json!([{"start": 0, "end": end, "label": label}]);
        serde_json::json!({"id": id, "lang": "bg", "outlet": &id[..1], "text": text, "entities": entities})
            .to_string()
    };
    let train: Vec<String> = (0..10)
        .map(|n| {
            line(
                &format!("{}{n}", ["a", "b", "c"][n % 3]),
                &format!("София чака {n} министри."),
                5,
                "LOC",
            )
        })
        .collect();
    sandbox.write("train.jsonl", train.join("\n"));
    let dev = [
        line("d0", "Софиянци чакат.", 5, "LOC"),
        line("d1", "София чака 3 министри.", 5, "Loc"),
    ];
    sandbox.write("dev.jsonl", dev.join("\n"));
}

#[test]
fn check_finds_doubtful_annotations() {
    let sandbox = Sandbox::new();
    corpora(&sandbox);
    let ran = sandbox.run("data check --json train.jsonl dev.jsonl");
    assert_eq!(ran.code, 1, "{ran}");
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = serde_json::json!({"cut-word": 1, "label": 1, "leak": 1});
    assert_eq!(found["counts"], expected, "{ran}");
    let ran = sandbox.run("data check --ignore cut-word,label,leak train.jsonl dev.jsonl");
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn copies_in_other_formats_have_the_same_spans() {
    let sandbox = Sandbox::new();
    corpora(&sandbox);
    let hash = |path: &str| {
        let ran = sandbox.run(&format!("data stats --json {path}"));
        assert_eq!(ran.code, 0, "{ran}");
        let stats: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        stats["sha256_of_spans"].clone()
    };
    for (name, to) in [
        ("brat", "brat"),
        ("copy.conllu", "conllu"),
        ("copy.json", "label-studio"),
    ] {
        let ran = sandbox.run(&format!("data convert train.jsonl --to {to} -o {name}"));
        assert_eq!(ran.code, 0, "{ran}");
        assert_eq!(hash(name), hash("train.jsonl"), "{name}");
    }
}

#[test]
fn a_span_that_cuts_a_word_is_listed_and_strict_writes_nothing() {
    let sandbox = Sandbox::new();
    corpora(&sandbox);
    let ran = sandbox.run("data convert dev.jsonl -o dev.conllu --strict");
    assert_eq!(ran.code, 1, "{ran}");
    assert!(
        ran.stderr.contains("document \"d0\": LOC 0..5 \"София\""),
        "{ran}"
    );
    assert_eq!(sandbox.names(), ["dev.jsonl", "train.jsonl"]);
    let ran = sandbox.run("data convert dev.jsonl -o dev.txt");
    assert_eq!(ran.code, 2, "{ran}");
}

#[test]
fn a_group_is_in_one_part_and_nothing_is_overwritten() {
    let sandbox = Sandbox::new();
    corpora(&sandbox);
    let command = "data split train.jsonl -o parts --ratios 60,40 --group-by outlet --seed 3";
    let ran = sandbox.run(command);
    assert_eq!(ran.code, 0, "{ran}");
    let outlets = |name: &str| -> Vec<String> {
        let records = sandbox.records(&format!("parts/{name}.jsonl"));
        records
            .iter()
            .map(|record| record["outlet"].to_string())
            .collect()
    };
    let (train, dev) = (outlets("train"), outlets("dev"));
    assert_eq!(train.len() + dev.len(), 10);
    assert!(train.iter().all(|outlet| !dev.contains(outlet)));
    assert_eq!(sandbox.run(command).code, 2);
    let before = sandbox.read("parts/dev.jsonl");
    assert_eq!(sandbox.run(&format!("{command} --force")).code, 0);
    assert_eq!(sandbox.read("parts/dev.jsonl"), before);
    assert_eq!(
        sandbox.run("data split train.jsonl -o x --ratios 100").code,
        2
    );
    assert_eq!(
        sandbox
            .run("data split train.jsonl -o x --dev 0.1 --group-by nothing")
            .code,
        2
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
