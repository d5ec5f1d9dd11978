//! Topics and stances beside entities, on a tiny model with three heads, and on plain classifiers.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::heads;
use crate::sandbox::{Sandbox, fixture_folder, model_fixture};

const TEXT: &str = "Президент Франции прибыл в Софию 😀 и встретился с Рум\u{306}еном Радевым. Kyiv waits; the “Rada” met \
                    👩‍👩‍👧 in the U.S. with O'Neill. Абу-Даби, ЛНР/ДНР, (ООН), 24 Канал: «Газпром», „Рада“. Киев в Киев.";

/// A sandbox with the model of three heads in the folder `three`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    heads::write_model(&fixture_folder("bert"), &sandbox.path("three"), 24);
    sandbox
}

/// The fixture `bert_seq` with other names of its outputs, in the folder `pairs`.
fn with_stance_classifier(sandbox: &Sandbox) {
    for file in ["model.safetensors", "tokenizer.json"] {
        sandbox.write(&format!("pairs/{file}"), model_fixture("bert_seq", file));
    }
    let config = String::from_utf8(model_fixture("bert_seq", "config.json")).unwrap();
    let config = config
        .replace("politics", "NEGATIVE")
        .replace("sport", "NEUTRAL")
        .replace("weather", "POSITIVE");
    sandbox.write("pairs/config.json", config);
}

/// Where a name stands, in a unit.
fn target(text: &str, name: &str, unit: &str) -> Value {
    let count = |text: &str| match unit {
        "byte" => text.len(),
        "char" => text.chars().count(),
        _ => text.encode_utf16().count(),
    };
    let start = count(&text[..text.find(name).unwrap()]);
    json!({"start": start, "end": start + count(name), "id": name})
}

fn tag(sandbox: &Sandbox, args: &str) -> crate::sandbox::Ran {
    sandbox.run(&format!(
        "tag --model three --device cpu --progress none {args}"
    ))
}

#[test]
fn one_pass_gives_entities_topics_and_stances() {
    let sandbox = sandbox();
    let targets = [target(TEXT, "Газпром", "char")];
    sandbox.write(
        "news.jsonl",
        json!({"text": TEXT, "targets": targets, "z": 1}).to_string(),
    );
    let record = tag(&sandbox, "news.jsonl").records().swap_remove(0);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["text", "targets", "z", "entities", "topics", "vestnik"]
    );
    assert_eq!(
        record["vestnik"]["tasks"],
        json!(["ner", "topic", "stance"])
    );
    let entities = record["entities"].as_array().unwrap();
    assert!(!entities.is_empty());
    for entity in entities.iter().chain(record["targets"].as_array().unwrap()) {
        let stance = &entity["stance"];
        assert!(
            heads::STANCES.iter().any(|name| stance["label"] == *name),
            "{entity}"
        );
        let score = stance["score"].as_f64().unwrap();
        assert!(score > 0.3 && score <= 1.0, "{entity}");
    }
    let keys: Vec<&String> = entities[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["start", "end", "text", "label", "score", "stance"]);
    let topics = record["topics"].as_array().unwrap();
    assert_eq!(topics.len(), 1);
    assert!(heads::TOPICS.iter().any(|name| topics[0]["label"] == *name));
    assert_eq!(record["targets"][0]["id"], "Газпром");
}

#[test]
fn tasks_are_done_as_asked() {
    let sandbox = sandbox();
    let entities = json!([{"note": "mine"}]);
    sandbox.write(
        "news.jsonl",
        json!({"text": TEXT, "entities": entities}).to_string(),
    );
    let all = tag(&sandbox, "news.jsonl").records().swap_remove(0);
    let topic = tag(&sandbox, "news.jsonl --tasks topic")
        .records()
        .swap_remove(0);
    assert_eq!(topic["entities"], entities);
    assert_eq!(topic["topics"], all["topics"]);
    let ner = tag(&sandbox, "news.jsonl --tasks ner")
        .records()
        .swap_remove(0);
    assert!(ner["topics"].is_null() && ner["entities"][0]["stance"].is_null());
    assert_eq!(
        ner["entities"].as_array().unwrap().len(),
        all["entities"].as_array().unwrap().len()
    );
    let both = tag(&sandbox, "news.jsonl --tasks stance,ner")
        .records()
        .swap_remove(0);
    assert_eq!(both["entities"], all["entities"]);
    assert_eq!(both["vestnik"]["tasks"], json!(["ner", "stance"]));
}

#[test]
fn targets_are_in_the_unit_of_the_offsets() {
    let sandbox = sandbox();
    let names = ["Газпром", "Рум\u{306}еном", "👩‍👩‍👧 in", "Kyiv"];
    let mut found = Vec::new();
    for unit in ["byte", "char", "utf16"] {
        let targets: Vec<Value> = names.iter().map(|name| target(TEXT, name, unit)).collect();
        sandbox.write(
            "news.jsonl",
            json!({"text": TEXT, "targets": targets}).to_string(),
        );
        let args = format!("news.jsonl --tasks stance --offset-unit {unit}");
        let record = tag(&sandbox, &args).records().swap_remove(0);
        assert!(record["entities"].is_null());
        let stances: Vec<Value> = record["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["stance"].clone())
            .collect();
        assert!(stances.iter().all(Value::is_object), "{record}");
        found.push(stances);
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}

#[test]
fn articles_in_a_dump_are_as_they_are_alone() {
    let sandbox = sandbox();
    let texts = [TEXT, "Киев.", &TEXT.repeat(4), "Мария в London"];
    let lines: Vec<String> = texts
        .iter()
        .map(|text| json!({"text": text}).to_string())
        .collect();
    sandbox.write("news.jsonl", lines.join("\n"));
    let together = tag(&sandbox, "news.jsonl --summary").records();
    for (line, expected) in lines.iter().zip(together) {
        sandbox.write("one.jsonl", line);
        assert_eq!(tag(&sandbox, "one.jsonl --summary").records(), [expected]);
    }
}

#[test]
fn a_summary_has_each_thing_once() {
    let sandbox = sandbox();
    sandbox.write(
        "news.jsonl",
        json!({"text": TEXT, "summary": "mine"}).to_string(),
    );
    let ran = tag(&sandbox, "news.jsonl --summary");
    assert!(
        ran.stderr
            .contains("the input's own \"summary\" are replaced"),
        "{ran}"
    );
    let record = ran.records().swap_remove(0);
    let (entities, summary) = (
        record["entities"].as_array().unwrap(),
        record["summary"].as_array().unwrap(),
    );
    let mentions: u64 = summary
        .iter()
        .map(|thing| thing["mentions"].as_u64().unwrap())
        .sum();
    assert_eq!(mentions, entities.len() as u64);
    for thing in summary {
        let keys: Vec<&String> = thing.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["text", "label", "mentions", "first", "stance"]);
        let stances: u64 = heads::STANCES
            .iter()
            .map(|name| thing["stance"][*name].as_u64().unwrap())
            .sum();
        assert_eq!(stances, thing["mentions"].as_u64().unwrap());
        let mean = thing["stance"]["mean"].as_f64().unwrap();
        assert!((-1.0..=1.0).contains(&mean));
        assert!(
            entities
                .iter()
                .any(|e| e["start"] == thing["first"] && e["text"] == thing["text"])
        );
    }
    let plain = tag(&sandbox, "news.jsonl --summary --tasks ner").records();
    assert!(plain[0]["summary"][0]["stance"].is_null());
}

#[test]
fn topics_below_the_least_score_are_other() {
    let sandbox = sandbox();
    sandbox.write("news.jsonl", json!({"text": TEXT}).to_string());
    let sure = tag(&sandbox, "news.jsonl --min-topic-score 1").records();
    assert_eq!(sure[0]["topics"].as_array().unwrap().len(), 1);
    assert_eq!(sure[0]["topics"][0]["label"], "other");
    let raw = tag(&sandbox, "news.jsonl --min-topic-score 0").records();
    let score = |records: &[Value]| records[0]["topics"][0]["score"].as_f64().unwrap();
    assert!((score(&sure) + score(&raw) - 1.0).abs() < 2e-4);
}

#[test]
fn targets_that_are_wrong_are_set_aside() {
    let sandbox = sandbox();
    let record = |targets: Value| json!({"text": "Ёж 😀 и Київ", "targets": targets}).to_string();
    let lines = [
        record(json!([{"start": 7, "end": 99}])),
        record(json!([{"start": 7, "end": 7}])),
        record(json!([{"start": 0, "end": 2}, {"start": "7", "end": 11}])),
        record(json!([{"start": 1.5, "end": 2}])),
        record(json!([{"end": 2}])),
        record(json!({"start": 0, "end": 2})),
        record(json!([[0, 2]])),
        record(json!([{"start": 2, "end": 3}])),
        record(json!([{"start": 7, "end": 11}])),
        json!({"text": "Київ"}).to_string(),
    ];
    sandbox.write("news.jsonl", lines.join("\n"));
    let ran = tag(&sandbox, "news.jsonl --tasks stance -o out.jsonl");
    assert_snapshot!(ran, @r#"
    exit 1
    --- stderr
    device: cpu
    set aside: news.jsonl:1: targets[0] is 7..99, expected at most 11; hint: offsets count Unicode code points, ends exclusive
    set aside: news.jsonl:2: targets[0] is empty: 7..7, expected start < end; hint: ends are exclusive
    set aside: news.jsonl:3: targets[1].start is a string, expected a whole number from 0
    set aside: news.jsonl:4: targets[0].start is a negative or fractional number, expected a whole number from 0
    set aside: news.jsonl:5: no field "targets[0].start", found "end"
    set aside: news.jsonl:6: targets is an object, expected an array of objects
    set aside: news.jsonl:7: targets[0] is an array, expected an object
    set aside: news.jsonl:8: targets[0] covers only white space: 2..3, expected a name; hint: offsets count Unicode code points, ends exclusive
    set aside: news.jsonl:10: no field "targets", found "text"
    "#);
    assert_eq!(sandbox.records("out.jsonl").len(), 1);
    sandbox.write("bytes.jsonl", record(json!([{"start": 6, "end": 9}])));
    let ran = tag(&sandbox, "bytes.jsonl --offset-unit byte");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr.contains("error: bytes.jsonl:1: targets[0]"),
        "{ran}"
    );
}

#[test]
fn tasks_that_cannot_be_done() {
    let sandbox = sandbox();
    sandbox.write("news.jsonl", json!({"text": TEXT}).to_string());
    with_stance_classifier(&sandbox);
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        sandbox.write(&format!("topics/{file}"), model_fixture("bert_seq", file));
    }
    for (args, expected) in [
        (
            "--model three --tasks ner,sentiment",
            "error: invalid value 'sentiment' for '--tasks <TASK,…>': \"sentiment\" is no task, expected ner, topic or stance",
        ),
        (
            "--model three --min-topic-score 7",
            "error: invalid value '7' for '--min-topic-score <X>': a number from 0 to 1",
        ),
        (
            "--model pairs --tasks ner",
            "error: the model has no head for the task \"ner\"\nhint: it has: topic, stance",
        ),
        (
            "--model pairs --tasks topic,stance",
            "error: the model has no head for the task \"topic\"\nhint: it has: stance",
        ),
        (
            "--model topics --tasks stance",
            "error: the model's labels are politics, sport, weather: expected against, neutral and favour (or negative, neutral and positive)",
        ),
    ] {
        let ran = sandbox.run(&format!("tag --device cpu news.jsonl {args}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args}: {ran}");
        assert!(ran.stderr.contains(expected), "{args}: {ran}");
    }
}

#[test]
fn plain_classifiers_tell_topics() {
    let sandbox = Sandbox::new();
    for (model, folder) in [("bert_seq", "one"), ("bert_seq_multi", "many")] {
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            sandbox.write(&format!("{folder}/{file}"), model_fixture(model, file));
        }
    }
    sandbox.write("news.jsonl", json!({"text": TEXT.repeat(3)}).to_string());
    let run = |args: &str| {
        sandbox.run(&format!(
            "tag --device cpu --progress none {args} news.jsonl"
        ))
    };
    let one = run("--model one --tasks topic").records();
    assert_eq!(one[0]["topics"].as_array().unwrap().len(), 1);
    assert_eq!(one[0]["vestnik"]["tasks"], json!(["topic"]));
    assert!(one[0]["vestnik"]["windows"].as_u64().unwrap() > 3);
    assert!(one[0]["entities"].is_null());
    assert_eq!(run("--model one").records(), one);
    let many = run("--model many --min-topic-score 0").records();
    assert!(many[0]["topics"].as_array().unwrap().len() > 1);
}

#[test]
fn plain_classifiers_tell_stances_towards_targets() {
    let sandbox = Sandbox::new();
    with_stance_classifier(&sandbox);
    let targets = [target(TEXT, "Киев", "char"), target(TEXT, "Rada", "char")];
    sandbox.write(
        "news.jsonl",
        json!({"text": TEXT, "targets": targets}).to_string(),
    );
    let run = |args: &str| {
        sandbox.run(&format!(
            "tag --model pairs --device cpu --progress none {args} news.jsonl"
        ))
    };
    let record = run("--tasks stance").records().swap_remove(0);
    for target in record["targets"].as_array().unwrap() {
        assert!(
            heads::STANCES
                .iter()
                .any(|name| target["stance"]["label"] == *name),
            "{target}"
        );
    }
    assert_eq!(run("").records(), [record]);
}
