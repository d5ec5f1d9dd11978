//! `[freeze]` in run files: what learns, what stays, and mistakes.

use insta::assert_snapshot;

use crate::sandbox::{Ran, Sandbox};
use crate::train::sandbox;

fn train(sandbox: &Sandbox, args: &str) -> Ran {
    sandbox.run(&format!(
        "train runs/ner.toml --device cpu --progress none {args}"
    ))
}

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
    error: runs/ner.toml: invalid value: integer `-1`, expected usize
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
    error: runs/ner.toml: unknown field `head`, expected one of `encoder`, `layers`, `embeddings`
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
