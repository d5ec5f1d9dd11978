"""Configurations of tiny models: every architecture, with the values of its published checkpoints."""

import transformers

SHAPE = {
    "vocab_size": 60,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
}
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TOPICS = ["politics", "sport", "weather"]

# The values of the published checkpoints where they differ from the class's defaults: FacebookAI/roberta-base,
# FacebookAI/xlm-roberta-base, almanach/camembert-base, microsoft/mdeberta-v3-base, answerdotai/ModernBERT-base.
PUBLISHED = {
    "bert": {"pad_token_id": 0},
    "roberta": {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "xlm-roberta": {"type_vocab_size": 1, "layer_norm_eps": 1e-5},
    "camembert": {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "bos_token_id": 5, "eos_token_id": 6},
    "distilbert": {},
    "electra": {"embedding_size": 16},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "position_buckets": 8,
        "max_relative_positions": -1,
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "modernbert": {"local_attention": 8, "max_position_embeddings": 100},
}
HEADS = {
    "token": transformers.AutoModelForTokenClassification,
    "seq": transformers.AutoModelForSequenceClassification,
    "mlm": transformers.AutoModelForMaskedLM,
}


def config_of(architecture: str, head: str, labels: list | None = None, **changes) -> transformers.PreTrainedConfig:
    labels = labels or (TOPICS if head == "seq" else TAGS)
    values = {**SHAPE, **PUBLISHED[architecture], **changes}
    if architecture == "distilbert":
        values["hidden_dim"] = values.pop("intermediate_size")
    return transformers.AutoConfig.for_model(
        architecture,
        **values,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        attn_implementation=attention_of(architecture),
    )


def attention_of(architecture: str) -> str:
    """Eager, except where its softmax is in f32: there a row that is masked whole is not a number in f64."""
    return "sdpa" if architecture == "modernbert" else "eager"


def model_of(head: str, config: transformers.PreTrainedConfig) -> transformers.PreTrainedModel:
    return HEADS[head].from_config(config).eval()  # no dropout


def first_position(config: transformers.PreTrainedConfig) -> int:
    """The number of the first token's position: the RoBERTa family counts from the one after the padding id."""
    return config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0


def has_types(config: transformers.PreTrainedConfig) -> bool:
    """Whether the architecture's tokenizer tells the two texts of a pair apart by type ids."""
    return config.model_type in ("bert", "electra", "deberta-v2")
