#!/usr/bin/env python3
"""Records what the token-classification pipeline of transformers answers, as a test fixture for `--aggregation`.

    pip install transformers==5.23.0 torch==2.15.0 numpy
    python scripts/record_aggregation.py
Writes crates/vestnik-infer/tests/fixtures/aggregation.json; the same versions give the same file.

The models are the tiny ones of crates/vestnik-model/tests/fixtures. `cases` holds answers to logits made up here, with
labels of many kinds: `words` are the words that the pipeline sees, `answers` its entities [start, end, label, score] by
strategy, offsets in code points. `models` holds answers of the models themselves.
"""

import json
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


def recorded(pipe: TokenClassificationPipeline, name: str, text: str) -> dict:
    outputs = pipe.forward(next(pipe.preprocess(text, is_split_into_words=False)))
    return {"model": name, "text": text, "answers": {s: answer(pipe, outputs, s) for s in STRATEGIES}}


def case(pipe: TokenClassificationPipeline, labels: list, text: str, random: numpy.random.RandomState) -> dict:
    outputs = pipe.forward(next(pipe.preprocess(text, is_split_into_words=False)))
    logits = made_up(random, len(outputs["input_ids"][0]), labels)
    outputs["logits"] = torch.tensor([logits], dtype=torch.float32)
    pipe.model.config.id2label = dict(enumerate(labels))
    return {
        "words": words(pipe, outputs),
        "logits": logits[1:-1],  # without special tokens
        "answers": {strategy: answer(pipe, outputs, strategy) for strategy in STRATEGIES},
    }


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
                cases.append({"model": name, "text": text, "labels": labels, **case(pipe, labels, text, random)})
    lines = ",\n  ".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in cases)
    more = ",\n  ".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in models)
    version = json.dumps(transformers.__version__)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    text = f'{{\n "transformers": {version},\n "cases": [\n  {lines}\n ],\n "models": [\n  {more}\n ]\n}}\n'
    OUTPUT.write_text(text, encoding="utf-8")
    print(f"{OUTPUT.name}: {len(cases)} cases, {len(models)} answers of models, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
