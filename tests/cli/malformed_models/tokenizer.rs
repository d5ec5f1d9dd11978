//! `tokenizer.json` and the files beside it.

use serde_json::json;

use super::{TOKENIZER, TOKENIZER_CONFIG, fixture, refused, refused_for_tagging};

#[test]
fn no_tokenizer() {
    refused_for_tagging(&[
        (
            "missing",
            |s| s.remove(TOKENIZER),
            "tiny/tokenizer.json: no such file; a model needs its tokenizer",
        ),
        (
            "only vocab.txt",
            |s| s.rename(TOKENIZER, "tiny/vocab.txt"),
            "no such file, only vocab.txt; make it: python -c \"from transformers import AutoTokenizer; \
             AutoTokenizer.from_pretrained('tiny').save_pretrained('tiny')\"",
        ),
        (
            "only sentencepiece",
            |s| s.rename(TOKENIZER, "tiny/sentencepiece.bpe.model"),
            "no such file, only sentencepiece.bpe.model; make it",
        ),
        (
            "broken",
            |s| s.cut(TOKENIZER, 900),
            "tiny/tokenizer.json: not a tokenizer.json",
        ),
        (
            "empty",
            |s| s.write(TOKENIZER, ""),
            "tiny/tokenizer.json: the file is empty",
        ),
        (
            "git-lfs",
            |s| s.write(TOKENIZER, "version https://git-lfs.github.com/spec/v1\n"),
            "tiny/tokenizer.json: a git-lfs pointer",
        ),
    ]);
}

#[test]
fn the_tokenizer_of_another_model() {
    refused_for_tagging(&[
        (
            "padding",
            |s| s.write(TOKENIZER, fixture("xlm_roberta/tokenizer.json")),
            "tiny/tokenizer.json: the padding token has the id 1, config.json says pad_token_id 0",
        ),
        (
            "more tokens",
            |s| {
                s.edit(TOKENIZER, |tokenizer| {
                    tokenizer["model"]["vocab"]["Plovdiv"] = json!(119);
                });
            },
            "tiny/tokenizer.json: 120 tokens, but the model has embeddings for 60",
        ),
        (
            "an unknown special token",
            |s| {
                s.edit(TOKENIZER_CONFIG, |config| {
                    config["eos_token"] = json!("<eos>");
                });
            },
            "tiny/tokenizer_config.json: eos_token is \"<eos>\", which tokenizer.json does not know",
        ),
        (
            "another special token",
            |s| {
                s.edit(TOKENIZER_CONFIG, |config| {
                    config["cls_token"] = json!("[MASK]");
                });
            },
            "cls_token is \"[MASK]\", but the special token that is found in tokenizer.json is \"[CLS]\"",
        ),
    ]);
}

#[test]
fn settings_of_the_tokenizer() {
    refused(&[
        (
            "broken",
            |s| s.write(TOKENIZER_CONFIG, "{"),
            "tiny/tokenizer_config.json: not a JSON object",
        ),
        (
            "a length",
            |s| {
                s.edit(TOKENIZER_CONFIG, |config| {
                    config["model_max_length"] = json!(-1);
                });
            },
            "model_max_length is -1, expected a number of tokens, at least 3",
        ),
        (
            "the other file",
            |s| s.write("tiny/special_tokens_map.json", "[]"),
            "tiny/special_tokens_map.json: not a JSON object",
        ),
    ]);
}
