//! Defaults, spellings and refusals of `config.json`.

use std::path::Path;

use serde_json::json;

use super::*;

fn parse(config: &Value) -> Result<ModelConfig> {
    ModelConfig::parse(config.to_string().as_bytes(), Path::new("config.json"))
}

fn encoder(config: &Value) -> EncoderConfig {
    parse(config).unwrap().encoder
}

fn refusal(config: &Value) -> String {
    parse(config).map(|_| ()).unwrap_err().to_string()
}

/// An empty configuration has the sizes of the reference's configuration class: vocabulary, width, layers, heads, inner
/// width, positions, segments, padding id.
#[test]
fn missing_keys_take_the_defaults_of_the_reference() {
    let table = [
        ("bert", [30_522, 768, 12, 12, 3072, 512, 2, 0]),
        ("roberta", [50_265, 768, 12, 12, 3072, 512, 2, 1]),
        ("xlm-roberta", [30_522, 768, 12, 12, 3072, 512, 2, 1]),
        ("camembert", [30_522, 768, 12, 12, 3072, 512, 2, 1]),
        ("distilbert", [30_522, 768, 6, 12, 3072, 512, 0, 0]),
        ("electra", [30_522, 256, 12, 4, 1024, 512, 2, 0]),
        ("deberta-v2", [128_100, 1536, 24, 24, 6144, 512, 0, 0]),
        ("modernbert", [50_368, 768, 22, 12, 1152, 8192, 0, 50_283]),
    ];
    assert_eq!(table.len(), Architecture::ALL.len());
    for (model_type, sizes) in table {
        let config = encoder(&json!({"model_type": model_type}));
        let found = [
            config.vocab_size,
            config.hidden_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.intermediate_size,
            config.max_position_embeddings,
            config.type_vocab_size,
            config.pad_token_id,
        ];
        assert_eq!(found, sizes, "{model_type}");
        assert_eq!(config.hidden_act, Activation::Gelu);
        assert!(config.tie_word_embeddings);
    }
}

#[test]
fn null_is_absent() {
    let config =
        encoder(&json!({"model_type": "bert", "classifier_dropout": null, "hidden_size": null}));
    assert_eq!(config.hidden_size, 768);
    assert_eq!(config.classifier_dropout, 0.1);
}

#[test]
fn rates_have_their_own_keys_in_every_family() {
    let config =
        encoder(&json!({"model_type": "distilbert", "dim": 24, "n_heads": 3, "dropout": 0.3}));
    assert_eq!((config.hidden_size, config.num_attention_heads), (24, 3));
    assert_eq!(
        (
            config.classifier_dropout,
            config.sequence_classifier_dropout
        ),
        (0.3, 0.2)
    );
    let config = encoder(
        &json!({"model_type": "deberta-v2", "hidden_dropout_prob": 0.2, "cls_dropout": 0.4}),
    );
    assert_eq!(
        (
            config.classifier_dropout,
            config.sequence_classifier_dropout
        ),
        (0.2, 0.4)
    );
    let config = encoder(&json!({"model_type": "roberta", "classifier_dropout": 0.3}));
    assert_eq!(
        (
            config.classifier_dropout,
            config.sequence_classifier_dropout
        ),
        (0.3, 0.3)
    );
}

#[test]
fn modernbert_is_read_as_transformers_4_and_5_write_it() {
    let old = json!({
        "model_type": "modernbert", "num_hidden_layers": 4, "global_attn_every_n_layers": 2,
        "global_rope_theta": 5000.0, "position_embedding_type": "absolute",
    });
    let new = json!({
        "model_type": "modernbert", "num_hidden_layers": 4,
        "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 5000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    });
    assert_eq!(encoder(&old), encoder(&new));
}

#[test]
fn what_would_change_the_computation_is_refused_by_name() {
    let cases = [
        (json!({"model_type": "gpt2"}), "model_type = gpt2"),
        (
            json!({"model_type": "bert", "is_decoder": true}),
            "is_decoder = true",
        ),
        (
            json!({"model_type": "bert", "is_encoder_decoder": true}),
            "is_encoder_decoder = true",
        ),
        (
            json!({"model_type": "bert", "hidden_act": "quick_gelu"}),
            "hidden_act = quick_gelu",
        ),
        (
            json!({"model_type": "bert", "position_embedding_type": "relative_key"}),
            "relative_key",
        ),
        (
            json!({"model_type": "deberta-v2", "pos_att_type": "p2p|c2p"}),
            "pos_att_type = p2p",
        ),
        (
            json!({"model_type": "deberta-v2", "conv_kernel_size": 4}),
            "conv_kernel_size = 4",
        ),
        (
            json!({"model_type": "modernbert", "classifier_pooling": "max"}),
            "classifier_pooling = max",
        ),
        (
            json!({"model_type": "modernbert", "rope_parameters": {"full_attention": {"rope_type": "yarn"}}}),
            "rope_type",
        ),
    ];
    for (config, expected) in cases {
        let message = refusal(&config);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("supported"), "{message}");
    }
}

#[test]
fn impossible_values_are_refused_by_name() {
    let cases = [
        (
            json!({"model_type": "bert", "hidden_size": 10, "num_attention_heads": 3}),
            "multiple",
        ),
        (
            json!({"model_type": "bert", "vocab_size": 0}),
            "vocab_size is 0",
        ),
        (
            json!({"model_type": "bert", "vocab_size": -1}),
            "vocab_size is -1",
        ),
        (
            json!({"model_type": "bert", "hidden_size": 1e300}),
            "hidden_size",
        ),
        (
            json!({"model_type": "bert", "hidden_size": "768"}),
            "hidden_size is \"768\"",
        ),
        (
            json!({"model_type": "bert", "hidden_dropout_prob": 1.5}),
            "hidden_dropout_prob is 1.5",
        ),
        (
            json!({"model_type": "roberta", "max_position_embeddings": 3}),
            "no room",
        ),
        (
            json!({"model_type": "modernbert", "num_hidden_layers": 2, "layer_types": []}),
            "layer_types",
        ),
        (json!({"model_type": 7}), "model_type is 7"),
        (json!({}), "no model_type"),
        (json!([]), "expected a JSON object"),
    ];
    for (config, expected) in cases {
        let message = refusal(&config);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn outputs_that_are_no_labels_are_refused_with_a_reason() {
    let problem_type = |config: &Value| parse(config).unwrap().problem_type();
    let two = json!({"0": "yes", "1": "no"});
    let named = |name: &str| json!({"model_type": "bert", "id2label": two, "problem_type": name});
    let unnamed = json!({"model_type": "bert", "id2label": two});
    assert_eq!(problem_type(&unnamed).unwrap(), ProblemType::SingleLabel);
    for kind in [ProblemType::SingleLabel, ProblemType::MultiLabel] {
        assert_eq!(problem_type(&named(kind.name())).unwrap(), kind);
    }
    let reason = |config: &Value| problem_type(config).unwrap_err().to_string();
    assert!(reason(&named("regression")).contains("predicts a number"));
    assert!(reason(&json!({"model_type": "bert", "num_labels": 1})).contains("regression"));
    assert!(
        reason(&json!({"model_type": "bert", "id2label": {"0": "LABEL_0"}})).contains("regression")
    );
    assert!(reason(&named("ranking")).contains("problem_type = ranking"));
}

#[test]
fn heads_are_known_by_their_class() {
    let head = |class: &str| {
        let config = json!({"model_type": "bert", "architectures": [class]});
        parse(&config).unwrap().head()
    };
    assert_eq!(
        head("BertForTokenClassification"),
        Some(HeadKind::TokenClassification)
    );
    assert_eq!(
        head("BertForSequenceClassification"),
        Some(HeadKind::SequenceClassification)
    );
    assert_eq!(head("BertForMaskedLM"), Some(HeadKind::MaskedLm));
    assert_eq!(head("BertForPreTraining"), Some(HeadKind::MaskedLm));
    assert_eq!(head("ElectraForPreTraining"), None);
    assert_eq!(head("BertForQuestionAnswering"), None);
    assert_eq!(head("BertModel"), None);
}
