//! `[distillation]`: a tagger that learns from another one.

use std::path::Path;

use insta::assert_snapshot;

use crate::sandbox::Sandbox;
use crate::train::{sandbox, train};

/// A sandbox with a tagger to learn from in `runs/teacher`, whose tokenizer is another one than the student's.
fn with_teacher() -> Sandbox {
    let sandbox = sandbox();
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/vestnik-model/tests/fixtures");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = std::fs::read(fixtures.join("xlm_roberta").join(file)).unwrap();
        sandbox.write(&format!("large/{file}"), bytes);
    }
    let ran = train(
        &sandbox,
        "-o runs/teacher --set model.base=../large --set epochs=6",
    );
    assert_eq!(ran.code, 0, "{ran}");
    sandbox
}

const TAUGHT: &str = "--set distillation.teacher=teacher/model";

#[test]
fn a_tagger_learns_from_another_one() {
    let sandbox = with_teacher();
    assert_snapshot!(train(&sandbox, &format!("-o taught {TAUGHT}")), @r#"
    exit 0
    --- stderr
    the teacher reads the training data
    device: cpu
    the model is in taught/model
    the report is in taught/report.html
    "#);
    let record = sandbox.records_of("taught/model/run.json");
    assert_eq!(record["data"][2]["path"], "teacher/model");
    assert_eq!(record["data"][2]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(record["config"]["distillation"]["temperature"], 2.0);

    assert_eq!(train(&sandbox, "-o alone").code, 0);
    let weights = |run: &str| sandbox.read(&format!("{run}/model/model.safetensors"));
    assert!(weights("alone") != weights("taught"));
    let none = format!("-o none {TAUGHT} --set distillation.weight=0");
    assert_eq!(train(&sandbox, &none).code, 0);
    assert!(weights("alone") == weights("none"));
}

#[test]
fn a_run_with_a_teacher_is_resumed() {
    let sandbox = with_teacher();
    let run = |args: &str| train(&sandbox, &format!("{TAUGHT} {args}"));
    assert_eq!(run("-o whole --set max_steps=3").code, 0);
    assert_eq!(run("-o parts --set max_steps=3").code, 0);
    std::fs::remove_dir_all(sandbox.path("parts/checkpoint")).unwrap();
    assert_eq!(run("-o parts --set max_steps=3 --resume").code, 0);
    for file in [
        "model/model.safetensors",
        "checkpoint/optimizer.safetensors",
    ] {
        let same = sandbox.read(&format!("whole/{file}")) == sandbox.read(&format!("parts/{file}"));
        assert!(same, "{file}");
    }
    let other = "-o runs/other --set model.base=../large --set seed=8 --set epochs=6";
    assert_eq!(train(&sandbox, other).code, 0);
    std::fs::remove_dir_all(sandbox.path("runs/teacher")).unwrap();
    std::fs::rename(sandbox.path("runs/other"), sandbox.path("runs/teacher")).unwrap();
    assert_snapshot!(run("-o parts --set max_steps=4 --resume"), @r#"
    exit 2
    --- stderr
    the teacher reads the training data
    error: teacher/model changed since the checkpoint parts/checkpoint was written
    hint: put back what changed, or begin anew with -o
    "#);
}

#[test]
fn mistakes_about_the_teacher() {
    let sandbox = with_teacher();
    let told = |args: &str| train(&sandbox, &format!("-o run {TAUGHT} {args}"));
    assert_snapshot!(told("--set distillation.teacher=nobody"), @r#"
    exit 2
    --- stderr
    error: runs/nobody: no such model directory
    "#);
    assert_snapshot!(told("--set distillation.temperature=0"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `distillation.temperature` is 0, expected 0.1 to 100
    "#);
    assert_snapshot!(told("--set distillation.weight=2"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: setting `distillation.weight` is 2, expected 0 to 1
    "#);
    assert_snapshot!(told("--set model.scheme=bioes"), @r#"
    exit 2
    --- stderr
    the teacher reads the training data
    error: the teacher has no label E-PER, S-PER, E-LOC, S-LOC; it has O, B-PER, I-PER, B-LOC, I-LOC
    "#);
    assert_snapshot!(told("--set model.head=crf"), @r#"
    exit 2
    --- stderr
    the teacher reads the training data
    error: setting `model.head` is crf beside [distillation], expected a head without transitions, which gives distributions
    "#);
    assert_snapshot!(train(&sandbox, "-o run --set distillation.weight=0.5"), @r#"
    exit 2
    --- stderr
    error: runs/ner.toml: override `distillation.weight=0.5`: missing field `teacher` in `distillation`
    "#);
    let pretrained = sandbox
        .run("pretrain runs/mlm.toml --device cpu --progress none -o runs/mlm --set steps=1");
    assert_eq!(pretrained.code, 0);
    assert_snapshot!(told("--set distillation.teacher=mlm/model"), @r#"
    exit 2
    --- stderr
    error: runs/mlm/model/config.json: the model is a BertForMaskedLM, expected one for token classification
    "#);
    assert!(!sandbox.path("run").exists());
}
