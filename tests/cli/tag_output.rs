//! What `tag` writes: the input's own fields untouched, spans that slice the text, how the record was made.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const TEXTS: [&str; 4] = [
    "Президент Франции прибыл в Софию 😀 и встретился с Рум\u{306}еном Радевым.",
    "Kyiv waits; the “Rada” met 👩‍👩‍👧 in the U.S. with O'Neill.",
    "नमस्ते दिल्ली, שלום ירושלים, 東京 и Нью\u{ad}Йорк.",
    "Абу-Даби, ЛНР/ДНР, (ООН), 24 Канал: «Газпром», „Рада“.",
];

/// The slice of a text in a unit.
fn slice(text: &str, unit: &str, start: usize, end: usize) -> String {
    match unit {
        "byte" => text[start..end].to_owned(),
        "char" => text.chars().skip(start).take(end - start).collect(),
        "utf16" => {
            let units: Vec<u16> = text.encode_utf16().collect();
            String::from_utf16(&units[start..end]).unwrap()
        }
        _ => unreachable!("{unit} is no unit"),
    }
}

#[test]
fn spans_slice_the_text_in_every_unit() {
    let sandbox = Sandbox::with_model();
    let dump: Vec<String> = TEXTS
        .iter()
        .map(|text| json!({"text": text}).to_string())
        .collect();
    sandbox.write("news.jsonl", dump.join("\n"));
    let mut counts = Vec::new();
    for unit in ["byte", "char", "utf16"] {
        let records = sandbox
            .tag(&format!("news.jsonl --offset-unit {unit}"))
            .records();
        let mut count = 0;
        for record in &records {
            assert_eq!(record["vestnik"]["offset_unit"], unit);
            let text = record["text"].as_str().unwrap();
            for entity in record["entities"].as_array().unwrap() {
                let at = |field: &str| entity[field].as_u64().unwrap() as usize;
                assert_eq!(entity["text"], slice(text, unit, at("start"), at("end")));
                count += 1;
            }
        }
        counts.push(count);
    }
    assert!(counts[0] > 0, "the tiny model finds something");
    assert_eq!(counts, [counts[0]; 3]);
}

#[test]
fn fields_of_the_input_are_kept_as_written() {
    let sandbox = Sandbox::with_model();
    let fields =
        r#""z":1.50,"id":12345678901234567890123,"a":{"y":[1e+3,-0.0],"x":null},"text":"Sofia""#;
    sandbox.write("news.jsonl", format!("{{{fields}}}\n"));
    let ran = sandbox.tag("news.jsonl");
    assert!(
        ran.stdout
            .starts_with(&format!("{{{fields},\"entities\":[")),
        "{ran}"
    );
}

#[test]
fn an_entity_has_these_fields() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", json!({"text": TEXTS[1]}).to_string());
    let ran = sandbox.tag("news.jsonl");
    let record = &ran.records()[0];
    let entity = record["entities"][0].as_object().unwrap();
    assert!(entity.keys().eq(["start", "end", "text", "label", "score"]));
    let score = entity["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0);
    let mut made_by = record["vestnik"].clone();
    assert_eq!(made_by["version"].take(), env!("CARGO_PKG_VERSION"));
    assert_snapshot!(made_by, @r#"{"model":"tiny","version":null,"offset_unit":"char","tokens":20,"windows":1,"tasks":["ner"],"lang":"en"}"#);
}

#[test]
fn earlier_results_are_replaced() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", json!({"text": TEXTS[1]}).to_string());
    let once = sandbox.tag("news.jsonl").stdout;
    sandbox.write("again.jsonl", &once);
    assert_eq!(sandbox.tag("again.jsonl").stdout, once);
}

#[test]
fn long_articles_are_read_in_windows() {
    let sandbox = Sandbox::with_model();
    sandbox.write(
        "news.jsonl",
        json!({"text": TEXTS.join("\n").repeat(5)}).to_string(),
    );
    let made_by = sandbox.tag("news.jsonl").records()[0]["vestnik"].clone();
    assert!(made_by["windows"].as_u64().unwrap() > 5);
    sandbox.write(
        "tiny/vestnik.json",
        r#"{"format_version":1,"window":{"tokens":12,"context":2}}"#,
    );
    let shorter = sandbox.tag("news.jsonl").records()[0]["vestnik"].clone();
    assert_eq!(shorter["tokens"], made_by["tokens"]);
    assert!(shorter["windows"].as_u64() > made_by["windows"].as_u64());
}

/// Entities without their scores, which may differ in the last digit between batches.
fn spans(record: &Value) -> Vec<(u64, u64, String)> {
    let entities = record["entities"].as_array().unwrap();
    let span = |e: &Value| {
        let at = |field: &str| e[field].as_u64().unwrap();
        (
            at("start"),
            at("end"),
            e["label"].as_str().unwrap().to_owned(),
        )
    };
    entities.iter().map(span).collect()
}

#[test]
fn results_do_not_depend_on_batch_mates() {
    let sandbox = Sandbox::with_model();
    let dump: Vec<String> = TEXTS
        .iter()
        .map(|text| json!({"text": text.repeat(3)}).to_string())
        .collect();
    sandbox.write("news.jsonl", dump.join("\n"));
    let together = sandbox.tag("news.jsonl").records();
    let apart = sandbox
        .tag("news.jsonl --batch-tokens 1 --threads 1")
        .records();
    assert!(together.iter().map(spans).eq(apart.iter().map(spans)));
}

#[test]
fn devices_share_the_articles() {
    let sandbox = Sandbox::with_model();
    let articles: String = (0..40)
        .map(|n| {
            format!(
                "{{\"text\":\"{}\"}}\n",
                "Sofia and Kyiv. ".repeat(n % 7 + 1)
            )
        })
        .collect();
    sandbox.write("news.jsonl", &articles);
    let tagged = |devices: &str| {
        let ran = sandbox.run(&format!("tag --model tiny --device {devices} news.jsonl"));
        assert_eq!(ran.code, 0, "{ran}");
        assert_eq!(
            ran.stderr.matches("device: cpu").count(),
            devices.split(',').count()
        );
        ran.stdout
    };
    assert_eq!(tagged("cpu,cpu,cpu"), tagged("cpu"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};
    let sandbox = Sandbox::with_model();
    let line = json!({"text": TEXTS[0]}).to_string() + "\n";
    sandbox.write("news.jsonl", line.repeat(2000));
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestnik"))
        .args("tag --model tiny --device cpu --progress none news.jsonl".split(' '))
        .current_dir(sandbox.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "device: cpu\n");
}

#[test]
fn progress_is_told_as_json() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", json!({"text": TEXTS[0]}).to_string());
    let ran = sandbox.run("tag --model tiny --device cpu --progress json news.jsonl -o out.jsonl");
    let last: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["articles"], &last["set_aside"]),
        (&json!(1), &json!(0)),
        "{ran}"
    );
    assert!(last["elapsed_s"].is_number());
}
