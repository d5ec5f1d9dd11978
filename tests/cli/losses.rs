//! `[loss]` and `model.head` in run files: runs with each option, models with a conditional random field, mistakes.

use insta::assert_snapshot;
use serde_json::json;

use crate::sandbox::{Ran, Sandbox};
use crate::train::sandbox;

fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "train runs/ner.toml --device cpu --progress none {args}"
    ))
}

/// Micro F1 on the dev documents.
fn f1(sandbox: &Sandbox, model: &str) -> f64 {
    let ran = sandbox.run(&format!(
        "evaluate --model {model} --data runs/dev.jsonl --json --progress none --device cpu"
    ));
    ran.records()[0]["micro_f1"].as_f64().unwrap()
}

fn best_f1(sandbox: &Sandbox, model: &str) -> f64 {
    let record = sandbox.records_of(&format!("{model}/run.json"));
    record["best"]["measures"]["scores"]["f1"].as_f64().unwrap()
}

#[test]
fn every_option_of_the_loss_trains_a_model_that_tags() {
    let sandbox = sandbox();
    for (name, setting) in [
        ("smoothing", "label_smoothing=0.1"),
        ("balanced", "class_weights=\"balanced\""),
        ("weights", "class_weights.PER=2.5"),
        ("focus", "focal_gamma=2"),
    ] {
        let ran = train(&sandbox, &format!("-o {name} --set loss.{setting}"));
        assert_eq!(ran.code, 0, "{name}: {ran}");
        let model = format!("{name}/model");
        assert!((f1(&sandbox, &model) - best_f1(&sandbox, &model)).abs() < 1e-9);
    }
    let record = sandbox.records_of("balanced/model/run.json");
    assert_eq!(record["config"]["loss"]["class_weights"], "balanced");
    let record = sandbox.records_of("weights/model/run.json");
    assert_eq!(
        record["config"]["loss"]["class_weights"],
        json!({"PER": 2.5})
    );
}

#[test]
fn a_run_with_a_crf_makes_a_model_that_keeps_it() {
    let sandbox = sandbox();
    let settings = "--set epochs=6 --set optimizer.learning_rate=1e-2";
    let ran = train(
        &sandbox,
        &format!("-o field {settings} --set model.head=crf"),
    );
    assert_eq!(ran.code, 0, "{ran}");
    assert!((f1(&sandbox, "field/model") - best_f1(&sandbox, "field/model")).abs() < 1e-9);
    let info = sandbox.run("model info field/model");
    assert!(
        info.stdout
            .contains("head          token-classification with a CRF\n"),
        "{info}"
    );
    assert!(info.stdout.contains("unused        none"), "{info}");
    let info = sandbox.run("model info field/model --json");
    assert_eq!(info.records()[0]["crf"], true);

    // With its labels kept, the field is trained on; one that is not wanted goes.
    let file = String::from_utf8(sandbox.read("runs/ner.toml")).unwrap();
    let further = file
        .replace("labels = [\"PER\", \"LOC\"]\n", "")
        .replace("../tiny", "../field/model");
    sandbox.write("runs/further.toml", further);
    let again = |args: &str| {
        let args = format!("train runs/further.toml --device cpu --progress none {args}");
        assert_eq!(sandbox.run(&args).code, 0);
    };
    again("-o kept");
    again("-o gone --set model.head=softmax");
    let has_crf = |model: &str| {
        let info = sandbox.run(&format!("model info {model} --json"));
        info.records()[0].get("crf").is_some()
    };
    assert_eq!(
        [has_crf("kept/model"), has_crf("gone/model")],
        [true, false]
    );
    let ran =
        sandbox.run("train runs/further.toml -o no --set loss.label_smoothing=0.1 --device cpu");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: setting `loss.label_smoothing` is 0.1, expected none: the model has a CRF, whose loss is the likelihood of whole texts
    "#);
}

#[test]
fn scores_of_a_crf_are_probabilities_in_every_way() {
    let sandbox = sandbox();
    let settings = "--set epochs=6 --set optimizer.learning_rate=1e-2 --set model.head=crf";
    assert_eq!(train(&sandbox, &format!("-o field {settings}")).code, 0);
    for way in ["viterbi", "none", "first"] {
        let ran = sandbox.run(&format!(
            "tag runs/dev.jsonl --model field/model --aggregation {way} --progress none --device cpu"
        ));
        assert_eq!(ran.code, 0, "{ran}");
        for record in ran.records() {
            for entity in record["entities"].as_array().unwrap() {
                let score = entity["score"].as_f64().unwrap();
                assert!((0.0..=1.0).contains(&score), "{way}: {score}");
            }
        }
    }
}

#[test]
fn mistakes_in_the_loss() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "--set loss.label_smoothing=1.5"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `loss.label_smoothing` is 1.5, expected 0 to 1
    "#);
    assert_snapshot!(train(&sandbox, "--set loss.focal_gamma=-1"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `loss.focal_gamma` is -1, expected 0 to 10
    "#);
    assert_snapshot!(train(&sandbox, "--set loss.class_weights.SHIP=2"), @r#"
    exit 2
    --- stderr
    error: setting `loss.class_weights` is for "SHIP", expected labels of the model: O, PER, LOC
    "#);
    assert_snapshot!(train(&sandbox, "--set loss.class_weights.PER=-2"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `loss.class_weights` is -2, expected 0 to 1000
    "#);
    assert_snapshot!(train(&sandbox, "--set loss.class_weights=even"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `loss.class_weights=even`: invalid value: string "even", expected "balanced", or a table of labels and their weights in `loss.class_weights`
    "#);
    assert_snapshot!(train(&sandbox, "--set loss.smoothing=0.1"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `loss.smoothing=0.1`: unknown field `smoothing`, expected one of `label_smoothing`, `class_weights`, `focal_gamma` in `loss`
    "#);
    assert_snapshot!(train(&sandbox, "--set model.head=lstm"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `model.head=lstm`: unknown variant `lstm`, expected `softmax` or `crf` in `model.head`
    "#);
    assert_snapshot!(train(&sandbox, "--set model.head=crf --set loss.focal_gamma=2"), @r#"
    exit 2
    --- stderr
    error: setting `loss.focal_gamma` is 2, expected none: the model has a CRF, whose loss is the likelihood of whole texts
    "#);
    assert!(!sandbox.path("runs/ner").exists());
}
