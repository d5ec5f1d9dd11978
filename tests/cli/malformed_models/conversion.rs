//! `model convert`: what it tells, and what it refuses.

use insta::assert_snapshot;

use super::{Sandbox, WEIGHTS, check_refusal, fixture};

/// The tiny model with a PyTorch file instead of safetensors.
fn with_torch(file: &str) -> Sandbox {
    let sandbox = Sandbox::with_model();
    sandbox.remove(WEIGHTS);
    sandbox.write("tiny/pytorch_model.bin", fixture(file));
    sandbox
}

#[test]
fn a_converted_model_tags() {
    let sandbox = with_torch("torch/bert.bin");
    assert_snapshot!(sandbox.run("model convert tiny -o new"), @r"
    exit 0
    --- stderr
    left out bert.embeddings.position_ids: no floating-point numbers
    55 tensors written to new
    ");
    sandbox.write("news.jsonl", r#"{"text":"Sofia waits."}"#);
    let tag = "--device cpu --progress none news.jsonl";
    let converted = sandbox.run(&format!("tag --model new {tag}")).records();
    let original = Sandbox::with_model();
    original.rename("tiny", "new");
    original.write("news.jsonl", r#"{"text":"Sofia waits."}"#);
    let original = original.run(&format!("tag --model new {tag}")).records();
    assert_eq!(converted, original);
}

#[test]
fn number_types() {
    let sandbox = Sandbox::with_model();
    assert_snapshot!(sandbox.run("model convert tiny -o new --dtype f16"), @r"
    exit 0
    --- stderr
    55 tensors written to new
    ");
    let info = sandbox.run("model info new --json").records().remove(0);
    assert_eq!(info["dtype"], "f16");
    let ran = sandbox.run("model convert tiny -o other --dtype int8");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(
        ran.stderr.contains("possible values: f32, f16, bf16"),
        "{ran}"
    );
}

#[test]
fn a_model_that_is_not_ours_is_converted_with_a_note() {
    let sandbox = with_torch("torch/tied.bin");
    sandbox.write("tiny/config.json", r#"{"model_type": "gpt2"}"#);
    let ran = sandbox.run("model convert tiny -o new");
    assert_eq!(ran.code, 0, "{ran}");
    assert!(
        ran.stderr.contains("left out decoder: tied to embeddings"),
        "{ran}"
    );
    assert!(
        ran.stderr
            .contains("note: vestnik itself cannot load the model: new/config.json: model_type"),
        "{ran}"
    );
}

#[test]
fn refusals() {
    for (file, told) in [
        (
            "torch/code.bin",
            "tiny/pytorch_model.bin: asks to run posix.system, which weights do not need",
        ),
        (
            "torch/legacy.bin",
            "a bare pickle, as PyTorch wrote before 1.6",
        ),
        ("torch/training.bin", "perhaps a checkpoint of training"),
        (
            "torch/infinite.bin",
            "tensor w holds NaN or infinite numbers",
        ),
    ] {
        let sandbox = with_torch(file);
        check_refusal(file, &sandbox.run("model convert tiny -o new"), told);
        assert!(sandbox.names().is_empty(), "{file}");
    }
    let sandbox = Sandbox::with_model();
    let ran = sandbox.run("model convert tiny -o tiny");
    check_refusal(
        "the same directory",
        &ran,
        "tiny exists; name another directory",
    );
    let ran = sandbox.run("model convert nowhere -o new");
    check_refusal("nothing", &ran, "nowhere: ");
    sandbox.remove(WEIGHTS);
    let ran = sandbox.run("model convert tiny -o new");
    check_refusal(
        "no weights",
        &ran,
        "tiny: no model.safetensors here; fetch the whole model",
    );
    assert!(sandbox.names().is_empty());
}
