#!/usr/bin/env python3
"""Makes the tiny models that the tests of vestnik-model compare themselves with.

    pip install transformers==5.23.0 torch==2.15.0 numpy
    python scripts/make_fixtures.py [FOLDER]     (default: crates/vestnik-model/tests/fixtures)

Per architecture it writes two Hugging Face directories, one with a token-classification head (`bert`,
`xlm_roberta`) and one with a tied masked-language-model head (`bert_mlm`, `xlm_roberta_mlm`):

    config.json, model.safetensors (f32)   as transformers writes them
    tokenizer.json                         with the token-classification heads only
    expected.json                          what the model answers

expected.json: {"made_with", "cases": [...], "texts"?: [...]}. A case holds `input_ids`, `attention_mask`
(and `token_type_ids` for BERT) as [batch][length], padded on the right, and `last_hidden_state` and `logits` as
[batch][length][width]; rows where the mask is 0 mean nothing. A case with `labels` (-100 = ignored) also holds the
`loss` (mean cross-entropy) and `gradient_norms` (Euclidean norm by tensor name; zero for the bias of the keys, which
softmax does not see). `texts` holds what the tokenizer answers: `ids` with special tokens, `offsets` in code points.

Weights come from numpy's frozen legacy generator, so they are the same everywhere. Each one is random, biases and
LayerNorms included: a forgotten bias or a LayerNorm that is skipped shows. The answers are computed in f64 from the
f32 weights and written with 7 significant digits, so that the error of the reference does not count.
"""

import json
import sys
import zlib
from pathlib import Path

import numpy
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "crates/vestnik-model/tests/fixtures"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SPREAD = 0.3  # far above the usual 0.02: attention and activations leave their linear range
IGNORE = -100
SHAPE = {
    "vocab_size": 60,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
}
WORDPIECE_VOCABULARY = """
[PAD] [UNK] [CLS] [SEP] [MASK] . , - ( ) « » „ “ ' : ; ! ? 0 1 2
а б в г д е и к м н о п р с т у ##а ##е ##у ##ом ##ск ##ий ##ова
Москва Киев София Иван Мария Петров London Maria Smith Bank the of in said сказал
""".split()
UNIGRAM_VOCABULARY = """
<s> <pad> </s> <unk> <mask> ▁ . , - ( ) « » „ “ ' : ; ! ? 0 1 2
а б в г д е и к м н о п р с т у ов ск ий ом
▁в ▁на ▁и ▁Москва ▁Киев ▁София ▁Иван ▁Петр ▁Мария ▁London ▁Smith ▁Bank ▁the ▁of ▁in ▁said ▁сказал
""".split()
TEXTS = ["Иван Петров сказал в София.", "«Bank of London», said Maria Smith", "Петрова - Киев ☃", "", "Москва"]


def wordpiece_tokenizer() -> Tokenizer:
    ids = {piece: index for index, piece in enumerate(WORDPIECE_VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    add_specials(tokenizer, ids, cls="[CLS]", sep="[SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1")
    tokenizer.add_special_tokens(WORDPIECE_VOCABULARY[:5])
    return tokenizer


def unigram_tokenizer() -> Tokenizer:
    ids = {piece: index for index, piece in enumerate(UNIGRAM_VOCABULARY)}
    scores = [(piece, 0.0 if index < 5 else -2.0 - 0.05 * index) for piece, index in ids.items()]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=ids["<unk>"]))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    add_specials(tokenizer, ids, cls="<s>", sep="</s>", pair="<s> $A </s> </s> $B </s>")
    tokenizer.add_special_tokens(UNIGRAM_VOCABULARY[:5])
    return tokenizer


def add_specials(tokenizer: Tokenizer, ids: dict, cls: str, sep: str, pair: str) -> None:
    specials = [(cls, ids[cls]), (sep, ids[sep])]
    tokenizer.post_processor = processors.TemplateProcessing(f"{cls} $A {sep}", pair, specials)


def bert_config() -> transformers.BertConfig:
    return transformers.BertConfig(**SHAPE, **label_maps(), pad_token_id=0, attn_implementation="eager")


def xlm_roberta_config() -> transformers.XLMRobertaConfig:
    # The values of FacebookAI/xlm-roberta-base where they differ from the class's defaults.
    return transformers.XLMRobertaConfig(
        **SHAPE, **label_maps(), type_vocab_size=1, layer_norm_eps=1e-5, attn_implementation="eager"
    )


def label_maps() -> dict:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {label: index for index, label in enumerate(LABELS)}}


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Gives every tensor random values; tied tensors are visited once and stay tied."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # One stream per name: a tensor that transformers adds one day does not change the others.
            generator = numpy.random.RandomState((seed + zlib.crc32(name.encode())) % 2**32)
            values = generator.standard_normal(tuple(parameter.shape)) * SPREAD
            if name.endswith(("LayerNorm.weight", "layer_norm.weight")):
                values += 1.0
            parameter.copy_(torch.from_numpy(values.astype(numpy.float32)))


class Cases:
    """Inputs with random ids. `specials` = (first, last, padding, first free id)."""

    def __init__(self, specials: tuple, limit: int, with_types: bool, seed: int):
        self.first, self.last, self.padding, self.free = specials
        self.limit = limit
        self.with_types = with_types
        self.random = numpy.random.RandomState(seed)

    def all(self) -> dict:
        cases = {
            "padded_batch": self.batch([9, 4, 7]),
            "single": self.batch([6]),
            "one_token": {"input_ids": [[self.free]], "attention_mask": [[1]]},
            "one_token_beside_others": self.batch([5, 1, 3]),
            "longest": self.batch([self.limit]),
        }
        for case in cases.values():
            if self.with_types:
                case["token_type_ids"] = [types_of(row) for row in case["attention_mask"]]
        return cases

    def batch(self, lengths: list) -> dict:
        longest = max(lengths)
        rows = [self.sequence(length) for length in lengths]
        return {
            "input_ids": [row + [self.padding] * (longest - len(row)) for row in rows],
            "attention_mask": [[1] * len(row) + [0] * (longest - len(row)) for row in rows],
        }

    def sequence(self, length: int) -> list:
        if length < 3:
            return [self.first] * length
        inner = self.random.randint(self.free, SHAPE["vocab_size"], size=length - 2)
        return [self.first, *map(int, inner), self.last]

    def labels(self, mask: list, n_labels: int) -> list:
        """Random labels; padding and every fourth token are ignored."""
        return [
            [int(self.random.randint(n_labels)) if keep and position % 4 else IGNORE for position, keep in enumerate(row)]
            for row in mask
        ]


def types_of(mask: list) -> list:
    """The second half of a sequence is a second segment; padding is segment 0."""
    length = sum(mask)
    return [int(length > 1 and length // 2 <= position < length) for position in range(len(mask))]


def answer(model: torch.nn.Module, case: dict, labels: list | None) -> dict:
    inputs = {name: torch.tensor(rows) for name, rows in case.items()}
    model.zero_grad()
    output = model(**inputs, output_hidden_states=True)
    answered = dict(case)
    answered["last_hidden_state"] = rounded(output.hidden_states[-1])
    answered["logits"] = rounded(output.logits)
    if labels is not None:
        answered["labels"] = labels
        loss = torch.nn.functional.cross_entropy(
            output.logits.flatten(0, 1), torch.tensor(labels).flatten(), ignore_index=IGNORE
        )
        loss.backward()
        answered["loss"] = rounded(loss)
        answered["gradient_norms"] = {name: norm_of(p.grad) for name, p in sorted(model.named_parameters())}
    return answered


def norm_of(gradient: torch.Tensor) -> float:
    """Zero where only rounding is left: softmax does not see the bias of the keys."""
    norm = rounded(gradient.norm())
    return norm if norm > 1e-12 else 0.0


def rounded(tensor: torch.Tensor):
    def walk(value):
        return [walk(item) for item in value] if isinstance(value, list) else float(f"{value:.7g}")

    return walk(tensor.detach().tolist())


def tokenized(tokenizer: Tokenizer) -> list:
    encodings = [(text, tokenizer.encode(text)) for text in TEXTS]
    return [
        {"text": text, "ids": encoding.ids, "tokens": encoding.tokens, "offsets": encoding.offsets}
        for text, encoding in encodings
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


def make(folder: Path, model: torch.nn.Module, cases: Cases, tokenizer: Tokenizer | None, seed: int) -> None:
    model.eval()  # no dropout
    randomise(model, seed)
    model.save_pretrained(folder)
    model.double()
    n_outputs = SHAPE["vocab_size"] if tokenizer is None else len(LABELS)
    answers = []
    for name, case in cases.all().items():
        labels = cases.labels(case["attention_mask"], n_outputs) if name == "padded_batch" else None
        answers.append({"name": name, **answer(model, case, labels)})
    versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "dtype": "float64"}
    expected = {"made_with": versions, "cases": answers}
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
        expected["texts"] = tokenized(tokenizer)
    write_json(folder / "expected.json", expected)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.name}: {', '.join(sorted(file.name for file in folder.iterdir()))} ({size} bytes)")
    assert size <= 200_000, f"{folder} is too large to be committed"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER
    assert len(WORDPIECE_VOCABULARY) == len(set(WORDPIECE_VOCABULARY)) == SHAPE["vocab_size"]
    assert len(UNIGRAM_VOCABULARY) == len(set(UNIGRAM_VOCABULARY)) == SHAPE["vocab_size"]
    longest = SHAPE["max_position_embeddings"]

    def bert_cases(seed):
        return Cases((2, 3, 0, 5), longest, with_types=True, seed=seed)

    def xlm_roberta_cases(seed):  # its positions start at 2
        return Cases((0, 2, 1, 5), longest - 2, with_types=False, seed=seed)

    tagger, filler = transformers.BertForTokenClassification, transformers.BertForMaskedLM
    make(folder / "bert", tagger(bert_config()), bert_cases(11), wordpiece_tokenizer(), seed=1)
    make(folder / "bert_mlm", filler(bert_config()), bert_cases(12), None, seed=2)
    tagger, filler = transformers.XLMRobertaForTokenClassification, transformers.XLMRobertaForMaskedLM
    make(folder / "xlm_roberta", tagger(xlm_roberta_config()), xlm_roberta_cases(13), unigram_tokenizer(), seed=3)
    make(folder / "xlm_roberta_mlm", filler(xlm_roberta_config()), xlm_roberta_cases(14), None, seed=4)


if __name__ == "__main__":
    main()
