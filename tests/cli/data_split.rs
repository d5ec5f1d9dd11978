//! `data split`: like shares in all parts, groups that stay together, the same parts for the same seed; and `data check`
//! with a model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// 60 documents: a rare label in every sixth one, half as many in Ukrainian as in Bulgarian, five outlets.
fn documents() -> Vec<Value> {
    let document = |n: usize| {
        let (lang, text) = match n % 3 {
            0 => ("uk", format!("Київ чекає вже {n} днів, каже пан Мельник.")),
            _ => ("bg", format!("Русе чака {n} дни, каза господин Колев.")),
        };
        let mut entities = vec![json!({"start": 0, "end": 4, "label": "LOC"})];
        if n.is_multiple_of(6) {
            let start = text.chars().count() - 8;
            entities.push(json!({"start": start, "end": start + 7, "label": "PER"}));
        }
        let outlet = format!("outlet-{}", n % 5);
        json!({"id": format!("d{n}"), "lang": lang, "outlet": outlet, "text": text, "entities": entities})
    };
    (0..60).map(document).collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let lines: Vec<String> = documents().iter().map(Value::to_string).collect();
    sandbox.write("all.jsonl", lines.join("\n"));
    sandbox
}

/// What `data split --json` counts in each part.
fn split(sandbox: &Sandbox, args: &str) -> Value {
    let ran = sandbox.run(&format!("data split all.jsonl --json {args}"));
    ran.records().remove(0)["parts"].clone()
}

fn ids(sandbox: &Sandbox, path: &str) -> BTreeSet<String> {
    let records = sandbox.records(path);
    records
        .iter()
        .map(|record| record["id"].to_string())
        .collect()
}

#[test]
fn labels_and_languages_have_like_shares_in_all_parts() {
    let sandbox = sandbox();
    for seed in 0..5 {
        let out = format!("labels-{seed}");
        let parts = split(
            &sandbox,
            &format!("-o {out} --ratios 60,20,20 --stratify label --seed {seed}"),
        );
        for (part, n, rare) in [("train", 36, 6), ("dev", 12, 2), ("test", 12, 2)] {
            assert_eq!(parts[part]["documents"], n, "{part} of seed {seed}");
            assert_eq!(
                parts[part]["labels"],
                json!({"LOC": n, "PER": rare}),
                "{part} of seed {seed}"
            );
        }
        let out = format!("langs-{seed}");
        let parts = split(
            &sandbox,
            &format!("-o {out} --ratios 60,20,20 --stratify lang --seed {seed}"),
        );
        for (part, bg, uk) in [("train", 24, 12), ("dev", 8, 4), ("test", 8, 4)] {
            assert_eq!(
                parts[part]["languages"],
                json!({"bg": bg, "uk": uk}),
                "{part} of seed {seed}"
            );
        }
    }
}

#[test]
fn every_document_is_in_one_part_and_the_seed_decides_which() {
    let sandbox = sandbox();
    let mut trains = Vec::new();
    for (out, seed) in [("a", 1), ("b", 1), ("c", 2)] {
        split(
            &sandbox,
            &format!("-o {out} --dev 0.2 --test 0.1 --stratify label --seed {seed}"),
        );
        let parts =
            ["train", "dev", "test"].map(|part| ids(&sandbox, &format!("{out}/{part}.jsonl")));
        let sizes: Vec<usize> = parts.iter().map(BTreeSet::len).collect();
        assert_eq!(sizes, [42, 12, 6]);
        assert_eq!(parts.iter().flatten().collect::<BTreeSet<_>>().len(), 60);
        trains.push(parts[0].clone());
    }
    assert_eq!(trains[0], trains[1]);
    assert_ne!(trains[0], trains[2]);
}

#[test]
fn groups_and_near_duplicates_stay_together() {
    let sandbox = sandbox();
    split(
        &sandbox,
        "-o outlets --ratios 60,40 --group-by outlet --stratify lang",
    );
    let mut part_of: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for part in ["train", "dev"] {
        for record in sandbox.records(&format!("outlets/{part}.jsonl")) {
            part_of
                .entry(record["outlet"].to_string())
                .or_default()
                .insert(part);
        }
    }
    assert_eq!(part_of.len(), 5);
    assert!(
        part_of.values().all(|parts| parts.len() == 1),
        "{part_of:?}"
    );
    // The same article of two outlets, with another ending.
    let article = "Министрите се събраха в София, за да говорят за новия закон за горите, съобщи говорителката.";
    let lines: Vec<String> = (0..20)
        .map(|n| {
            let text = match n % 2 {
                0 => format!("{article} Номер {}: {}", n / 2, "дума ".repeat(n + 20)),
                _ => format!("Съвсем друг текст номер {n} за времето утре сутрин в планината."),
            };
            json!({"id": n.to_string(), "text": text, "entities": []}).to_string()
        })
        .collect();
    sandbox.write("all.jsonl", lines.join("\n"));
    split(&sandbox, "-o copies --ratios 50,50 --group-near-duplicates");
    let train = ids(&sandbox, "copies/train.jsonl");
    let even = |id: &&String| id.trim_matches('"').parse::<usize>().unwrap() % 2 == 0;
    let n_copies = train.iter().filter(even).count();
    assert!(n_copies == 0 || n_copies == 10, "{train:?}");
}

#[test]
fn greetings_are_no_copies() {
    let sandbox = Sandbox::new();
    let line = |id: usize, text: &str| {
        json!({"id": id, "text": text, "entities": [{"start": 0, "end": 5, "label": "PER"}]})
            .to_string()
    };
    let article = "Maria met the mayor of Bath.";
    let texts = ["Marta thanks.", "Marta thanks.", article];
    let lines: Vec<String> = (0..).zip(texts).map(|(id, text)| line(id, text)).collect();
    sandbox.write("train.jsonl", lines.join("\n"));
    sandbox.write(
        "dev.jsonl",
        format!("{}\n{}", line(7, "Marta thanks."), line(8, article)),
    );
    let counts = |args: &str| -> Value {
        let ran = sandbox.run(&format!("data check train.jsonl dev.jsonl --json {args}"));
        assert_eq!(ran.code, 1, "{ran}");
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        found["counts"].clone()
    };
    assert_eq!(counts(""), json!({"leak": 1}));
    assert_eq!(counts("--min-words 1"), json!({"duplicate": 1, "leak": 2}));
}

#[test]
fn sentences_longer_than_the_model_are_found() {
    let sandbox = Sandbox::with_model();
    let long = format!("Anna lives in Sofia{}.", " and waits".repeat(40));
    let line = |id: &str, text: &str| {
        json!({"id": id, "text": text, "entities": [{"start": 0, "end": 4, "label": "PER"}]})
            .to_string()
    };
    let lines = [
        line("a", &format!("Anna waits. {long} Sofia waits.")),
        line("b", "Anna waits."),
    ];
    sandbox.write("a.jsonl", lines.join("\n"));
    let ran = sandbox.run("data check a.jsonl --model tiny --json");
    assert_eq!(ran.code, 1, "{ran}");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["counts"], json!({"long-sentence": 1}), "{ran}");
    let finding = &found["findings"][0];
    assert_eq!(
        (&finding["line"], &finding["document"]),
        (&json!(1), &json!("a"))
    );
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("tokens, the model reads 38 at once: \"Anna lives in Sofia and waits"),
        "{message}"
    );
    assert!(
        found["lengths"]["tokens_of_sentences"]["max"]
            .as_u64()
            .unwrap()
            > 38
    );
    let ran = sandbox.run("data check a.jsonl --json");
    assert_eq!(ran.code, 0, "{ran}");
    let ran = sandbox.run("data check a.jsonl --model nowhere");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    assert!(
        ran.stderr
            .starts_with("error: nowhere: no such model directory\n"),
        "{ran}"
    );
}
