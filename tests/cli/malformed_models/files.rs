//! The directory itself, and `vestnik.json`.

use serde_json::json;

use super::{CONFIG, SETTINGS, Sandbox, TOKENIZER, WEIGHTS, refused};

#[test]
fn other_directories() {
    refused(&[
        (
            "empty",
            |s| {
                for name in [CONFIG, WEIGHTS, TOKENIZER] {
                    s.remove(name);
                }
            },
            "tiny: no config.json here; a model directory holds",
        ),
        (
            "above the model",
            |s| {
                s.rename("tiny", "model");
                s.write("tiny/README.md", "");
                s.rename("model", "tiny/checkpoint-500");
            },
            "tiny: no config.json here, but in tiny/checkpoint-500; name that directory",
        ),
        (
            "an adapter",
            |s| s.rename(CONFIG, "tiny/adapter_config.json"),
            "tiny: no config.json here, only an adapter; merge it into its model",
        ),
        (
            "a directory for a file",
            |s| {
                s.remove(CONFIG);
                s.write("tiny/config.json/file", "");
            },
            "tiny/config.json: ",
        ),
        (
            "a directory for the weights",
            |s| {
                s.remove(WEIGHTS);
                s.write("tiny/model.safetensors/file", "");
            },
            "tiny/model.safetensors: ",
        ),
    ]);
}

#[test]
fn what_vestnik_adds() {
    refused(&[
        (
            "a later version",
            |s| {
                s.write(
                    SETTINGS,
                    json!({"format_version": 99, "window": {"tokens": 30, "context": 2}})
                        .to_string(),
                );
            },
            "format_version 99",
        ),
        ("broken", |s| s.write(SETTINGS, "{"), "vestnik.json"),
    ]);
    super::refused_for_tagging(&[(
        "windows beyond the positions",
        |s| {
            s.write(
                SETTINGS,
                json!({"format_version": 1, "window": {"tokens": 300, "context": 2}}).to_string(),
            );
        },
        "windows of 300 tokens",
    )]);
}

/// The system lets root read everything, so that there is nothing to see then.
#[cfg(unix)]
#[test]
fn a_directory_that_may_not_be_read() {
    use std::fs::{Permissions, metadata, read_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox: Sandbox = super::broken(|_| ());
    let folder = sandbox.path("tiny");
    set_permissions(&folder, Permissions::from_mode(0o000)).unwrap();
    if read_dir(&folder).is_err() {
        super::check_refusal("permission", &super::tag(&sandbox), "Permission denied");
    }
    set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert!(metadata(folder).unwrap().is_dir());
}

#[test]
fn a_file_for_the_directory() {
    let sandbox = super::broken(|s| s.rename(WEIGHTS, "tiny.safetensors"));
    for command in [
        "tag --model tiny.safetensors news.jsonl",
        "model info tiny.safetensors",
    ] {
        let ran = sandbox.run(command);
        assert_eq!(ran.code, 2, "{ran}");
        assert!(ran.stderr.starts_with("error: tiny.safetensors: "), "{ran}");
    }
}
