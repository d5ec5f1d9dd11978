"""Models of random sizes and settings, none of them a fixture."""

import zlib

import numpy
import transformers

from .architectures import config_of, model_of
from .weights import SPREAD, randomise

ACTIVATIONS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu"]


class Draw:
    """Seeded by a name, so that one model does not change with the others."""

    def __init__(self, seed: int, name: str):
        self.seed = (seed + zlib.crc32(name.encode())) % 2**32
        self.random = numpy.random.RandomState(self.seed)

    def count(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return int(self.random.randint(low, high + 1))

    def one_of(self, *values):
        return values[self.random.randint(len(values))]


def random_model(architecture: str, head: str, draw: Draw) -> transformers.PreTrainedModel:
    changes = sizes(draw, architecture)
    changes |= MORE.get(architecture, lambda draw, changes: {})(draw, changes)
    if head == "mlm" and not changes.get("embedding_size"):
        changes["tie_word_embeddings"] = draw.one_of(True, True, False)
    if head == "seq":
        changes["problem_type"] = draw.one_of(None, "single_label_classification", "multi_label_classification")
    labels = [f"L{label}" for label in range(draw.count(2, 9))]
    config = config_of(architecture, head, labels, **changes)
    model = model_of(head, config)
    # Wider sums grow; the noise of f32 should not.
    randomise(model, draw.seed, spread=SPREAD * min(1.0, 24 / config.hidden_size) ** 0.5)
    return model


def sizes(draw: Draw, architecture: str) -> dict:
    heads = draw.count(1, 5)
    # Rotations take the dimensions of a head in pairs.
    width = 2 * draw.count(1, 9) if architecture == "modernbert" else draw.count(2, 19)
    activation = {"distilbert": "activation", "modernbert": "hidden_activation"}.get(architecture, "hidden_act")
    return {
        "vocab_size": draw.count(20, 90),
        "hidden_size": heads * width,
        "num_attention_heads": heads,
        "num_hidden_layers": draw.count(1, 4),
        "intermediate_size": draw.count(5, 90),
        "max_position_embeddings": draw.one_of(draw.count(12, 60), draw.count(60, 200), 512),
        activation: draw.one_of(*ACTIVATIONS),
    }


def bert(draw: Draw, changes: dict) -> dict:
    return {"type_vocab_size": draw.count(1, 4), "layer_norm_eps": draw.one_of(1e-12, 1e-5, 1e-3)}


def roberta(draw: Draw, changes: dict) -> dict:
    return {"layer_norm_eps": draw.one_of(1e-12, 1e-5, 1e-3)}


def electra(draw: Draw, changes: dict) -> dict:
    return {"type_vocab_size": draw.count(1, 3), "embedding_size": draw.one_of(changes["hidden_size"], draw.count(3, 40))}


def deberta(draw: Draw, changes: dict) -> dict:
    hidden, positions = changes["hidden_size"], changes["max_position_embeddings"]
    legacy = draw.one_of(True, True, False)
    return {
        "relative_attention": draw.one_of(True, True, True, False),
        "pos_att_type": draw.one_of(["p2c", "c2p"], ["c2p"], ["p2c"]),
        "norm_rel_ebd": draw.one_of("layer_norm", "none"),
        "share_att_key": draw.one_of(True, False),
        # Buckets make sense where the sequence is longer than they are.
        "position_buckets": draw.one_of(-1, draw.count(4, positions // 2), positions // 2),
        "max_relative_positions": draw.one_of(-1, positions, positions * 2),
        "position_biased_input": draw.one_of(True, False),
        "type_vocab_size": draw.one_of(0, 0, 2, 3),
        "conv_kernel_size": draw.one_of(0, 0, 3, 5),
        "conv_act": draw.one_of("gelu", "tanh"),
        "legacy": legacy,
        # The newer head multiplies hidden states with the embeddings: equal widths.
        "embedding_size": draw.one_of(hidden, draw.count(3, 40)) if legacy else hidden,
    }


def modernbert(draw: Draw, changes: dict) -> dict:
    every, layers = draw.count(1, 4), changes["num_hidden_layers"]
    biases = ("attention_bias", "mlp_bias", "norm_bias", "classifier_bias", "decoder_bias")
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "cls_token_id": 0, "sep_token_id": 1}
    return {
        "layer_types": ["sliding_attention" if layer % every else "full_attention" for layer in range(layers)],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": draw.one_of(160000.0, 300.0)},
            "sliding_attention": {"rope_type": "default", "rope_theta": draw.one_of(10000.0, 20.0)},
        },
        "local_attention": draw.count(2, 24),
        "classifier_pooling": draw.one_of("cls", "mean"),
        "classifier_activation": draw.one_of(*ACTIVATIONS),
        **{name: draw.one_of(True, False) for name in biases},
        **ids,
    }


MORE = {
    "bert": bert,
    "roberta": roberta,
    "xlm-roberta": roberta,
    "camembert": roberta,
    "electra": electra,
    "deberta-v2": deberta,
    "modernbert": modernbert,
}


def random_inputs(model: transformers.PreTrainedModel, longest: int, draw: Draw) -> list[dict]:
    """Ids at lengths from 1 to the longest; never the padding id, which RoBERTa would not count."""
    config = model.config
    ids = [id for id in range(config.vocab_size) if id != config.pad_token_id]
    lengths = [1, 2, 3, *(draw.count(4, longest) for _ in range(4)), longest - 1, longest]
    n_types = max(1, getattr(config, "type_vocab_size", 0) or 0)
    draw.random.shuffle(lengths)
    return [
        {
            "ids": [int(id) for id in draw.random.choice(ids, length)],
            "type_ids": draw.random.randint(n_types, size=length).tolist(),
        }
        for length in lengths
    ]
