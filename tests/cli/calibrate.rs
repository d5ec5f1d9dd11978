//! Calibration: `evaluate --calibrate`, `calibrate = true` of a run, and what becomes of it in `tag`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const PLACES: [&str; 5] = ["Sofia", "Kyiv", "Rada", "Madrid", "Oslo"];

fn text(n: usize) -> String {
    format!(
        "{} {n} met {} in {}.",
        PLACES[n % 5],
        PLACES[n / 5 % 5],
        PLACES[n / 3 % 5]
    )
}

/// Documents that the tiny model annotated itself, its surer half of each kind of answers only.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let lines = (0..80).map(|n| json!({"id": n, "lang": "en", "text": text(n)}).to_string());
    sandbox.write("news.jsonl", lines.collect::<Vec<_>>().join("\n"));
    let mut tagged = sandbox.tag("news.jsonl").records();
    let score = |entity: &Value| entity["score"].as_f64().unwrap();
    let entities = |record: &Value| record["entities"].as_array().unwrap().clone();
    let mut scores: Vec<f64> = tagged
        .iter()
        .flat_map(entities)
        .map(|e| score(&e))
        .collect();
    scores.sort_by(f64::total_cmp);
    let middle = scores[scores.len() / 2];
    for record in &mut tagged {
        let sure: Vec<Value> = entities(record)
            .into_iter()
            .filter(|e| score(e) >= middle)
            .collect();
        record["entities"] = sure.into();
    }
    let lines: Vec<String> = tagged.iter().map(Value::to_string).collect();
    sandbox.write("gold.jsonl", lines.join("\n"));
    sandbox
}

fn evaluate(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "evaluate --data gold.jsonl --device cpu --progress none {args}"
    ))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_model_is_calibrated_in_its_place() {
    let sandbox = sandbox();
    let before = evaluate(&sandbox, "--model tiny --json")
        .records()
        .remove(0);
    assert!(before["calibration"].is_null());
    let ran = evaluate(&sandbox, "--model tiny --calibrate --json --report report");
    assert_eq!(
        ran.stderr,
        "device: cpu\nthe calibrated model is in tiny; judge it on data that it was not calibrated on\n"
    );
    let after = ran.records().remove(0);
    let calibration = &after["calibration"];
    assert_eq!(calibration["uncalibrated"], before["micro"]);
    assert!(
        number(&after["micro_f1"]) > number(&before["micro_f1"]) + 0.05,
        "{after}"
    );
    assert_eq!(
        calibration["uncalibrated_reliability"]["ece"],
        before["ece"]
    );
    let n = |side: &str| -> u64 {
        let bins = calibration[side]["bins"].as_array().unwrap();
        bins.iter().map(|bin| bin["n"].as_u64().unwrap()).sum()
    };
    assert_eq!(n("reliability"), n("uncalibrated_reliability"));
    assert!(number(&calibration["fit"]["loss_after"]) < number(&calibration["fit"]["loss_before"]));

    let settings = sandbox.records_of("tiny/vestnik.json");
    assert_eq!(settings["window"], json!({"tokens": 38, "context": 4}));
    assert_eq!(
        settings["calibration"]["temperature"],
        calibration["temperature"]
    );
    assert_eq!(
        settings["calibration"]["min_scores"],
        calibration["min_scores"]
    );

    // The report tells both, and so does a later evaluation of the calibrated model, which fits nothing.
    let report = &sandbox.records_of("report/report.json")["evaluation"];
    assert_eq!(&report["calibration"], calibration);
    let page = String::from_utf8(sandbox.read("report/report.html")).unwrap();
    assert!(page.contains("The same without the calibration: expected calibration error"));
    assert!(page.contains("Fitted on these very documents"));
    let later = evaluate(&sandbox, "--model tiny --json")
        .records()
        .remove(0);
    assert_eq!(later["micro"], after["micro"]);
    assert_eq!(later["calibration"]["uncalibrated"], before["micro"]);
    assert!(later["calibration"]["fit"].is_null());

    let info = sandbox.run("model info tiny").stdout;
    let told = format!(
        "calibration   temperature {}, PER from ",
        settings["calibration"]["temperature"]
    );
    assert!(info.contains(&told), "{info}");

    // A second calibration starts from the raw outputs again.
    evaluate(&sandbox, "--model tiny --calibrate");
    assert_eq!(sandbox.records_of("tiny/vestnik.json"), settings);
}

#[test]
fn tagging_uses_the_calibration() {
    let sandbox = sandbox();
    assert_eq!(
        evaluate(&sandbox, "--model tiny --calibrate -o calibrated").code,
        0
    );
    assert!(!sandbox.path("tiny/vestnik.json").exists());
    let tag = |args: &str| {
        let ran = sandbox.run(&format!(
            "tag news.jsonl --device cpu --progress none {args}"
        ));
        let records = ran.records();
        let of = |record: &Value| record["entities"].as_array().unwrap().clone();
        records.iter().flat_map(of).collect::<Vec<Value>>()
    };
    let places = |entities: &[Value]| -> Vec<(Value, Value)> {
        entities
            .iter()
            .map(|e| (e["start"].clone(), e["label"].clone()))
            .collect()
    };
    let raw = tag("--model tiny");
    let kept = tag("--model calibrated");
    let all = tag("--model calibrated --min-score 0");
    assert!(kept.len() < all.len());
    assert_eq!(places(&all), places(&raw), "only scores change");
    assert!(
        all.iter()
            .zip(&raw)
            .any(|(all, raw)| all["score"] != raw["score"])
    );
    let least = sandbox.records_of("calibrated/vestnik.json")["calibration"]["min_scores"].clone();
    let is_kept = |e: &&Value| {
        let least = least[e["label"].as_str().unwrap()].as_f64();
        number(&e["score"]) >= least.unwrap_or_default()
    };
    // Printed scores have four digits.
    let expected = all.iter().filter(is_kept).count();
    assert!(
        kept.len().abs_diff(expected) <= 2,
        "{} {expected}",
        kept.len()
    );
    let sure = tag("--model calibrated --min-score 0.7");
    assert!(sure.iter().all(|e| number(&e["score"]) >= 0.69995));
    assert!(sure.len() < all.len());
    assert_eq!(tag("--model tiny --min-score 1"), Vec::<Value>::new());
}

#[test]
fn a_table_for_a_person() {
    let sandbox = sandbox();
    let ran = evaluate(&sandbox, "--model tiny --calibrate -o calibrated");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let [.., calibration, gain] = &lines[..] else {
        panic!("{ran}")
    };
    assert!(
        calibration.starts_with("calibration: temperature "),
        "{ran}"
    );
    assert!(
        gain.starts_with("without it: strict F1 ") && gain.contains("; loss of tags "),
        "{ran}"
    );
}

#[test]
fn mistakes() {
    let sandbox = sandbox();
    assert_snapshot!(evaluate(&sandbox, "--model tiny --calibrate -o gold.jsonl"), @r"
    exit 2
    --- stderr
    error: gold.jsonl exists
    hint: name another directory
    ");
    assert_snapshot!(evaluate(&sandbox, "--model tiny --calibrate -o no/model"), @r"
    exit 2
    --- stderr
    error: no: no such folder
    ");
    assert_snapshot!(evaluate(&sandbox, "--calibrate"), @r"
    exit 2
    --- stderr
    error: the model is in no directory of its own: it stays as it is
    hint: name a model directory; -o DIR makes a copy of a model of the hub
    ");
    assert_snapshot!(evaluate(&sandbox, "--model tiny --calibrate --aggregation simple"), @r"
    exit 2
    --- stderr
    device: cpu
    error: a calibration is made for the aggregation viterbi, not for simple
    ");
    assert!(!sandbox.path("tiny/vestnik.json").exists());
    let ran = evaluate(&sandbox, "--model tiny --calibrate --min-score 0.5");
    assert!(
        ran.stderr
            .starts_with("error: the argument '--calibrate' cannot be used with"),
        "{ran}"
    );
    let ran = evaluate(&sandbox, "--model tiny --min-score 1.5");
    assert!(
        ran.stderr
            .contains("'1.5' for '--min-score <X>': a number from 0 to 1"),
        "{ran}"
    );
    let names = ["gold.jsonl", "news.jsonl"];
    assert_eq!(sandbox.names(), names);
}

#[test]
fn a_calibration_that_is_wrong_is_one_line() {
    let sandbox = sandbox();
    let tag = |calibration: Value| {
        let settings = json!({"format_version": 1, "window": {"tokens": 38, "context": 4}, "calibration": calibration});
        sandbox.write("tiny/vestnik.json", settings.to_string());
        sandbox.tag("news.jsonl")
    };
    assert_snapshot!(tag(json!({"temperature": -1})), @r"
    exit 2
    --- stderr
    error: calibration: temperature is -1, expected a number above 0
    ");
    assert_snapshot!(tag(json!({"temperature": "hot"})), @r#"
    exit 2
    --- stderr
    error: vestnik.json is not understood: invalid type: string "hot", expected f64 at line 1 column 89
    "#);
    assert_snapshot!(tag(json!({"min_scores": {"PER": 2}})), @r"
    exit 2
    --- stderr
    error: calibration: min_scores.PER is 2, expected a number from 0 to 1
    ");
    assert_snapshot!(tag(json!({"min_scores": {"EVT": 0.5}})), @r#"
    exit 2
    --- stderr
    error: calibration: min_scores has the label "EVT", the model knows PER, LOC
    "#);
    assert_snapshot!(tag(json!({"temprature": 1})), @r"
    exit 2
    --- stderr
    error: vestnik.json is not understood: unknown field `temprature`, expected `temperature` or `min_scores` at line 1 column 82
    ");
}

const RUN: &str = r#"
seed = 7
epochs = 2
calibrate = true

[model]
base = "tiny"
labels = ["PER", "LOC"]

[windows]
max_tokens = 20
context = 4

[[train]]
path = "gold.jsonl"

[[dev]]
path = "gold.jsonl"
"#;

#[test]
fn a_run_calibrates_its_model() {
    let sandbox = sandbox();
    sandbox.write("run.toml", RUN);
    let ran = sandbox.run("train run.toml --device cpu --progress none");
    assert_eq!(ran.code, 0, "{ran}");
    let told = "the model reads the dev data to be calibrated\ncalibrated on dev: temperature ";
    assert!(ran.stderr.contains(told), "{ran}");
    let settings = sandbox.records_of("run/model/vestnik.json");
    let report = sandbox.records_of("run/report.json")["evaluation"]["calibration"].clone();
    assert_eq!(
        settings["calibration"]["temperature"],
        report["temperature"]
    );
    assert!(number(&report["fit"]["loss_after"]) <= number(&report["fit"]["loss_before"]));
    // Evaluations of the run are those of the raw model.
    let best = &sandbox.records_of("run/model/run.json")["best"]["measures"]["scores"]["f1"];
    assert!((number(best) - number(&report["uncalibrated"]["f1"])).abs() < 1e-9);
    let card = String::from_utf8(sandbox.read("run/model/README.md")).unwrap();
    assert!(card.contains("calibrated on the same documents"), "{card}");

    let (without_dev, _) = RUN.split_once("[[dev]]").unwrap();
    sandbox.write("other.toml", without_dev);
    assert_snapshot!(sandbox.run("train other.toml --device cpu"), @r"
    exit 2
    --- stderr
    error: other.toml: setting `calibrate` is true, expected data in [[dev]] to calibrate on
    ");
}
