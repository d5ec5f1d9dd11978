//! ModernBERT's `config.json`: what transformers 5 reads from it, as recorded from its `ModernBertConfig`.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

use std::path::Path;

use serde_json::{Value, json};
use vestnik_model::{Activation, ArchitectureOptions, ModelConfig, ModernBertOptions, Pooling};

fn parse(keys: &Value) -> vestnik_model::Result<ModelConfig> {
    let mut config = json!({"model_type": "modernbert", "num_hidden_layers": 4});
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    ModelConfig::parse(config.to_string().as_bytes(), Path::new("config.json"))
}

fn options(keys: &Value) -> ModernBertOptions {
    match parse(keys).unwrap().encoder.options {
        ArchitectureOptions::ModernBert(options) => options,
        other => panic!("{other:?}"),
    }
}

#[test]
fn absent_keys_have_the_defaults_of_the_reference() {
    let options = options(&json!({}));
    assert_eq!(options.local_layers, [false, true, true, false]);
    assert_eq!(options.window, 64);
    assert_eq!(options.global_rope_theta, 160_000.0);
    assert_eq!(options.local_rope_theta, 10_000.0);
    let biases = [
        options.attention_bias,
        options.mlp_bias,
        options.norm_bias,
        options.classifier_bias,
    ];
    assert_eq!(biases, [false; 4]);
    assert!(options.decoder_bias);
    assert_eq!([options.embedding_dropout, options.mlp_dropout], [0.0; 2]);
    assert_eq!(options.classifier_pooling, Pooling::First);
    assert_eq!(options.classifier_activation, Activation::Gelu);
}

#[test]
fn bases_of_positions_are_read_in_every_spelling() {
    let default = |theta: f64| json!({"rope_type": "default", "rope_theta": theta});
    for (keys, global, local) in [
        (
            json!({"global_rope_theta": 80_000.0, "local_rope_theta": 500.0}),
            80_000.0,
            500.0,
        ),
        // In transformers 4: local layers as the global ones. The reference 5 stops at it with a TypeError.
        (
            json!({"global_rope_theta": 80_000.0, "local_rope_theta": null}),
            80_000.0,
            80_000.0,
        ),
        (
            json!({"rope_parameters": {"full_attention": default(7.0), "sliding_attention": default(9.0)}}),
            7.0,
            9.0,
        ),
        (
            json!({"rope_parameters": {"full_attention": default(7.0)}}),
            7.0,
            10_000.0,
        ),
        (
            json!({"rope_parameters": {"full_attention": {"rope_theta": 7}}, "local_rope_theta": 9.0}),
            7.0,
            9.0,
        ),
        (
            json!({"rope_parameters": {"full_attention": default(7.0)}, "global_rope_theta": 9.0}),
            7.0,
            10_000.0,
        ),
        (
            json!({"rope_scaling": {"rope_type": "default"}}),
            160_000.0,
            10_000.0,
        ),
        (json!({"rope_theta": 3.0}), 160_000.0, 10_000.0),
    ] {
        let options = options(&keys);
        assert_eq!(options.global_rope_theta, global, "{keys}");
        assert_eq!(options.local_rope_theta, local, "{keys}");
    }
}

#[test]
fn windows_are_half_of_what_a_token_sees() {
    for (keys, window) in [
        (json!({"local_attention": 7}), 3),
        (json!({"local_attention": 1}), 0),
        (json!({"local_attention": 0}), 0),
        (json!({"sliding_window": 3}), 3),
        (json!({"sliding_window": 3, "local_attention": 20}), 3),
    ] {
        assert_eq!(options(&keys).window, window, "{keys}");
    }
}

#[test]
fn local_layers_are_listed_or_counted() {
    let every_second = options(&json!({"global_attn_every_n_layers": 2}));
    assert_eq!(every_second.local_layers, [false, true, false, true]);
    let types = json!([
        "sliding_attention",
        "full_attention",
        "full_attention",
        "full_attention"
    ]);
    let listed = options(&json!({"layer_types": types, "global_attn_every_n_layers": 2}));
    assert_eq!(listed.local_layers, [true, false, false, false]);
}

#[test]
fn what_is_not_computed_is_refused_by_name() {
    for (keys, message) in [
        (
            json!({"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}}),
            "rope_type = linear is not supported; supported: default",
        ),
        (
            json!({"rope_parameters": {"sliding_attention": {"type": "yarn"}}}),
            "rope_type = yarn is not supported",
        ),
        (
            json!({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}),
            "rope_type = dynamic is not supported",
        ),
        (
            json!({"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}),
            "rope_parameters is {",
        ),
        (
            json!({"rope_parameters": {"full_attention": {"rope_theta": "7"}}}),
            "rope_theta is \"7\", expected a number",
        ),
        (
            json!({"global_rope_theta": 0.0}),
            "a rope_theta is 0, expected a positive number",
        ),
        (
            json!({"layer_types": ["full_attention", "chunked_attention", "full_attention", "full_attention"]}),
            "layer_types = \"chunked_attention\" is not supported",
        ),
        (
            json!({"layer_types": ["full_attention"]}),
            "expected one for each of 4 layers",
        ),
        (
            json!({"global_attn_every_n_layers": 0}),
            "global_attn_every_n_layers is 0",
        ),
        (json!({"local_attention": -1}), "local_attention is -1"),
        (json!({"head_dim": 32}), "head_dim = 32 is not supported"),
        (
            json!({"hidden_size": 18, "num_attention_heads": 2}),
            "heads of odd width 9",
        ),
        (
            json!({"classifier_pooling": "max"}),
            "classifier_pooling = max is not supported",
        ),
        (
            json!({"hidden_activation": "geglu"}),
            "hidden_activation = geglu is not supported",
        ),
    ] {
        let problem = parse(&keys).map(|_| ()).unwrap_err().to_string();
        assert!(problem.contains(message), "{keys}: {problem}");
        assert!(problem.starts_with("config.json: "), "{keys}: {problem}");
        assert_eq!(problem.lines().count(), 1, "{keys}: {problem}");
    }
    assert!(parse(&json!({"head_dim": 64})).is_ok());
}
