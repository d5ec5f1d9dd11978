#!/usr/bin/env python3
"""Makes the tiny models that the tests of vestnik-model compare themselves with.

    pip install -r scripts/requirements.txt
    python scripts/make_fixtures.py [--out FOLDER] [NAME…]     (default: crates/vestnik-model/tests/fixtures, all)

Each is a Hugging Face directory; README.md beside them says what each one is there for. A name is the architecture
(`deberta_v2`, with a token-classification head), with `_seq` or `_mlm` for the other heads, and the variant:

    config.json, model.safetensors (f32)   as transformers writes them; some config.json are then edited by hand
    tokenizer.json                         with the classification heads
    expected.json                          what the model answers

expected.json: {"made_with", "cases": [...], "texts"?: [...]}. A case holds `input_ids`, `attention_mask` (and
`token_type_ids` where the architecture's tokenizer gives them) as [batch][length], padded on the right,
`last_hidden_state` as [batch][length][width], and `logits` as [batch][length][labels], or [batch][labels] for a
sequence-classification head; rows where the mask is 0 mean nothing. A case with `labels` also holds the `loss` and
`gradient_norms` (Euclidean norm by tensor name, tied tensors once, without those that
the loss does not depend on, exactly zero where softmax does not see a tensor).
Labels are [batch][length] (-100 = ignored), [batch], or [batch][labels] of 0 and 1 with several labels a sequence;
the loss is the mean cross-entropy, with several labels the mean binary one. `texts` holds what the tokenizer answers:
`ids` with special tokens, `tokens`, `offsets` in code points; an entry with a `pair` also has `type_ids`.

Weights come from numpy's frozen legacy generator, so they are the same everywhere. Each one is random, biases and
LayerNorms included: a forgotten bias or a LayerNorm that is skipped shows. The answers are computed in f64 from the
f32 weights and written with 7 significant digits, so that the error of the reference does not count (ModernBERT
rotates queries and keys in f32 whatever the model has: there the last digits may be the reference's error).
"""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from reference.architectures import config_of, first_position, has_types, model_of
from reference.cases import Cases, answer
from reference.tiny_tokenizers import MODERNBERT_WITHOUT_TOKENIZER, TOKENIZERS, Specials
from reference.weights import randomise
from tokenizers import Tokenizer

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "crates/vestnik-model/tests/fixtures"
TEXTS = ["Иван Петров сказал в София.", "«Bank of London», said Maria Smith", "Петрова - Киев ☃", "", "Москва"]
PAIRS = [("Иван Петров сказал в София.", "Bank of London"), ("", "Киев"), ("Maria Smith", "")]
MLM = {"vocab_size": 37, "num_hidden_layers": 2, "max_position_embeddings": 26}


@dataclass
class Fixture:
    """`edits` change config.json after it was written (None removes a key); the answers are those after the edits."""

    name: str
    architecture: str
    head: str
    seed: int
    changes: dict = field(default_factory=dict)
    edits: dict = field(default_factory=dict)


def sizes(hidden: int, heads: int, layers: int = 2, inner: int = 33) -> dict:
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
    }


DEBERTA_XLARGE = {"conv_kernel_size": 3, "conv_act": "gelu", "attention_head_size": 10, **sizes(20, 2, layers=3)}
DEBERTA_PLAIN = {
    "share_att_key": False,
    "position_biased_input": True,
    "type_vocab_size": 2,
    "position_buckets": -1,
    "max_relative_positions": 12,
    "norm_rel_ebd": "none",
    "embedding_size": 15,
    **sizes(21, 3),
}
MODERNBERT = sizes(20, 2, layers=4, inner=25)
MODERNBERT_BIASES = {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True}
# transformers 4 had the distance between global layers and the bases of the rotations at the top level.
MODERNBERT_V4 = {
    "layer_types": None,
    "rope_parameters": None,
    "global_attn_every_n_layers": 2,
    "global_rope_theta": 2000.0,
    "local_rope_theta": 50.0,
    "position_embedding_type": "absolute",
    "dtype": None,
    "torch_dtype": "float32",
    "transformers_version": "4.48.0",
    "tie_word_embeddings": None,
}

FIXTURES = [
    Fixture("bert", "bert", "token", 1),
    Fixture("roberta", "roberta", "token", 5, sizes(21, 3)),
    Fixture("xlm_roberta", "xlm-roberta", "token", 3),
    Fixture("camembert", "camembert", "token", 6, sizes(18, 2)),
    Fixture("distilbert", "distilbert", "token", 7, sizes(20, 4)),
    Fixture("electra", "electra", "token", 8, sizes(20, 4)),
    Fixture("deberta_v2", "deberta-v2", "token", 9, sizes(24, 4)),
    Fixture("modernbert", "modernbert", "token", 10, MODERNBERT),
    Fixture("bert_relu", "bert", "token", 31, {"hidden_act": "relu", **sizes(14, 2)}),
    Fixture("bert_gelu_new", "bert", "token", 32, {"hidden_act": "gelu_new", **sizes(15, 3)}),
    Fixture("deberta_v2_xlarge", "deberta-v2", "token", 33, DEBERTA_XLARGE, {"pos_att_type": "p2c|c2p"}),
    Fixture("deberta_v2_plain", "deberta-v2", "token", 34, DEBERTA_PLAIN),
    Fixture("modernbert_bias", "modernbert", "token", 35, {**MODERNBERT_BIASES, **sizes(18, 3, layers=4, inner=19)}),
    Fixture("modernbert_v4", "modernbert", "token", 36, MODERNBERT, MODERNBERT_V4),
    Fixture("bert_seq", "bert", "seq", 41, sizes(21, 3)),
    Fixture("bert_seq_multi", "bert", "seq", 42, {"problem_type": "multi_label_classification", **sizes(20, 4)}),
    Fixture("roberta_seq", "roberta", "seq", 43, sizes(20, 4)),
    Fixture("xlm_roberta_seq", "xlm-roberta", "seq", 44, sizes(18, 3)),
    Fixture("camembert_seq", "camembert", "seq", 45, sizes(14, 2)),
    Fixture("distilbert_seq", "distilbert", "seq", 46, sizes(21, 3)),
    Fixture("electra_seq", "electra", "seq", 47, sizes(18, 2)),
    Fixture("deberta_v2_seq", "deberta-v2", "seq", 48, sizes(20, 4)),
    Fixture("modernbert_seq", "modernbert", "seq", 49, {"classifier_pooling": "mean", **MODERNBERT}),
    Fixture("modernbert_seq_cls", "modernbert", "seq", 50, {"classifier_bias": True, **sizes(16, 2, layers=4)}),
    Fixture("bert_mlm", "bert", "mlm", 2),
    Fixture("xlm_roberta_mlm", "xlm-roberta", "mlm", 4),
    Fixture("bert_mlm_untied", "bert", "mlm", 61, {**MLM, "tie_word_embeddings": False}),
    Fixture("roberta_mlm", "roberta", "mlm", 62, MLM),
    Fixture("camembert_mlm", "camembert", "mlm", 63, MLM),
    Fixture("distilbert_mlm", "distilbert", "mlm", 64, MLM),
    Fixture("electra_mlm", "electra", "mlm", 65, MLM),
    Fixture("deberta_v2_mlm", "deberta-v2", "mlm", 66, {**MLM, "embedding_size": 20}),
    Fixture("deberta_v2_mlm_new", "deberta-v2", "mlm", 67, {**MLM, "legacy": False}),
    Fixture("modernbert_mlm", "modernbert", "mlm", 70, {**MLM, "max_position_embeddings": 50, **sizes(20, 2, layers=4)}),
]


def make(fixture: Fixture, folder: Path) -> None:
    tokenizer, specials = tokenizer_of(fixture)
    config = config_of(fixture.architecture, fixture.head, **changes_of(fixture, tokenizer, specials))
    specials.end = min(specials.end, config.vocab_size)
    model = model_of(fixture.head, config)
    randomise(model, fixture.seed)
    model.save_pretrained(folder)
    model = edited(model, folder, fixture.edits).double()
    cases = Cases(specials, config.max_position_embeddings - first_position(config), has_types(config), fixture.seed + 10)
    expected = {"made_with": versions(), "cases": answers(model, cases, fixture.head)}
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
        expected["texts"] = tokenized(tokenizer, with_pairs=fixture.head == "seq")
    write_json(folder / "expected.json", expected)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.name}: {', '.join(sorted(file.name for file in folder.iterdir()))} ({size} bytes)")
    assert size <= 200_000, f"{folder} is too large to be committed"


def tokenizer_of(fixture: Fixture) -> tuple[Tokenizer | None, Specials]:
    """Masked language models have a small vocabulary and no tokenizer."""
    tokenizer, specials = TOKENIZERS[fixture.architecture]()
    if fixture.head != "mlm":
        return tokenizer, specials
    return None, MODERNBERT_WITHOUT_TOKENIZER if fixture.architecture == "modernbert" else specials


def changes_of(fixture: Fixture, tokenizer: Tokenizer | None, specials: Specials) -> dict:
    changes = dict(fixture.changes)
    if tokenizer is not None:
        changes["vocab_size"] = tokenizer.get_vocab_size()
    if fixture.architecture == "modernbert":
        changes |= {"bos_token_id": specials.first, "eos_token_id": specials.last, "pad_token_id": specials.padding}
        changes |= {"cls_token_id": specials.first, "sep_token_id": specials.last}
    return changes


def edited(model: torch.nn.Module, folder: Path, edits: dict) -> torch.nn.Module:
    """The model as transformers reads it back after its config.json was edited."""
    if not edits:
        return model
    path = folder / "config.json"
    values = {**json.loads(path.read_text()), **edits}
    values = {key: value for key, value in values.items() if value is not None or key not in edits}
    path.write_text(json.dumps(values, indent=2) + "\n")
    return type(model).from_pretrained(folder, attn_implementation=model.config._attn_implementation).eval()


def answers(model: torch.nn.Module, cases: Cases, head: str) -> list:
    answered = []
    for name, case in cases.all(with_pairs=head == "seq").items():
        labels = labels_of(model, cases, case, head) if name == "padded_batch" else None
        answered.append({"name": name, **answer(model, case, labels)})
    return answered


def labels_of(model: torch.nn.Module, cases: Cases, case: dict, head: str) -> list:
    config = model.config
    if head == "seq":
        several = config.problem_type == "multi_label_classification"
        return cases.sequence_labels(len(case["input_ids"]), config.num_labels, several)
    return cases.token_labels(case["attention_mask"], config.vocab_size if head == "mlm" else config.num_labels)


def versions() -> dict:
    return {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "dtype": "float64"}


def tokenized(tokenizer: Tokenizer, with_pairs: bool) -> list:
    encodings = [({"text": text}, tokenizer.encode(text)) for text in TEXTS]
    entries = [
        {**texts, "ids": encoding.ids, "tokens": encoding.tokens, "offsets": encoding.offsets}
        for texts, encoding in encodings
    ]
    return entries + (tokenized_pairs(tokenizer) if with_pairs else [])


def tokenized_pairs(tokenizer: Tokenizer) -> list:
    encodings = [({"text": text, "pair": pair}, tokenizer.encode(text, pair)) for text, pair in PAIRS]
    return [
        {**texts, "ids": code.ids, "type_ids": code.type_ids, "tokens": code.tokens, "offsets": code.offsets}
        for texts, code in encodings
    ]


def write_json(path: Path, value: dict) -> None:
    """One line per case and per list of rows: diffs stay readable, the file stays small."""
    def dump(item):
        return json.dumps(item, ensure_ascii=False, separators=(",", ":"))

    parts = [f" {dump('made_with')}: {dump(value['made_with'])}"]
    for key in ("cases", "texts"):
        if key in value:
            items = (",\n  ").join(dump(item) for item in value[key])
            parts.append(f" {dump(key)}: [\n  {items}\n ]")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the tiny models of the tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for fixture in FIXTURES:
        if not arguments.names or fixture.name in arguments.names:
            make(fixture, arguments.out / fixture.name)


if __name__ == "__main__":
    main()
