//! `[freeze]`, `[lora]` and `gradient_checkpointing` in run files: what learns, what stays, and mistakes.

use insta::assert_snapshot;

use crate::sandbox::{Ran, Sandbox};
use crate::train::{sandbox, train};

fn pretrain(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "pretrain runs/mlm.toml --device cpu --progress none {args}"
    ))
}

/// `[weights of the model, weights that learn]` of a finished run.
fn weights(sandbox: &Sandbox, run: &str) -> [u64; 2] {
    let record = sandbox.records_of(&format!("{run}/model/run.json"));
    ["parameters", "trainable"].map(|key| record[key].as_u64().unwrap())
}

#[test]
fn frozen_layers_of_a_run() {
    let sandbox = sandbox();
    assert_eq!(train(&sandbox, "-o all").code, 0);
    assert_eq!(train(&sandbox, "-o upper --set freeze.layers=1").code, 0);
    assert_eq!(train(&sandbox, "-o head --set freeze.encoder=true").code, 0);
    let [[all, learning], [_, upper], [_, head]] =
        ["all", "upper", "head"].map(|run| weights(&sandbox, run));
    assert_eq!(all, learning);
    assert!(head < upper && upper < all, "{head} {upper} {all}");

    let ran = pretrain(&sandbox, "-o mlm --set freeze.layers=1");
    assert_eq!(ran.code, 0, "{ran}");
    let [all, learning] = weights(&sandbox, "mlm");
    assert!(learning < all);
}

#[test]
fn progress_tells_how_much_learns() {
    let sandbox = sandbox();
    let ran =
        sandbox.run("train runs/ner.toml --device cpu --progress plain --set freeze.encoder=true");
    assert!(ran.stderr.contains("0.00 of 0.0 million weights"), "{ran}");
}

#[test]
fn mistakes_in_what_is_frozen() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "--set freeze.layers=99"), @r#"
    exit 2
    --- stderr
    error: setting `freeze.layers` is 99, expected at most 3, the layers of the model
    "#);
    assert_snapshot!(pretrain(&sandbox, "--set freeze.layers=99"), @r#"
    exit 2
    --- stderr
    320 tokens in 40 pieces
    error: setting `freeze.layers` is 99, expected at most 3, the layers of the model
    "#);
    assert_snapshot!(train(&sandbox, "--set freeze.layers=-1"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `freeze.layers=-1`: invalid value: integer `-1`, expected usize in `freeze.layers`
    "#);
    assert_snapshot!(train(&sandbox, "--set freeze.encoder=true --set freeze.layers=1"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `freeze.layers` is 1, expected nothing beside freeze.encoder, which freezes all of them
    "#);
    assert_snapshot!(train(&sandbox, "--set freeze.encoder=true --set freeze.embeddings=false"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `freeze.embeddings` is false, expected nothing beside freeze.encoder, which freezes all of them
    "#);
    assert_snapshot!(train(&sandbox, "--set freeze.head=true"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `freeze.head=true`: unknown field `head`, expected one of `encoder`, `layers`, `embeddings` in `freeze`
    "#);
    assert!(!sandbox.path("runs/ner").exists());
}

#[test]
fn a_run_is_resumed_with_what_it_froze() {
    let sandbox = sandbox();
    assert_eq!(
        train(&sandbox, "--set max_steps=1 --set freeze.layers=1").code,
        0
    );
    assert_snapshot!(train(&sandbox, "--resume"), @r#"
    exit 2
    --- stderr
    error: the run file differs from the one of the checkpoint in freeze
    hint: put back what changed, or begin anew with -o
    "#);
}

#[test]
fn low_rank_updates_of_a_run() {
    let sandbox = sandbox();
    let ran = train(
        &sandbox,
        "-o lora --set lora.rank=4 --set gradient_checkpointing=true",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let [all, learning] = weights(&sandbox, "lora");
    assert!(4 * learning < all, "{learning} {all}");
    // The model is a plain one: no other tensors, and the scores of the run.
    let info = sandbox
        .run("model info lora/model --json")
        .records()
        .remove(0);
    assert_eq!(info["parameters"], all);
    let record = &sandbox.records_of("lora/model/run.json");
    let best = record["best"]["measures"]["scores"]["f1"].as_f64().unwrap();
    let ran = sandbox.run(
        "evaluate --model lora/model --data runs/dev.jsonl --json --progress none --device cpu",
    );
    let f1 = ran.records()[0]["micro_f1"].as_f64().unwrap();
    assert!((f1 - best).abs() < 1e-9, "{ran}");

    let ran = pretrain(
        &sandbox,
        "-o mlm --set lora.alpha=16 --set gradient_checkpointing=true",
    );
    assert_eq!(ran.code, 0, "{ran}");
    let [all, learning] = weights(&sandbox, "mlm");
    assert!(learning < all, "{learning} {all}");
}

#[test]
fn mistakes_in_low_rank_updates() {
    let sandbox = sandbox();
    assert_snapshot!(train(&sandbox, "--set lora.rank=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `lora.rank` is 0, expected at least 1
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.rank=9999"), @r#"
    exit 2
    --- stderr
    error: setting `lora.rank` is 9999, expected at most 24, the width of the model
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.alpha=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `lora.alpha` is 0, expected 0.000001 to 1000000
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.dropout=1.5"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `lora.dropout` is 1.5, expected 0 to 0.9
    "#);
    assert_snapshot!(train(&sandbox, r#"--set lora.targets=["quary"]"#), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `lora.targets=["quary"]`: unknown variant `quary`, expected one of `query`, `key`, `value`, `output`, `feed_forward` in `lora.targets`
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.targets=[]"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `lora.targets (number of them)` is 0, expected at least 1
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.rang=4"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `lora.rang=4`: unknown field `rang`, expected one of `rank`, `alpha`, `dropout`, `targets`, `embeddings`, `norms` in `lora`
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.rank=4 --set freeze.encoder=true"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `freeze.encoder` is true, expected false beside [lora], which adapts the encoder
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.rank=4 --set freeze.layers=3"), @r#"
    exit 2
    --- stderr
    error: setting `freeze.layers` is 3, expected below 3 beside [lora], which adapts the layers above
    "#);
    assert_snapshot!(train(&sandbox, "--set lora.embeddings=true --set freeze.embeddings=true"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `lora.embeddings` is true, expected false where [freeze] freezes the embeddings
    "#);
    assert_snapshot!(train(&sandbox, "--set gradient_checkpointing=yes"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `gradient_checkpointing=yes`: invalid type: string "yes", expected a boolean in `gradient_checkpointing`
    "#);
    assert!(!sandbox.path("runs/ner").exists());
}
