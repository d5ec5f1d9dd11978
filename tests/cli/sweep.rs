//! `train --sweep` and `train --reproduce`: many runs, and one run again.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};

const RUN: &str = r#"
seed = 7
epochs = 1

[model]
base = "../tiny"
labels = ["PER", "LOC"]

[windows]
max_tokens = 20
context = 4

[batch]
max_tokens = 64

[[train]]
path = "train.jsonl"

[[dev]]
path = "dev.jsonl"
"#;

fn document(id: usize) -> String {
    let name = ["Anna", "Boris", "Vera"][id % 3];
    let text = format!("{name} lives in Sofia and waits for number {id}.");
    let (start, lang) = (name.len() + 10, ["bg", "en"][id % 2]);
    json!({"id": id.to_string(), "lang": lang, "text": text, "entities": [
        {"start": 0, "end": name.len(), "label": "PER"},
        {"start": start, "end": start + 5, "label": "LOC"},
    ]})
    .to_string()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let documents: Vec<String> = (0..24).map(document).collect();
    sandbox.write("runs/train.jsonl", documents[..16].join("\n"));
    sandbox.write("runs/dev.jsonl", documents[16..].join("\n"));
    sandbox.write("runs/ner.toml", RUN);
    sandbox
}

fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!("train {args} --device cpu --progress none"))
}

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.path(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_sweep_makes_a_run_for_each_combination() {
    let sandbox = sandbox();
    let ran = train(
        &sandbox,
        "runs/ner.toml --sweep optimizer.learning_rate=1e-3,1e-5 --sweep seed=1,2 --set epochs=2",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let folders = [
        "optimizer.learning_rate=1e-3_seed=1",
        "optimizer.learning_rate=1e-3_seed=2",
        "optimizer.learning_rate=1e-5_seed=1",
        "optimizer.learning_rate=1e-5_seed=2",
    ];
    let mut expected = folders.to_vec();
    expected.push("sweep.json");
    assert_eq!(names(&sandbox, "runs/ner-sweep"), expected);
    let sweep = sandbox.records_of("runs/ner-sweep/sweep.json");
    let rows = sweep["runs"].as_array().unwrap();
    for (row, folder) in rows.iter().zip(folders) {
        assert_eq!(
            (&row["name"], &row["status"]),
            (&json!(folder), &json!("finished"))
        );
        let folder = format!("runs/ner-sweep/{folder}");
        let record = sandbox.records_of(&format!("{folder}/model/run.json"));
        assert_eq!(record["config"]["epochs"], 2);
        assert_eq!(
            record["config"]["seed"].to_string(),
            row["values"]["seed"].as_str().unwrap()
        );
        let report = sandbox.records_of(&format!("{folder}/report.json"));
        let strict = &report["evaluation"]["groups"]["overall"][0];
        assert_eq!(
            (&row["f1"], &row["interval"]),
            (&strict["f1"], &strict["interval"])
        );
        assert_eq!(row["steps"], record["steps"]);
    }
    // One line a run, the best first.
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{ran}");
    let score = |line: &&str| {
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let scores: Vec<f64> = lines[1..].iter().map(score).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{ran}");
    let mut in_grid: Vec<f64> = rows.iter().map(|row| row["f1"].as_f64().unwrap()).collect();
    in_grid.sort_by(|a, b| b.total_cmp(a));
    assert!(
        scores
            .iter()
            .zip(in_grid)
            .all(|(a, b)| (a - b).abs() < 1e-4),
        "{ran}"
    );
}

#[test]
fn a_failed_run_is_told_and_the_others_go_on() {
    let sandbox = sandbox();
    // Weight decay then multiplies the head by a million in every step.
    let args = "runs/ner.toml --sweep optimizer.head_lr_factor=1e6,1 -o runs/rates --set epochs=4 \
                --set optimizer.learning_rate=1 --set optimizer.weight_decay=1";
    let ran = train(&sandbox, args);
    assert_eq!(ran.code, 1, "{ran}");
    let rows = sandbox.records_of("runs/rates/sweep.json")["runs"].clone();
    assert_eq!(
        (&rows[0]["status"], &rows[1]["status"]),
        (&json!("failed"), &json!("finished"))
    );
    let error = rows[0]["error"].as_str().unwrap();
    assert!(error.contains(" in step "), "{error}");
    let last = ran.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("optimizer.head_lr_factor=1e6   failed: "),
        "{ran}"
    );
    assert!(ran.stderr.contains(&format!("failed: {error}")), "{ran}");

    // The finished one is not made again; the failed one is tried.
    let weights = |sandbox: &Sandbox| {
        let model = sandbox.path("runs/rates/optimizer.head_lr_factor=1/model/model.safetensors");
        std::fs::metadata(model).unwrap().modified().unwrap()
    };
    let before = weights(&sandbox);
    assert_eq!(train(&sandbox, args).code, 2);
    let ran = train(&sandbox, &format!("{args} --resume"));
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(ran.stderr.matches("finished before").count(), 1, "{ran}");
    assert_eq!(weights(&sandbox), before);
    assert_eq!(sandbox.records_of("runs/rates/sweep.json")["runs"], rows);
}

#[test]
fn a_sweep_goes_on_where_it_was_killed() {
    let sandbox = sandbox();
    let args = "runs/ner.toml --sweep seed=1,2 -o runs/seeds --set checkpoint_every=1";
    assert_eq!(train(&sandbox, args).code, 0);
    let whole = sandbox.records_of("runs/seeds/sweep.json")["runs"].clone();
    let weights = sandbox.read("runs/seeds/seed=2/model/model.safetensors");
    // As if the second run had been killed before its end: its record says nothing of one.
    let mut record = sandbox.records_of("runs/seeds/seed=2/model/run.json");
    record.as_object_mut().unwrap().remove("finish");
    sandbox.write("runs/seeds/seed=2/model/run.json", record.to_string());
    let ran = train(&sandbox, &format!("{args} --resume"));
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(ran.stderr.matches("finished before").count(), 1, "{ran}");
    let again = &sandbox.records_of("runs/seeds/sweep.json")["runs"];
    assert_eq!(again[1]["f1"], whole[1]["f1"]);
    assert_eq!(
        sandbox.read("runs/seeds/seed=2/model/model.safetensors"),
        weights
    );

    // Other values join the sweep; other settings do not pass for the same run.
    let more = args.replace("seed=1,2", "seed=1,2,3");
    let ran = train(&sandbox, &format!("{more} --resume"));
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 4), "{ran}");
    let ran = train(
        &sandbox,
        &format!("{args} --resume --set batch.max_tokens=32"),
    );
    assert_eq!(ran.code, 1, "{ran}");
    assert!(
        ran.stderr
            .contains("failed: the run file differs from the one of the checkpoint in batch"),
        "{ran}"
    );
    let text = String::from_utf8(sandbox.read("runs/train.jsonl")).unwrap();
    sandbox.write("runs/train.jsonl", text.replace("Anna", "Inna"));
    let ran = train(&sandbox, &format!("{args} --resume"));
    assert!(
        ran.stderr
            .contains("failed: runs/train.jsonl has changed since this run"),
        "{ran}"
    );
}

#[test]
fn few_shots_are_drawn_by_the_seed() {
    let sandbox = sandbox();
    let ran = train(
        &sandbox,
        "runs/ner.toml --sweep train.limit=2,8,100 -o runs/shots",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let records: Vec<u64> = [2, 8, 100]
        .iter()
        .map(|limit| sandbox.records_of(&format!("runs/shots/train.limit={limit}/model/run.json")))
        .map(|record| record["data"][0]["records"].as_u64().unwrap())
        .collect();
    assert_eq!(records, [2, 8, 16]);
    let spans = |out: &str, args: &str| {
        let ran = train(&sandbox, &format!("runs/ner.toml -o runs/{out} {args}"));
        assert_eq!(ran.code, 0, "{ran}");
        sandbox.records_of(&format!("runs/{out}/model/run.json"))["data"][0]["spans_sha256"].clone()
    };
    let first = spans("a", "--set train.limit=4 --set seed=1");
    assert_eq!(first, spans("b", "--set train.limit=4 --set seed=1"));
    assert_ne!(first, spans("c", "--set train.limit=4 --set seed=2"));
}

#[test]
fn mistakes_in_a_sweep_are_told_before_anything_is_made() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "runs/ner.toml --sweep seed"), @r"
    exit 2
    --- stderr
    error: --sweep seed is not of the form key=value,value
    hint: for example --sweep optimizer.learning_rate=1e-4,3e-4
    ");
    assert_snapshot!(train(&sandbox, "runs/ner.toml --sweep seed=1,2 --set seed=3"), @r"
    exit 2
    --- stderr
    error: the setting seed is given twice
    hint: name a key in one --sweep alone, and not in --set
    ");
    assert_snapshot!(train(&sandbox, "runs/ner.toml --sweep epochs=1,0"), @r"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `epochs` is 0, expected at least 1
    ");
    assert_snapshot!(train(&sandbox, "runs/ner.toml --sweep seed=1,2 --resume"), @r"
    exit 2
    --- stderr
    error: runs/ner-sweep holds no sweep to resume
    ");
    assert_snapshot!(train(&sandbox, "runs/ner.toml --sweep seed=1,2 -o runs/ner.toml"), @r"
    exit 2
    --- stderr
    error: runs/ner.toml is a file
    hint: name a folder with -o
    ");
    assert!(!sandbox.path("runs/ner-sweep").exists());
}

#[test]
fn a_run_is_reproduced() {
    let sandbox = sandbox();
    let ran = train(
        &sandbox,
        "runs/ner.toml --set epochs=20 --set dev.limit=6 --set optimizer.learning_rate=3e-3 \
         --set optimizer.head_lr_factor=30",
    );
    assert_eq!(ran.code, 0, "{ran}");
    // What the run file says now plays no part.
    sandbox.write("runs/ner.toml", "");
    let ran = train(&sandbox, "--reproduce runs/ner");
    assert_eq!(ran.code, 0, "{ran}");
    let record = sandbox.records_of("runs/ner/model/run.json");
    let again = sandbox.records_of("runs/ner-reproduced/model/run.json");
    assert_eq!(record["evaluations"], again["evaluations"]);
    let best = record["best"]["measures"]["scores"]["f1"].to_string();
    assert!(best.parse::<f64>().unwrap() > 0.1, "{best}");
    assert_eq!(
        ran.stdout,
        format!(
            "reproduced runs/ner: all 20 evaluations are equal, the best with {best}, and so are the weights\n"
        )
    );

    // The record alone, elsewhere; its data are found by their folder.
    sandbox.write("elsewhere/run.json", record.to_string());
    let ran = train(&sandbox, "--reproduce elsewhere/run.json -o third");
    assert_snapshot!(ran, @r"
    exit 2
    --- stderr
    error: train.jsonl: no such file or folder
    hint: --paths-from names the folder that the paths of the run file begin at
    ");
    let ran = train(
        &sandbox,
        "--reproduce elsewhere/run.json -o third --paths-from runs",
    );
    assert_eq!(ran.code, 0, "{ran}");
    assert!(!ran.stdout.contains("weights"), "{ran}");
}

#[test]
fn what_differs_is_told() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "runs/ner.toml").code, 0);
    let mut record = sandbox.records_of("runs/ner/model/run.json");
    record["evaluations"][0]["measures"]["scores"]["per_lang"]["bg"] = json!(0.123);
    record["evaluations"][0]["measures"]["scores"]["per_lang"]["xx"] = json!(1);
    sandbox.write("runs/ner/model/run.json", record.to_string());
    let ran = train(&sandbox, "--reproduce runs/ner -o again");
    assert_eq!(ran.code, 1, "{ran}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran}");
    assert_eq!(lines[0], "not reproduced: 2 numbers of runs/ner differ");
    let steps = &record["steps"];
    assert!(
        lines[1].starts_with(&format!(
            "after {steps} updates, measures, scores, per_lang, bg: "
        )),
        "{ran}"
    );
    assert!(lines[1].ends_with(" instead of 0.123"), "{ran}");
    assert!(
        lines[2].ends_with("per_lang, xx: null instead of 1.0"),
        "{ran}"
    );
}

#[test]
fn a_run_is_not_reproduced_on_other_data() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "runs/ner.toml").code, 0);
    let text = String::from_utf8(sandbox.read("runs/dev.jsonl")).unwrap();
    sandbox.write("runs/dev.jsonl", text.replace("waits", "sleeps"));
    let ran = train(&sandbox, "--reproduce runs/ner");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr
            .starts_with("error: runs/dev.jsonl is not what the run learnt from: its SHA-256 is "),
        "{ran}"
    );
    assert!(!sandbox.path("runs/ner-reproduced").exists());

    assert_snapshot!(train(&sandbox, "--reproduce runs"), @r"
    exit 2
    --- stderr
    error: runs: no run.json there
    hint: name the folder of a finished run, or its run.json
    ");
    let mut record = sandbox.records_of("runs/ner/model/run.json");
    record.as_object_mut().unwrap().remove("finish");
    sandbox.write("stopped.json", record.to_string());
    assert_snapshot!(train(&sandbox, "--reproduce stopped.json"), @r"
    exit 2
    --- stderr
    error: stopped.json is the record of a run that did not come to its end
    ");
    record["kind"] = Value::from("pretrain");
    sandbox.write("stopped.json", record.to_string());
    assert_snapshot!(train(&sandbox, "--reproduce stopped.json"), @r#"
    exit 2
    --- stderr
    error: stopped.json is the record of a run of "pretrain"
    hint: only runs of vestnik train are reproduced
    "#);
}
