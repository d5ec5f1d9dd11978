//! `config.json`.

use serde_json::json;

use super::{CONFIG, refused};

#[test]
fn no_configuration() {
    refused(&[
        (
            "missing",
            |s| s.remove(CONFIG),
            "tiny: no config.json here; a model directory holds config.json, tokenizer.json and model.safetensors",
        ),
        (
            "empty",
            |s| s.write(CONFIG, ""),
            "tiny/config.json: not valid JSON: EOF",
        ),
        (
            "truncated",
            |s| s.cut(CONFIG, 300),
            "tiny/config.json: not valid JSON: EOF",
        ),
        (
            "an array",
            |s| s.write(CONFIG, "[1]"),
            "tiny/config.json: expected a JSON object",
        ),
        (
            "NaN",
            |s| s.write(CONFIG, r#"{"model_type": "bert", "layer_norm_eps": NaN}"#),
            "tiny/config.json: not valid JSON: expected value",
        ),
        (
            "not UTF-8",
            |s| s.write(CONFIG, b"{\"a\": \"\xff\"}"),
            "tiny/config.json: not valid JSON",
        ),
        (
            "git-lfs",
            |s| {
                s.write(
                    CONFIG,
                    "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
                );
            },
            "tiny/config.json: a git-lfs pointer",
        ),
    ]);
}

#[test]
fn other_kinds_of_models() {
    refused(&[
        (
            "no type",
            |s| s.write(CONFIG, "{}"),
            "tiny/config.json: no model_type",
        ),
        (
            "gpt2",
            |s| s.configure("model_type", json!("gpt2")),
            "model_type = gpt2 is not supported",
        ),
        (
            "llama",
            |s| s.configure("model_type", json!("llama")),
            "model_type = llama is not supported",
        ),
        (
            "unknown",
            |s| s.configure("model_type", json!("neo")),
            "model_type = neo is not supported",
        ),
        (
            "a number",
            |s| s.configure("model_type", json!(7)),
            "model_type",
        ),
        (
            "a decoder",
            |s| s.configure("is_decoder", json!(true)),
            "is_decoder = true is not supported",
        ),
        (
            "an encoder and a decoder",
            |s| s.configure("is_encoder_decoder", json!(true)),
            "is_encoder_decoder = true is not supported",
        ),
        (
            "quantised",
            |s| {
                s.configure(
                    "quantization_config",
                    json!({"quant_method": "gptq", "bits": 4}),
                );
            },
            "quantization_config = gptq is not supported",
        ),
        (
            "an activation",
            |s| s.configure("hidden_act", json!("swishy")),
            "hidden_act",
        ),
        (
            "relative positions",
            |s| s.configure("position_embedding_type", json!("relative_key")),
            "position_embedding_type = ",
        ),
    ]);
}

#[test]
fn sizes() {
    refused(&[
        (
            "not divisible",
            |s| s.configure("num_attention_heads", json!(5)),
            "hidden_size 24 is not a multiple of num_attention_heads 5",
        ),
        (
            "no width",
            |s| s.configure("hidden_size", json!(0)),
            "tiny/config.json: ",
        ),
        (
            "no vocabulary",
            |s| s.configure("vocab_size", json!(0)),
            "tiny/config.json: ",
        ),
        (
            "no heads",
            |s| s.configure("num_attention_heads", json!(0)),
            "tiny/config.json: ",
        ),
        (
            "no positions",
            |s| s.configure("max_position_embeddings", json!(0)),
            "tiny/config.json: ",
        ),
        (
            "negative",
            |s| s.configure("num_hidden_layers", json!(-1)),
            "num_hidden_layers is -1, expected",
        ),
        (
            "a fraction",
            |s| s.configure("hidden_size", json!(24.5)),
            "hidden_size is 24.5, expected",
        ),
        (
            "a text",
            |s| s.configure("hidden_size", json!("24")),
            "hidden_size is \"24\", expected",
        ),
        (
            "absurd width",
            |s| s.configure("hidden_size", json!(1e20)),
            "hidden_size is 1e+20, expected",
        ),
        (
            "absurd layers",
            |s| s.configure("num_hidden_layers", json!(100_000_000)),
            "the sizes describe a model of more than",
        ),
        (
            "a rate",
            |s| s.configure("hidden_dropout_prob", json!(1.5)),
            "tiny/config.json: ",
        ),
        (
            "padding",
            |s| s.configure("pad_token_id", json!(60)),
            "pad_token_id is 60, outside of the vocabulary of 60",
        ),
    ]);
}
