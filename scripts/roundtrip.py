#!/usr/bin/env python3
"""Saves models with vestnik, loads them with transformers and compares the logits of both.

    cargo build && cargo build -p vestnik-model --example resave
    python scripts/roundtrip.py DIR…

Each directory is saved in all ways that its head has:

    convert    by `vestnik model convert`: transformers computes exactly what it does for the original
    resave     loaded with its head and saved, as training saves
    fresh      the same with a fresh head for other labels
    train      after some steps of `vestnik train`: AutoModelForTokenClassification
    pretrain   after some steps of `vestnik pretrain`: AutoModelForMaskedLM

(train and pretrain begin with encoders without a head and with token-classification heads.)

transformers must find every tensor, none too many, and the tokens of the original. --vestnik and --resave name the
programs; else they are the newest builds. Exit code 1 when a difference is above the tolerance.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from reference.answers import Reference
from reference.comparison import Result, compare_logits
from reference.random_models import Draw, random_inputs
from reference.texts import SENTENCES
from reference.vestnik import Vestnik, newest

LABELS = ["O", "B-EVT", "I-EVT", "B-PRO", "I-PRO", "B-ORG", "I-ORG"]
TRAIN = """
seed = 7
epochs = 2
[model]
base = {base}
labels = ["PER", "LOC"]
[windows]
max_tokens = 20
context = 4
[batch]
max_tokens = 64
[[train]]
path = "train.jsonl"
[[dev]]
path = "train.jsonl"
"""
PRETRAIN = """
steps = 4
piece_tokens = 16
dev_pieces = 2
evaluate_every = 2
[model]
base = {base}
[batch]
max_tokens = 64
[[text]]
path = "texts.jsonl"
[languages]
en = 1.0
"""


class Saver:
    """Saves one directory in several ways, each into a folder of its own."""

    def __init__(self, folder: Path, root: Path, vestnik: Vestnik, resave: str):
        self.folder, self.root, self.vestnik, self.resave_program = folder.resolve(), root, vestnik, resave
        root.mkdir()
        documents = [document(number) for number in range(16)]
        write_lines(root / "train.jsonl", documents)
        write_lines(root / "texts.jsonl", [{"lang": "en", "text": entry["text"]} for entry in documents * 3])

    def convert(self) -> Path:
        self.vestnik.run("model", "convert", str(self.folder), "-o", str(self.root / "convert"))
        return self.root / "convert"

    def resave(self) -> Path:
        return self.resaved("resave")

    def fresh(self) -> Path:
        return self.resaved("fresh", *LABELS)

    def resaved(self, name: str, *labels: str) -> Path:
        subprocess.run([self.resave_program, str(self.folder), str(self.root / name), *labels], check=True)
        return self.root / name

    def train(self) -> Path:
        return self.trained("train", TRAIN)

    def pretrain(self) -> Path:
        return self.trained("pretrain", PRETRAIN)

    def trained(self, command: str, run: str) -> Path:
        path = self.root / f"{command}.toml"
        path.write_text(run.format(base=json.dumps(str(self.folder))), encoding="utf-8")
        self.vestnik.run(command, str(path), "--device", "cpu", "--progress", "none")
        return self.root / command / "model"


def document(number: int) -> dict:
    name, place = ["Anna", "Boris", "Vera"][number % 3], ["Sofia", "Kyiv"][number % 2]
    start = len(name) + len(" lives in ")
    return {
        "id": str(number),
        "lang": "en",
        "text": f"{name} lives in {place} and waits for number {number}.",
        "entities": [
            {"start": 0, "end": len(name), "label": "PER"},
            {"start": start, "end": start + len(place), "label": "LOC"},
        ],
    }


def write_lines(path: Path, records: list) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def ways(original: Reference) -> list[str]:
    resaved = {None: [], "mlm": ["resave"]}.get(original.head, ["resave", "fresh"])
    trainable = original.head in (None, "token") and (original.folder / "tokenizer.json").exists()
    return ["convert", *resaved, *["train", "pretrain"] * trainable]


def check(original: Reference, saved: Path, way: str, vestnik: Vestnik) -> Result:
    reference = Reference(saved)
    entries = random_inputs(reference.model, reference.max_tokens(), Draw(1, way))
    result = compare_logits(saved, reference, vestnik, entries, entries)
    result.same(reference.head, {"train": "token", "pretrain": "mlm"}.get(way, original.head), "head")
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        result.same(sorted(reference.report[kind]), [], kind)
    if way in ("convert", "resave"):
        unchanged = map(torch.equal, original.together(entries), reference.together(entries))
        result.same(list(unchanged), [True] * len(entries), "the same logits as those of the original")
    if way == "fresh":
        result.same(list(reference.model.config.id2label.values()), LABELS, "labels")
    if (original.folder / "tokenizer.json").exists():
        ids = [tokenizer(SENTENCES)["input_ids"] for tokenizer in (reference.tokenizer(), original.tokenizer())]
        result.same(*ids, "ids of the sentences")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--vestnik", metavar="PROGRAM")
    parser.add_argument("--resave", metavar="PROGRAM")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    vestnik = Vestnik(arguments.vestnik)
    resave = arguments.resave or newest("examples/resave")
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, folder in enumerate(arguments.dirs):
            original = Reference(folder)
            saver = Saver(folder, Path(temporary) / str(number), vestnik, resave)
            for way in ways(original):
                results.append(check(original, getattr(saver, way)(), way, vestnik))
                print(results[-1].line(f"{folder.name} {way}"), flush=True)
    print(f"largest difference {max(result.difference for result in results):.2e} of {len(results)} directories")
    sys.exit(0 if all(result.fine(arguments.tolerance) for result in results) else 1)


if __name__ == "__main__":
    main()
