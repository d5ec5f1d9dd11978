//! `vestnik bench`: what it measures, and its mistakes.

use serde_json::Value;

use crate::sandbox::{Ran, Sandbox};

const ARTICLES: &str =
    "{\"text\":\"Киев и Лондон. Banks of London.\"}\n{\"text\":\"Москва\"}\n{\"text\":\" \"}\n";

fn measured(sandbox: &Sandbox, args: &str) -> Value {
    let args = format!("bench --model tiny --device cpu --rounds 1 --json news.jsonl {args}");
    let ran = sandbox.run(&args);
    assert_eq!(ran.code, 0, "{ran}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn documents_tokens_and_times_are_told() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", ARTICLES);
    let found = measured(&sandbox, "--threads 1 --dtype int8");
    assert_eq!(found["documents"], 2);
    assert_eq!(found["threads"], 1);
    assert_eq!(
        (&found["device"], &found["dtype"]),
        (&"cpu".into(), &"int8".into())
    );
    let number = |key: &str| found[key].as_f64().unwrap();
    let parts = ["tokenize_seconds", "compute_seconds", "decode_seconds"].map(number);
    assert!(parts.iter().all(|seconds| *seconds > 0.0), "{found}");
    assert!(
        (parts.iter().sum::<f64>() - number("seconds")).abs() < 1e-6,
        "{found}"
    );
    let rate = number("tokens") / number("seconds");
    assert!(
        (rate / number("tokens_per_second") - 1.0).abs() < 1e-6,
        "{found}"
    );
    let tagged = sandbox.tag("news.jsonl --output out.jsonl");
    assert_eq!(tagged.code, 1, "{tagged}");
    let tokens: u64 = sandbox
        .records("out.jsonl")
        .iter()
        .map(|record| record["vestnik"]["tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(found["tokens"], tokens);
}

#[test]
fn f32_is_the_default_and_the_limit_holds() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", ARTICLES);
    let found = measured(&sandbox, "--limit 1");
    assert_eq!(
        (&found["documents"], &found["dtype"]),
        (&1.into(), &"f32".into())
    );
}

#[test]
fn mistakes_are_told_in_a_line() {
    let sandbox = Sandbox::with_model();
    sandbox.write("empty.jsonl", "");
    sandbox.write("news.jsonl", ARTICLES);
    for (args, part) in [
        ("empty.jsonl", "the input holds no article"),
        ("missing.jsonl", "missing.jsonl"),
        (
            "empty.jsonl --dtype int4",
            "expected f32, tf32 or bf16 (GPUs), or int8 (CPU)",
        ),
        (
            "news.jsonl --dtype bf16",
            "bf16 is not computed on the CPU, expected f32 or int8",
        ),
        (
            "news.jsonl --dtype tf32",
            "tf32 is not computed on the CPU, expected f32 or int8",
        ),
    ] {
        let ran = sandbox.run(&format!("bench --model tiny --device cpu {args}"));
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.contains(part), "{ran}");
    }
}

#[test]
fn kernels_of_the_environment_are_known_or_told() {
    let sandbox = Sandbox::with_model();
    sandbox.write("news.jsonl", ARTICLES);
    let with = |kernels: &str| {
        let mut command = sandbox.command("bench --model tiny --device cpu --rounds 1 news.jsonl");
        Ran::of(command.env("VESTNIK_KERNELS", kernels))
    };
    let known = with("portable");
    assert_eq!(known.code, 0, "{known}");
    let unknown = with("AVX2");
    assert_eq!(unknown.code, 2, "{unknown}");
    let line = r#"VESTNIK_KERNELS: expected avx512, avxvnni, avx2 or portable, got "AVX2""#;
    assert!(unknown.stderr.contains(line), "{unknown}");
}
