#!/usr/bin/env python3
"""Records what the token-classification pipeline of transformers answers, as a test fixture for `--aggregation`.

    pip install transformers==5.23.0 torch==2.15.0 numpy
    python scripts/record_aggregation.py
Writes crates/vestnik-infer/tests/fixtures/aggregation.json; the same versions give the same file.

The models are the tiny ones of crates/vestnik-model/tests/fixtures. `cases` holds answers to logits made up here, with
labels of many kinds: `words` are the words that the pipeline sees, `answers` its entities [start, end, label, score] by
strategy, offsets in code points. `example` is the case that docs/aggregation.md shows: a model that is sure of its names
and of the punctuation beside them. `models` holds answers of the models themselves.
"""

import json
import math
import warnings
from pathlib import Path

import numpy
import torch
import transformers
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast, TokenClassificationPipeline
from transformers.pipelines.token_classification import AggregationStrategy

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "crates/vestnik-model/tests/fixtures"
OUTPUT = ROOT / "crates/vestnik-infer/tests/fixtures/aggregation.json"
STRATEGIES = ["none", "simple", "first", "average", "max"]
SPECIALS = {
    "bert": {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"},
    "xlm_roberta": {"unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>"},
}
LABELS = {
    "iob2": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "iob1": ["I-LOC", "I-PER", "O", "B-PER"],
    "plain": ["PER", "O", "LOC"],
    "bioes": ["O", "B-PER", "I-PER", "E-PER", "S-PER"],
    "no scheme": ["LABEL_0", "LABEL_1", "LABEL_2"],
    "same tag twice": ["O", "PER", "I-PER", "B-PER", "DATE-TIME", "B-DATE-TIME"],
}
# In the first of each, the words of the pipeline are ours; the others hold what it glues to words, or cuts.
TEXTS = {
    "bert": [
        "Ивану Петрова сказал : «Мариявский Банк» в Киевому, Лондоном Londonом .",
        "Марияский (Софияа) и Петровска Москваому",
        "Иван-Петров in Maria's Bank 21.12",
    ],
    "xlm_roberta": [
        "Петрова сказал Марияскому на играм Киевский народ в Москваов",
        "в игре сказал Ивану и Смит",
        "сказал «москва» и (киевом-ост), на London.",
    ],
}
EXAMPLE = "сказал «москва» (киев), London."
SEED = 20240711


def pipeline(name: str) -> TokenClassificationPipeline:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(MODELS / name / "tokenizer.json"), model_max_length=38, **SPECIALS[name]
    )
    model = AutoModelForTokenClassification.from_pretrained(MODELS / name, attn_implementation="eager").eval()
    return TokenClassificationPipeline(model=model, tokenizer=tokenizer)


def answer(pipe: TokenClassificationPipeline, outputs: dict, strategy: str) -> list:
    entities = pipe.postprocess([outputs], aggregation_strategy=AggregationStrategy(strategy))
    return [
        [e["start"], e["end"], e.get("entity") or e.get("entity_group"), round(float(e["score"]), 6)] for e in entities
    ]


def words(pipe: TokenClassificationPipeline, outputs: dict) -> list:
    """What aggregate_words would take as words."""
    scores = outputs["logits"][0].numpy()
    tokens = pipe.gather_pre_entities(
        outputs["sentence"],
        outputs["input_ids"][0],
        scores,
        outputs["offset_mapping"][0],
        outputs["special_tokens_mask"][0].numpy(),
        AggregationStrategy.FIRST,
    )
    found = []
    for token in tokens:
        if found and token["is_subword"]:
            found[-1][1] = token["end"]
        else:
            found.append([token["start"], token["end"]])
    return found


def made_up(random: numpy.random.RandomState, n_tokens: int, labels: list) -> list:
    """Logits where neighbours tend to have the same type, so that there is something to group."""
    logits = random.standard_normal((n_tokens, len(labels)))
    label = 0
    for row in logits:
        goes_on = "I-" + labels[label].split("-", 1)[-1]
        if random.random_sample() < 0.4:
            label = random.randint(len(labels))
        elif goes_on in labels:
            label = labels.index(goes_on)
        row[label] += 1.5
    return [[round(float(value), 2) for value in row] for row in logits]


def sure(labels: list, best: tuple) -> list:
    """Logits that give one label nearly all."""
    label, probability = best
    rest = (1 - probability) / (len(labels) - 1)
    return [round(math.log(probability if name == label else rest), 2) for name in labels]


def example_logits(tokens: list, labels: list) -> list:
    """Names begin behind a mark, or are a token of their own."""
    logits, previous = [], None
    for token in tokens:
        if token == "▁London" or previous in ("«", "("):
            best = ("B-LOC", 0.9)
        elif token.startswith("▁") or not token.isalpha():
            best = ("O", 0.85)
        else:
            best = ("I-LOC", 0.8)
        logits.append(sure(labels, best))
        previous = token
    return logits


def forward(pipe: TokenClassificationPipeline, text: str) -> dict:
    return pipe.forward(next(pipe.preprocess(text, is_split_into_words=False)))


def recorded(pipe: TokenClassificationPipeline, name: str, text: str) -> dict:
    outputs = forward(pipe, text)
    return {"model": name, "text": text, "answers": {s: answer(pipe, outputs, s) for s in STRATEGIES}}


def case(pipe: TokenClassificationPipeline, name: str, text: str, labels: list, logits: list) -> dict:
    """`logits` without special tokens."""
    outputs = forward(pipe, text)
    special = [0.0] * len(labels)
    outputs["logits"] = torch.tensor([[special, *logits, special]], dtype=torch.float32)
    pipe.model.config.id2label = dict(enumerate(labels))
    return {
        "model": name,
        "text": text,
        "labels": labels,
        "words": words(pipe, outputs),
        "logits": logits,
        "answers": {strategy: answer(pipe, outputs, strategy) for strategy in STRATEGIES},
    }


def example(pipe: TokenClassificationPipeline, name: str) -> dict:
    labels = ["O", "B-LOC", "I-LOC"]
    return case(pipe, name, EXAMPLE, labels, example_logits(pipe.tokenizer.tokenize(EXAMPLE), labels))


def dumped(item: dict) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    warnings.simplefilter("ignore")  # the pipeline warns that it guesses words
    torch.set_num_threads(1)
    random = numpy.random.RandomState(SEED)
    cases, models = [], []
    for name, texts in TEXTS.items():
        pipe = pipeline(name)
        models += [recorded(pipe, name, text) for text in texts]
        for labels in LABELS.values():
            for text in texts:
                logits = made_up(random, len(pipe.tokenizer.tokenize(text)), labels)
                cases.append(case(pipe, name, text, labels, logits))
    parts = {
        "transformers": dumped(transformers.__version__),
        "example": dumped(example(pipe, name)),
        "cases": "[\n  " + ",\n  ".join(map(dumped, cases)) + "\n ]",
        "models": "[\n  " + ",\n  ".join(map(dumped, models)) + "\n ]",
    }
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text("{\n" + ",\n".join(f' "{key}": {part}' for key, part in parts.items()) + "\n}\n", encoding="utf-8")
    print(f"{OUTPUT.name}: {len(cases)} cases, {len(models)} answers of models, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
