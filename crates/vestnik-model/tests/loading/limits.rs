//! Checks across files: vocabulary, special tokens, labels, lengths.

use serde_json::{Value, json};
use vestnik_core::LabelSet;
use vestnik_model::has_placeholder_labels;

use crate::folder::Folder;

const CONFIG: &str = "tokenizer_config.json";

fn max_tokens(length: Value) -> usize {
    let folder = Folder::new();
    folder.edit(CONFIG, |config| config["model_max_length"] = length);
    folder.open().unwrap().max_tokens()
}

#[test]
fn the_longest_sequence() {
    assert_eq!(Folder::new().open().unwrap().max_tokens(), 40);
    assert_eq!(max_tokens(json!(32)), 32);
    assert_eq!(max_tokens(json!(32.0)), 32);
    assert_eq!(max_tokens(json!(4096)), 40, "the position table ends there");
    assert_eq!(max_tokens(json!(1e30)), 40);
    assert_eq!(max_tokens(Value::Null), 40);
    // As Python writes int(1e30).
    let folder = Folder::new();
    folder.write(
        CONFIG,
        r#"{"model_max_length": 1000000000000000019884624838656}"#,
    );
    assert_eq!(folder.open().unwrap().max_tokens(), 40);
}

#[test]
fn lengths_that_are_none() {
    for length in [json!(2), json!(-1), json!("512"), json!(0)] {
        let folder = Folder::new();
        folder.edit(CONFIG, |config| {
            config["model_max_length"] = length.clone();
        });
        let refusal = folder.refusal();
        assert_eq!(
            refusal,
            format!(
                "DIR/tokenizer_config.json: model_max_length is {length}, expected a number of tokens, at least 3"
            )
        );
    }
}

#[test]
fn special_tokens_in_both_ways_of_writing() {
    let folder = Folder::new();
    folder.edit(CONFIG, |config| {
        *config = json!({"cls_token": "[CLS]", "pad_token": {"content": "[PAD]", "lstrip": false}, "bos_token": null});
    });
    folder.edit("special_tokens_map.json", |map| {
        map["unk_token"] = json!("[UNK]");
    });
    folder.open().unwrap().tokenizer().unwrap();
}

#[test]
fn special_tokens_that_the_tokenizer_does_not_know() {
    for file in [CONFIG, "special_tokens_map.json"] {
        let folder = Folder::new();
        folder.edit(file, |config| {
            config["eos_token"] = json!({"content": "<eos>"});
        });
        assert_eq!(
            folder.refusal(),
            format!(
                "DIR/{file}: eos_token is \"<eos>\", which tokenizer.json does not know; is it from another model?"
            )
        );
    }
}

#[test]
fn special_tokens_that_are_others_than_those_used() {
    let folder = Folder::new();
    folder.edit(CONFIG, |config| config["sep_token"] = json!("[CLS]"));
    let refusal = folder.refusal();
    assert!(
        refusal.contains("sep_token is \"[CLS]\", but the special token that is found"),
        "{refusal}"
    );
}

#[test]
fn padding_outside_of_the_vocabulary() {
    let folder = Folder::new();
    folder.edit("config.json", |config| config["pad_token_id"] = json!(60));
    assert_eq!(
        folder.refusal(),
        "DIR/config.json: pad_token_id is 60, outside of the vocabulary of 60"
    );
}

#[test]
fn placeholder_labels() {
    let placeholders = LabelSet::new(["LABEL_0", "LABEL_1"]).unwrap();
    assert!(has_placeholder_labels(&placeholders));
    for named in [["LABEL_1", "LABEL_0"], ["O", "LABEL_1"], ["O", "B-PER"]] {
        assert!(!has_placeholder_labels(&LabelSet::new(named).unwrap()));
    }
    let folder = Folder::new();
    assert_eq!(folder.open().unwrap().named_labels().unwrap().len(), 5);
    folder.edit("config.json", |config| {
        config["id2label"] = json!({"0": "LABEL_0", "1": "LABEL_1"});
    });
    let refusal = folder
        .open()
        .unwrap()
        .named_labels()
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("placeholders (LABEL_0, LABEL_1)"),
        "{refusal}"
    );
}

#[test]
fn sizes_that_would_not_fit_into_memory_are_refused_before_they_are_made() {
    for (key, size) in [
        ("num_hidden_layers", 100_000_000),
        ("intermediate_size", 99_999_999),
    ] {
        let folder = Folder::new();
        folder.edit("config.json", |config| config[key] = json!(size));
        let refusal = folder.refusal();
        assert!(
            refusal.contains("the sizes describe a model of more than"),
            "{refusal}"
        );
    }
}

#[test]
fn a_tokenizer_can_be_made_of_older_files() {
    for name in [
        "vocab.txt",
        "sentencepiece.bpe.model",
        "spm.model",
        "vocab.json",
    ] {
        let folder = Folder::new();
        folder.remove("tokenizer.json");
        folder.write(name, "");
        let refusal = folder.refusal();
        assert!(
            refusal.contains(&format!(
                "only {name}; make it: python -c \"from transformers"
            )),
            "{refusal}"
        );
    }
}

#[test]
fn no_directory() {
    let folder = Folder::new();
    for (name, found) in [
        ("nowhere", "no such model directory"),
        ("config.json", "a file, expected a model directory"),
    ] {
        let path = folder.path().join(name);
        let error = vestnik_model::ModelDir::open(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {found}", path.display()));
    }
}
