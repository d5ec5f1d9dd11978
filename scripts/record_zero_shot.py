#!/usr/bin/env python3
"""Records what the zero-shot pipeline of transformers answers on tiny models, for the tests of vestnik-infer.

    pip install -r scripts/requirements.txt
    python3 scripts/record_zero_shot.py crates/vestnik-model/tests/fixtures crates/vestnik-infer/tests/zero_shot.json

The fixtures are classifiers with three labels; they are taken for models of natural language inference whose outputs are
contradiction, neutral and entailment. Texts are short: the pipeline cuts long ones, vestnik reads them in windows.
"""

import json
import pathlib
import sys
import tempfile
import warnings

import torch
import transformers

MODELS = ("bert_seq", "roberta_seq", "deberta_v2_seq", "modernbert_seq")
LABELS = ["contradiction", "neutral", "entailment"]
TEXTS = ["Rada and Kyiv.", "Матч."]
CANDIDATES = ["sport", "war", "дождь"]
TEMPLATE = "On {}."


def as_nli(source, folder):
    """A copy of a fixture with other names of its outputs."""
    for file in ("model.safetensors", "tokenizer.json"):
        (folder / file).write_bytes((source / file).read_bytes())
    config = json.loads((source / "config.json").read_text())
    config["id2label"] = dict(enumerate(LABELS))
    config["label2id"] = {label: index for index, label in enumerate(LABELS)}
    (folder / "config.json").write_text(json.dumps(config))


def answers(source):
    with tempfile.TemporaryDirectory() as folder:
        as_nli(source, pathlib.Path(folder))
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", pad_token="[PAD]")
        if model.config.model_type == "bert":
            tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
        classify = transformers.pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
        for text in TEXTS:
            for multi_label in (False, True):
                # One pair at a time: the fixtures' padding is not at stake.
                answer = classify(
                    text, CANDIDATES, hypothesis_template=TEMPLATE, multi_label=multi_label, batch_size=1
                )
                yield {
                    "model": source.name,
                    "text": text,
                    "multi_label": multi_label,
                    "labels": answer["labels"],
                    "scores": [round(score, 9) for score in answer["scores"]],
                }


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    fixtures, output = map(pathlib.Path, sys.argv[1:])
    cases = [case for name in MODELS for case in answers(fixtures / name)]
    recorded = {
        "transformers": transformers.__version__,
        "outputs": LABELS,
        "candidates": CANDIDATES,
        "template": TEMPLATE,
        "cases": cases,
    }
    output.write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
